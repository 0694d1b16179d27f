"""`python -m benchmarks.run W2a`: run a workload, print one JSON object as the last line, fail when the oracle does."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import click

from benchmarks import calls, restart, score_check, soak, steady, w1, w2a, w2b, w3, w4, w5, w6, w7
from benchmarks.peers import bench as peers
from benchmarks.peers.catalogue import NAMES
from streams.testing.broker import endpoints

VERSIONS = ("confluent-kafka", "faust-streaming", "aiokafka", "rocksdict", "aiohttp", "fastavro")
M = 1_000_000
WITHOUT_BROKER = frozenset({"W3", "score-check"})


@dataclass(frozen=True, slots=True)
class Asked:
    """The options; `place`: brokers and registry."""

    place: tuple[str, str]
    events: int | None
    keys: int
    seed: int
    seconds: int | None
    mode: str
    only: tuple[str, ...]


WORKLOADS: Mapping[str, Callable[[Asked], dict[str, Any]]] = {
    "W1": lambda a: w1.run(*a.place, a.events or 200_000),
    "W2a": lambda a: w2a.run(*a.place, a.events or M, a.keys, a.seed, a.mode),
    "W2b": lambda a: w2b.run(*a.place, a.events or 300_000, a.keys, a.seed),
    "W3": lambda a: w3.run(a.seconds or w3.SECONDS),
    "W4": lambda a: w4.run(*a.place, a.events or M, a.seed),
    "W5": lambda a: w5.run(*a.place, a.events or 400, a.seed),
    "W6": lambda a: w6.run(*a.place, a.events or 100_000, a.seed),
    "W7": lambda a: w7.run(*a.place, a.seconds or 60),
    "calls": lambda a: calls.run(*a.place, a.events or 24_000),
    "score-check": lambda a: score_check.run(a.seconds or score_check.SECONDS, a.seed),
    "restart": lambda a: restart.run(*a.place, a.events or M),
    "steady": lambda a: steady.run(*a.place, a.events or 100_000, a.seconds or 60, a.seed, a.mode),
    "memory": lambda a: soak.memory(*a.place, a.events or M, a.seed),
    "soak": lambda a: soak.soak(*a.place, a.events or M, a.seconds or 1_800, a.seed),
    "peers": lambda a: peers.run(*a.place, a.events or M, a.keys, a.seed, a.only),
}


@click.command()
@click.argument("workload", type=click.Choice(list(WORKLOADS)))
@click.option("--events", default=None, type=int, help="Events (W2a, W2b, peers), requests (W1) or entities (others).")
@click.option("--keys", default=100_000, show_default=True, help="Entities, W2a, W2b and peers.")
@click.option("--seed", default=1, show_default=True, help="Same seed, same events.")
@click.option(
    "--seconds", default=None, type=int, help="How long: steady, soak, a cell of W3 or score-check, a mood of W7."
)
@click.option("--mode", default="none", type=click.Choice(["none", "arrival", "time"]), help="Ordering of events, W2a "
              "and steady.")  # fmt: skip
@click.option("--only", multiple=True, type=click.Choice(NAMES), help="One peer, repeatable; without it all.")
def main(workload: str, only: tuple[str, ...], **options: Any) -> None:
    """Run WORKLOAD, on a real broker (given, testcontainers or the local stack) where it needs one, and print what was
    measured."""
    with nullcontext() if workload in WITHOUT_BROKER else endpoints() as place:
        where = (place.bootstrap, place.registry) if place else ("", "")
        result = WORKLOADS[workload](Asked(where, only=only, **options))
    result["python"] = platform.python_version()
    result["versions"] = {name: version(name) for name in VERSIONS}
    print(json.dumps(result))
    sys.exit(result["oracle"] != "pass")


if __name__ == "__main__":
    main()
