"""The checkers are checked: bugs that such systems have are planted one at a time, and each of them is caught.

The machine that finds nothing in the resolver as it is must find each of these, with the same seeds and within the
same number of examples, and by the promise that the bug breaks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from schemas.entities import Op
from streams.core import resolve as resolving
from streams.core.entity import Entity
from streams.core.reorder import Release, Reorder
from streams.resolver import deciding, processor, refolding, releasing
from streams.resolver.processor import Resolver
from streams.resolver.releasing import Releasing
from streams.shard.api import Shard
from streams.testing import topology
from tests.property.resolver_machine import OneValuePerAccount, PutTogether, ResolverMachine

SEED, MOST = 1, 200  # examples; a caught bug ends the run much earlier
LATER = 2_000_000_000_000_000  # microseconds UTC, after everything that is said
Plant = Callable[[pytest.MonkeyPatch], None]


class ForgetsTheLimit(Resolver):
    """Commits past a gap: what is held is not read again after a crash."""

    def process(self, *arguments: Any) -> int | None:
        super().process(*arguments)
        return None

    def tick(self, shard: Shard) -> dict[str, int | None]:
        super().tick(shard)
        return {}


class SeenOnArrival(Releasing):
    """An id counts as seen when its event arrives, not when it is released."""

    def order(self, shard: Shard, *arguments: Any, **options: Any) -> bool:
        late = super().order(shard, *arguments, **options)
        shard.saw(arguments[2][:16])
        return late


class ForgetsDeletes(Resolver):
    """What deleted an entity is gone after a restart, as after a compaction without graves."""

    def open(self, shard: Shard) -> None:
        super().open(shard)
        for key, row in list(shard.rows.scan(b"E")):
            entity = Entity.unpack(row)
            left = tuple(one for one in entity.contributions if one.op is not Op.DELETE)
            shard.rows.put(key, entity._replace(contributions=left).pack())
            if not left:
                shard.rows.delete(key)


class ForgetsWhatIsApplied(Resolver):
    """Row `P` is not read: after a crash held events are applied once more."""

    def open(self, shard: Shard) -> None:
        super().open(shard)
        self._applied.clear()
        self._behind.clear()


class InOrderOfArrival(Reorder):
    """Holds events, and lets them go as they came."""

    def drain(self, now: float) -> list[Release]:
        return sorted(super().drain(now), key=lambda one: one[0].ticket)


def instead(broken: type[Resolver]) -> Plant:
    return lambda patch: patch.setattr(topology, "Resolver", broken)


def last_arrival_wins(patch: pytest.MonkeyPatch) -> None:
    """LWW by arrival instead of by corrected time."""
    arrivals = itertools.count(LATER)

    def resolve(entity: Entity, seen: Any, *rules: Any) -> Any:
        return resolving.resolve(entity, seen._replace(corrected=next(arrivals)), *rules)

    patch.setattr(deciding, "resolve", resolve)


def seen_on_arrival(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(processor, "Releasing", SeenOnArrival)


def released_as_they_came(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(releasing, "Reorder", InOrderOfArrival)


def nothing_is_folded_anew(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(refolding.Refolding, "step", lambda *_: True)


@dataclass(frozen=True)
class Bug:
    """How it is planted, and what the machine says then."""

    plant: Plant
    complaint: str


MISSING = "accepted events are missing from `events`"
WRONG = "state (is not what the policy makes of everything said|goes back to an older version)|the ledger counts"
BUGS = {
    "commits past a gap": Bug(instead(ForgetsTheLimit), MISSING),
    "an id is seen on arrival": Bug(seen_on_arrival, MISSING),
    "the last arrival wins": Bug(last_arrival_wins, WRONG),
    "a delete is forgotten": Bug(instead(ForgetsDeletes), WRONG),
    "the applied offset is not kept": Bug(instead(ForgetsWhatIsApplied), "the ledger counts"),
    "another policy leaves what is there": Bug(nothing_is_folded_anew, WRONG),
    "held events leave as they came": Bug(released_as_they_came, "an event follows a newer one of its source"),
}


def run(machine: type[ResolverMachine]) -> None:
    """With the seed of this file, without shrinking: found is found."""
    calm = settings(
        max_examples=MOST,
        stateful_step_count=40,
        derandomize=False,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(SEED)(type(machine.__name__, (machine,), {})), settings=calm)


@pytest.mark.parametrize("bug", BUGS.values(), ids=BUGS)
def test_a_bug_that_is_planted_is_caught_by_the_promise_it_breaks(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    with pytest.raises(AssertionError, match=bug.complaint):
        run(OneValuePerAccount)


@pytest.mark.parametrize("machine", [OneValuePerAccount, PutTogether])
def test_nothing_is_caught_where_nothing_is_planted(machine: type[ResolverMachine]) -> None:
    run(machine)
