"""A command that may go to another account goes to one of both, whatever fails, is killed or comes again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.route import Route, route
from streams.courier import rerouting
from streams.courier.rerouting import Rerouting
from tests.unit.courier.warehouses import FAR, NEAR, Yard

Step = tuple[str, str]
ORDERS = "abc"
LONG_ENOUGH = 400  # seconds: breakers, backoff and quarantine are over by then

steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(("order", "order", "again", "cancel")), st.sampled_from(ORDERS)),
        st.tuples(st.sampled_from(("away", "back", "deaf", "hears")), st.sampled_from((NEAR, NEAR, FAR))),
        st.tuples(st.just("live"), st.sampled_from(("1", "5", "40"))),
        st.tuples(st.sampled_from(("kill", "tick", "pump")), st.just("")),
    ),
    min_size=4,
    max_size=16,
)
# It has to get as far as a breaker that is open, and a hand-over that is followed by what it can be mixed up with.
openings: list[list[Step]] = [[], [("away", NEAR), ("order", "a"), ("live", "40")], [("deaf", NEAR), ("order", "a")]]


class Run:
    """A yard in which things happen; after each of them no command has an intent at two accounts."""

    def __init__(self, *, looks_first: bool) -> None:
        self.yard = Yard(looks_first=looks_first)
        self.asked: set[str] = set()

    async def do(self, step: Step) -> None:
        what, name = step
        yard = self.yard
        if what in ("order", "again"):
            self.ask(name, "orders", 1)
        elif what == "cancel":
            self.ask(name, "cancel", 2)
        elif what in ("away", "deaf"):
            (yard.shop.away_now if what == "away" else yard.shop.deaf).add(name)
        elif what in ("back", "hears"):
            (yard.shop.away_now if what == "back" else yard.shop.deaf).discard(name)
        elif what == "live":
            await yard.live(float(name), step=1.0)
        elif what == "kill":
            await yard.restart()
        elif what == "tick":
            assert yard.courier is not None
            yard.courier.tick(yard.shard)  # not committed: a kill behind it loses it
        else:
            yard.pump()
        assert all(len(accounts) == 1 for accounts in yard.intents().values()), yard.intents()

    def ask(self, name: str, flow: str, version: int) -> None:
        if flow == "cancel" and f"orders|{name}|{NEAR}" not in self.asked:
            return
        self.asked.add(f"{flow}|{name}|{NEAR}")
        self.yard.order(name, flow, version)

    async def all(self, happened: list[Step]) -> None:
        await self.yard.start()
        try:
            for step in happened:
                await self.do(step)
            for step in (("back", NEAR), ("back", FAR), ("hears", NEAR), ("hears", FAR), ("live", str(LONG_ENOUGH))):
                await self.do(step)
        finally:
            await self.yard.stop()

    def check(self) -> None:
        """Each operation was carried out once, and all of one order at one account."""
        done = self.yard.shop.done
        assert sorted(done[NEAR] + done[FAR]) == sorted(self.asked)
        places = {name: {at for at in (NEAR, FAR) if any(f"|{name}|" in op for op in done[at])} for name in ORDERS}
        assert all(len(at) <= 1 for at in places.values()), places


def happen(happened: list[Step], *, looks_first: bool) -> None:
    run = Run(looks_first=looks_first)
    asyncio.run(run.all(happened))
    run.check()


@settings(max_examples=150)
@given(st.sampled_from(openings), steps, st.booleans())
def test_every_order_is_at_exactly_one_warehouse_whatever_happens(
    opening: list[Step], happened: list[Step], looks_first: bool
) -> None:
    happen([*opening, *happened], looks_first=looks_first)


def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """The route of an entity is not kept where its intent is written."""
    monkeypatch.setattr(Rerouting, "stays", lambda *_: None)


def rash(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent already goes elsewhere as well."""

    def without_looking(frozen: Route | None, own: Route, fallback: Route | None, *, tried: bool, away: bool) -> Route:
        return fallback if fallback is not None and away else own

    monkeypatch.setattr(rerouting, "route", without_looking)


REFUSED: list[Step] = [("deaf", FAR), ("away", NEAR), ("order", "a"), ("live", "40")]
DONE: list[Step] = [("order", "a"), ("live", "5"), ("away", NEAR), ("order", "b"), ("live", "40"), ("cancel", "a")]


@pytest.mark.parametrize(
    ("defect", "happened", "looks_first"), [(rash, REFUSED, False), (rash, DONE, True), (forgetful, DONE, True)]
)
def test_the_law_finds_a_courier_that_decides_twice(
    monkeypatch: pytest.MonkeyPatch,
    defect: Callable[[pytest.MonkeyPatch], None],
    happened: list[Step],
    looks_first: bool,
) -> None:
    happen(happened, looks_first=looks_first)
    defect(monkeypatch)
    with pytest.raises(AssertionError):
        happen([*happened, ("live", "40")], looks_first=looks_first)


@given(
    st.sampled_from([None, Route("a", "x"), Route("b", "y")]),
    st.sampled_from([None, Route("b", "y")]),
    st.booleans(),
    st.booleans(),
)
def test_what_was_decided_holds_and_nothing_that_was_tried_is_decided_anew(
    frozen: Route | None, fallback: Route | None, tried: bool, away: bool
) -> None:
    own = Route("a", "x")
    chosen = route(frozen, own, fallback, tried=tried, away=away)
    assert chosen == frozen or frozen is None
    assert chosen in (own, fallback, frozen)
    if frozen is None and (tried or not away):
        assert chosen == own


def test_a_command_leaves_only_where_all_four_say_so() -> None:
    own, other = Route("a", "x"), Route("b", "y")
    leaves = [
        (fallback, tried, away)
        for fallback, tried, away in product((None, other), (True, False), (True, False))
        if route(None, own, fallback, tried=tried, away=away) != own
    ]
    assert leaves == [(other, False, True)]
