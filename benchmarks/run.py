"""`python -m benchmarks.run W2a`: run a workload, print one JSON object as the last line, fail when the oracle does."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version

import click

from benchmarks import w1, w2a, w4
from benchmarks.peers import bench as peers
from benchmarks.peers.catalogue import NAMES
from streams.testing.broker import endpoints

VERSIONS = ("confluent-kafka", "faust-streaming", "aiokafka", "rocksdict", "aiohttp", "fastavro")


@click.command()
@click.argument("workload", type=click.Choice(["W1", "W2a", "W4", "peers"]))
@click.option("--events", default=None, type=int, help="Events (W2a, peers), requests (W1) or entities (W4).")
@click.option("--keys", default=100_000, show_default=True, help="Entities, W2a and peers.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same events.")
@click.option("--mode", default="none", type=click.Choice(["none", "arrival", "time"]), help="Ordering of events, W2a.")
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="One peer, repeatable; without it all.")
def main(workload: str, events: int | None, keys: int, seed: int, mode: str, only: tuple[str, ...]) -> None:
    """Run WORKLOAD on a real broker (given, testcontainers or the local stack) and print what was measured."""
    with endpoints() as place:
        if workload == "W2a":
            result = w2a.run(place.bootstrap, place.registry, events or 1_000_000, keys, seed, mode)
        elif workload == "W4":
            result = w4.run(place.bootstrap, place.registry, events or 1_000_000, seed)
        elif workload == "peers":
            result = peers.run(place.bootstrap, place.registry, events or 1_000_000, keys, seed, only)
        else:
            result = w1.run(place.bootstrap, place.registry, events or 200_000)
    result["python"] = platform.python_version()
    result["versions"] = {name: version(name) for name in VERSIONS}
    print(json.dumps(result))
    sys.exit(result["oracle"] != "pass")


if __name__ == "__main__":
    main()
