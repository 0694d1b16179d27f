"""Orders of a warehouse that is away go to another one: those that were never sent, once, and for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from schemas import topics
from streams.core.breaker import CAP
from streams.core.ledger import Book, balance, in_transit, read, total
from tests.unit.courier.warehouses import FAR, NEAR, Yard
from tests.unit.courier.world import CODEC, PLATFORM


@pytest.fixture
async def yard() -> AsyncIterator[Yard]:
    yard = Yard()
    await yard.start()
    yield yard
    await yard.stop()


def op(name: str, flow: str = "orders") -> str:
    return f"{flow}|{name}|{NEAR}"


async def down(yard: Yard) -> None:
    """The near warehouse is away, and its breaker has opened over an order that was tried."""
    yard.shop.away_now.add(NEAR)
    yard.order("first")
    await yard.live(30)


async def test_an_order_goes_to_its_own_warehouse_while_that_answers(yard: Yard) -> None:
    yard.order("A")
    await yard.live(3)
    assert dict(yard.shop.done) == {NEAR: [op("A")]}
    assert not yard.shard.outputs(topics.push(PLATFORM))


async def test_an_order_that_was_never_sent_goes_to_the_other_one_when_its_own_is_away(yard: Yard) -> None:
    await down(yard)
    assert yard.shop.done[FAR] == [op("first")]
    yard.order("A")
    await yard.live(10)
    assert yard.shop.done[FAR] == [op("first"), op("A")]
    assert not yard.shop.done[NEAR]
    assert yard.row(f"\x01{op('A')}", f"acme|{NEAR}") is None


async def test_it_stays_there_when_its_own_is_back_and_new_ones_go_to_their_own(yard: Yard) -> None:
    await down(yard)
    yard.shop.away_now.clear()
    await yard.live(10)
    yard.order("first")
    yard.order("B")
    await yard.live(10)
    assert yard.shop.done[FAR] == [op("first")]
    assert yard.shop.done[NEAR] == [op("B")]


async def test_an_order_whose_intent_is_open_stays_however_long_its_own_is_away(yard: Yard) -> None:
    yard.shop.deaf.add(NEAR)
    yard.order("A")
    await yard.live(2)
    yard.shop.away_now.add(NEAR)
    yard.order("B")
    await yard.live(300)
    assert (yard.shop.done[NEAR], yard.shop.done[FAR]) == ([op("A")], [op("B")])
    yard.shop.away_now.clear()
    await yard.live(120)
    assert (yard.shop.done[NEAR], yard.shop.done[FAR]) == ([op("A")], [op("B")])


async def test_an_order_that_was_sent_and_refused_for_now_stays_too() -> None:
    yard = Yard(looks_first=False)
    await yard.start()
    yard.shop.away_now.add(NEAR)
    yard.order("A")
    await yard.live(60)
    assert not yard.shop.done[FAR]
    yard.shop.away_now.clear()
    await yard.live(60)
    assert yard.shop.done[NEAR] == [op("A")]
    await yard.stop()


async def test_what_follows_an_order_goes_where_the_order_went(yard: Yard) -> None:
    await down(yard)
    yard.shop.away_now.clear()
    await yard.live(10)
    yard.order("first", "cancel", version=2)
    await yard.live(10)
    assert yard.shop.done[FAR] == [op("first"), op("first", "cancel")]
    assert not yard.shop.done[NEAR]


async def test_what_follows_an_order_at_its_own_warehouse_waits_for_that_in_spite_of_a_fallback(yard: Yard) -> None:
    yard.order("A")
    await yard.live(3)
    await down(yard)
    yard.order("A", "cancel", version=2)
    await yard.live(60)
    assert op("A", "cancel") not in yard.shop.done[FAR]
    yard.shop.away_now.clear()
    await yard.live(60)
    assert yard.shop.done[NEAR] == [op("A"), op("A", "cancel")]


async def test_what_follows_an_order_does_not_overtake_the_one_that_probes(yard: Yard) -> None:
    await down(yard)
    yard.shop.away_now.clear()
    await yard.advance(CAP)
    yard.shop.slow = asyncio.Event()
    yard.order("A")
    await yard.live(1)
    yard.order("A", "cancel", version=2)
    yard.order("B")
    await yard.live(1)
    yard.shop.slow.set()
    await yard.live(10)
    assert yard.shop.done[NEAR] == [op("A"), op("A", "cancel")]
    assert yard.shop.done[FAR] == [op("first"), op("B")]


async def test_a_flow_without_a_fallback_waits(yard: Yard) -> None:
    await down(yard)
    yard.order("A", "other")
    await yard.live(60)
    assert yard.shop.done[FAR] == [op("first")]


async def test_what_has_expired_is_not_handed_over(yard: Yard) -> None:
    await down(yard)
    yard.order("late", expires_at=yard.clock.now())
    await yard.live(5)
    assert yard.shop.done[FAR] == [op("first")]


async def test_the_other_account_is_asked_as_the_resolver_would_have_and_told_by_whom(yard: Yard) -> None:
    await down(yard)
    (handed_over,) = yard.shard.outputs(topics.push(PLATFORM))
    task = CODEC.decode(handed_over.value or b"")
    assert (task["account"], task["platform"], task["rerouted_from"]) == (FAR, PLATFORM, NEAR)
    assert (task["operation_id"], task["flow"]) == (op("first"), "orders")


async def test_the_books_of_both_accounts_balance(yard: Yard) -> None:
    await down(yard)
    yard.order("A")
    await yard.live(5)
    books = total(read(yard.shard.rows))
    near, far = (books[Book.TASKS, f"acme|{name}"] for name in (NEAR, FAR))
    assert (near["received"], near["rerouted"], balance(Book.TASKS, near)) == (2, 2, 0)
    assert (far["routed"], far["received"], far["applied"], balance(Book.TASKS, far)) == (2, 2, 2, 0)
    assert in_transit(far) == 0


async def test_orders_that_wait_at_a_restart_are_handed_over_afterwards(yard: Yard) -> None:
    yard.shop.away_now.add(NEAR)
    yard.order("A")
    yard.order("B")
    await yard.restart()
    await yard.live(60)
    assert sorted(yard.shop.done[FAR]) == [op("A"), op("B")]
    assert not yard.shop.done[NEAR]
