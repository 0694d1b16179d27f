"""What we wrote and hear back: shops that store it as it is, rounded, trimmed, or something else every time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit import golden
from schemas.entities import Channel, EntityType
from streams.core.entity import MOST_TRIES
from streams.core.policy import Flow, Policy, PolicyKind, Rules
from streams.resolver.routes import Member
from streams.testing.topology import TopologyTestDriver

KIND, ID, KEY = EntityType.PRICE, "SKU-7~default~EUR", "acme|price|SKU-7~default~EUR"
SHOPS = ("shop", "presta")
MEMBERS = [Member("acme", "shop", "shopify"), Member("acme", "presta", "prestashop")]
Store = Callable[[Decimal], Decimal]


def exactly(amount: Decimal) -> Decimal:
    return amount


def to_cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))


def cut_to_tenths(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.1"), rounding=ROUND_DOWN)


@dataclass
class World:
    """Two shops that apply what they are asked for, each storing it in its own way, and tell of it."""

    policy: Policy
    stores: dict[str, Store]
    answers: bool = True  # a write's reply says what was stored, before the webhook comes
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SHOPS, 0))
    held: dict[str, Decimal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        flow = Flow("prices", KIND, SHOPS, ("amount",))
        self.run = TopologyTestDriver.of(Rules(policies={KIND: self.policy}, flows=(flow,)), MEMBERS)

    def edit(self, shop: str, amount: str) -> None:
        self.run.advance(10)
        self.held[shop] = self.stores[shop](Decimal(amount))
        self.say(shop)

    def say(self, shop: str, *, answer: bool = False) -> None:
        money = {"amount": self.held[shop], "currency": "EUR", "tax": "INCLUDED"}
        self.run.say(
            shop, KIND, ID, {"amount": money}, answer=answer,
            channel=Channel.FETCH if answer else Channel.WEBHOOK,
            comparable=golden.comparable_price(self.held[shop], "EUR", "INCLUDED"),
        )  # fmt: skip
        self.run.commit()

    def settle(self, rounds: int = 12) -> int:
        """Apply what is asked for until nothing is. Returns how many writes that took; at most `rounds`."""
        for number in range(rounds):
            asked = [(shop, self.run.pushes(shop)) for shop in SHOPS]
            due = next(((shop, tasks) for shop, tasks in asked if len(tasks) > self.done[shop]), None)
            if due is None:
                return number
            self._apply(*due)
        return rounds

    def _apply(self, shop: str, tasks: list[dict[str, Any]]) -> None:
        self.done[shop] = len(tasks)
        self.run.advance(1)
        self.held[shop] = self.stores[shop](tasks[-1]["record"]["amount"]["amount"])
        if self.answers:
            self.say(shop, answer=True)
            self.run.advance(1)
        self.say(shop)

    @property
    def golden(self) -> Decimal:
        return Decimal(self.run.state(KIND)[KEY]["amount"]["amount"])


LWW, OWNER = Policy(PolicyKind.LWW), Policy(PolicyKind.OWNER, ("shop",))
policies = pytest.mark.parametrize("policy", [LWW, OWNER], ids=["lww", "owner"])
amounts = st.decimals(min_value="0.01", max_value="999", places=4).map(str)


@policies
@settings(max_examples=30)
@given(first=amounts, second=amounts, answers=st.booleans())
def test_two_shops_that_normalise_do_not_play_ping_pong(policy: Policy, first: str, second: str, answers: bool) -> None:
    world = World(policy, {"shop": to_cents, "presta": cut_to_tenths}, answers)
    world.edit("presta", second)
    world.edit("shop", first)
    assert world.settle() <= (1 if answers else MOST_TRIES)
    assert world.settle() == 0


@settings(max_examples=30)
@given(first=amounts, second=amounts)
def test_an_edit_survives_a_shop_that_stores_it_rounded(first: str, second: str) -> None:
    world = World(LWW, {"shop": exactly, "presta": cut_to_tenths})
    world.edit("presta", first)
    world.edit("shop", second)
    world.settle()
    assert (world.golden, world.held["shop"]) == (Decimal(second), Decimal(second))
    assert world.held["presta"] == cut_to_tenths(Decimal(second))


@policies
def test_an_edit_after_our_own_write_is_an_edit(policy: Policy) -> None:
    world = World(policy, {"shop": to_cents, "presta": cut_to_tenths})
    world.edit("presta", "5")
    world.edit("shop", "7.77")
    world.settle()
    world.edit("shop", "8.88")
    world.settle()
    assert (world.golden, world.held["presta"]) == (Decimal("8.88"), Decimal("8.8"))
    if policy is LWW:
        world.edit("presta", "9.5")
        world.settle()
        assert (world.golden, world.held["shop"]) == (Decimal("9.5"), Decimal("9.5"))


def test_a_shop_on_which_nothing_sticks_is_asked_three_times_and_named() -> None:
    counter = iter(range(100))
    world = World(OWNER, {"shop": exactly, "presta": lambda _: Decimal(next(counter))}, answers=False)
    world.edit("presta", "5")
    world.edit("shop", "7.77")
    assert world.settle() == MOST_TRIES
    assert world.run.decisions()[-1]["stuck"] == ["presta"]
    world.edit("shop", "8.88")
    assert world.settle() == MOST_TRIES, "a new winner is worth asking for again"


@pytest.mark.parametrize("author", SHOPS)
@pytest.mark.parametrize("answers", [True, False])
def test_two_edits_of_one_second_with_an_echo_between_them_end_with_the_second(author: str, answers: bool) -> None:
    """What the other shop was told and says back is as old as the first edit, and must not tie with the second."""
    world = World(Policy(PolicyKind.LWW), dict.fromkeys(SHOPS, exactly), answers)
    for shop in SHOPS:
        world.edit(shop, "5.00")
    world.settle()
    second = world.run.clock.now() + 60_000_000
    for sequence, amount in enumerate(("93.25", "18.06"), start=1):
        world.held[author] = Decimal(amount)
        money = {"amount": Decimal(amount), "currency": "EUR", "tax": "INCLUDED"}
        world.run.say(
            author, KIND, ID, {"amount": money}, source_time=second, sequence=sequence,
            comparable=golden.comparable_price(Decimal(amount), "EUR", "INCLUDED"),
        )  # fmt: skip
        world.run.commit()
        world.run.advance(70)
        world.settle()
    assert set(world.held.values()) == {Decimal("18.06")}
    assert Decimal(world.run.state(KIND)[KEY]["amount"]["amount"]) == Decimal("18.06")
