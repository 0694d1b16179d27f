"""`python -m benchmarks.run W2a`: run a workload, print one JSON object as the last line, fail when the oracle does."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version

import click

from benchmarks import w1, w2a
from streams.testing.broker import endpoints

VERSIONS = ("confluent-kafka", "faust-streaming", "aiokafka", "rocksdict", "aiohttp", "fastavro")


@click.command()
@click.argument("workload", type=click.Choice(["W1", "W2a"]))
@click.option("--events", default=None, type=int, help="Events (W2a) or requests (W1).")
@click.option("--keys", default=100_000, show_default=True, help="Entities, W2a.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same events.")
@click.option("--mode", default="none", type=click.Choice(["none", "arrival", "time"]), help="Ordering of events, W2a.")
def main(workload: str, events: int | None, keys: int, seed: int, mode: str) -> None:
    """Run WORKLOAD on a real broker (given, testcontainers or the local stack) and print what was measured."""
    with endpoints() as place:
        if workload == "W2a":
            result = w2a.run(place.bootstrap, place.registry, events or 1_000_000, keys, seed, mode)
        else:
            result = w1.run(place.bootstrap, place.registry, events or 200_000)
    result["python"] = platform.python_version()
    result["versions"] = {name: version(name) for name in VERSIONS}
    print(json.dumps(result))
    sys.exit(result["oracle"] != "pass")


if __name__ == "__main__":
    main()
