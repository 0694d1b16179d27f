"""What is asked of the courier, and when: streams of changes, decided before the run, each by itself. Pure."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from schemas.entities import Lane


class Kind(StrEnum):
    """What a change asks for."""

    SET = "set"
    COMMAND = "command"
    FETCH = "fetch"


@dataclass(frozen=True, slots=True)
class Burst:
    """From `start` to `end` changes come `factor` times as often."""

    start: float
    end: float
    factor: float


@dataclass(frozen=True, slots=True)
class Stream:
    """Changes of one flow. `backlog`: changes of different entities that wait at the start; `rate`: further changes
    per second, at random times; `entities`: over how many they are spread evenly, 0 for a new one each;
    `shape`: the kind of request each needs; `accounts`: spread over so many accounts, from `first_account` on."""

    flow: str
    lane: Lane = Lane.NORMAL
    rate: float = 0.0
    backlog: int = 0
    entities: int = 0
    shape: str = "write"
    kind: Kind = Kind.SET
    burst: Burst | None = None
    accounts: int = 1
    first_account: int = 0


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One change. `at`: seconds from the start; `version` rises with every change of the entity."""

    at: float
    flow: str
    account: int
    entity: str
    version: int


def changes(streams: Sequence[Stream], seconds: float, seed: int) -> list[Change]:
    """All changes of a run, in order of time. A stream's own do not depend on what other streams there are."""
    return sorted(
        change for stream in streams for change in _of(stream, seconds, random.Random(f"{seed}/{stream.flow}"))
    )


def _of(stream: Stream, seconds: float, rng: random.Random) -> Iterator[Change]:
    times = [0.0] * stream.backlog + list(_times(stream, seconds, rng))
    for index, at in enumerate(times):
        number = index if index < stream.backlog or not stream.entities else rng.randrange(stream.entities)
        account = stream.first_account + number % stream.accounts
        yield Change(at, stream.flow, account, f"{stream.flow}.{number}", index + 1)


def _times(stream: Stream, seconds: float, rng: random.Random) -> Iterator[float]:
    """A Poisson process, thinned from its highest rate."""
    highest = stream.rate * (stream.burst.factor if stream.burst else 1.0)
    at = 0.0
    while highest > 0.0:
        at += rng.expovariate(highest)
        if at >= seconds:
            return
        if rng.random() * highest < _rate(stream, at):
            yield at


def _rate(stream: Stream, at: float) -> float:
    burst = stream.burst
    return stream.rate * burst.factor if burst is not None and burst.start <= at < burst.end else stream.rate
