"""Tokens: asked for once, before they end, and when one is refused; nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.unit.courier.world import World, breathe, key, task


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A shop whose door opens to tokens only; tests start it."""
    made = World()
    made.with_tokens = True
    made.shop.good_tokens = set()
    yield made
    await made.stop()


def operations(world: World) -> list[str]:
    return [request.operation for _, request in world.shop.requests]


async def test_work_waits_for_one_token_that_all_share(world: World) -> None:
    await world.start()
    world.push(*(task(sku, 1) for sku in "ABC"))
    await breathe()
    assert operations(world) == ["acquire_token", "set", "set", "set"]
    assert set(world.shop.held.values()) == {1}


async def test_work_that_comes_while_the_token_is_on_its_way_asks_for_no_other(world: World) -> None:
    world.shop.gate = asyncio.Event()
    await world.start()
    world.push(*(task(sku, 1) for sku in "ABC"))
    await breathe()
    assert operations(world) == ["acquire_token"]
    world.shop.gate.set()
    await breathe()
    assert operations(world) == ["acquire_token", "set", "set", "set"]


async def test_a_token_is_replaced_before_it_ends_though_nothing_is_to_be_done(world: World) -> None:
    await world.start()
    await world.advance(3239)
    assert world.shop.asked_for_tokens == 1
    await world.advance(2)
    assert world.shop.asked_for_tokens == 2
    world.shop.good_tokens = {"token-2"}
    world.push(task("A", 1))
    await breathe()
    assert world.shop.held == {key("A"): 1}


async def test_a_refused_token_is_replaced_at_once_and_the_write_repeated(world: World) -> None:
    await world.start()
    world.push(task("A", 1))
    await breathe()
    world.shop.good_tokens = set()
    world.push(task("A", 2), task("B", 1))
    await breathe()
    assert world.shop.held == {key("A"): 2, key("B"): 1}
    assert world.shop.asked_for_tokens == 2
    assert world.noted.stops == []
    assert [call["outcome"] for call in world.calls()].count("auth") == 1


async def test_a_new_token_that_opens_nothing_stops_the_account(world: World) -> None:
    await world.start()
    await breathe()
    world.shop.hand_out = lambda request: (200, {}, b"worthless")  # type: ignore[method-assign]
    world.shop.good_tokens = set()
    world.push(task("A", 1))
    await breathe()
    assert operations(world) == ["acquire_token", "set"]
    assert world.noted.stops == [("acme|shop", "unauthorised")]
    await world.advance(31)
    assert operations(world) == ["acquire_token", "set", "acquire_token", "set"]


async def test_a_client_that_may_have_no_token_is_not_asked_for_again_and_again(world: World) -> None:
    for _ in range(3):
        world.shop.status(401)
    await world.start()
    world.push(*(task(sku, 1) for sku in "ABC"))
    await world.advance(29)
    assert operations(world) == ["acquire_token"]
    world.shop.script.clear()
    await world.advance(2)
    assert set(world.shop.held.values()) == {1}
    assert operations(world) == ["acquire_token", "acquire_token", "set", "set", "set"]


async def test_a_token_that_cannot_be_renewed_yet_is_used_to_its_end(world: World) -> None:
    await world.start()
    world.shop.script.clear()
    world.shop.away(1)
    await world.advance(3240.5)
    world.push(task("A", 1))
    await breathe()
    assert world.shop.held == {key("A"): 1}
    assert world.noted.stops == []
    await world.advance(60)
    assert world.shop.asked_for_tokens == 2


async def test_no_token_is_ever_written_down(world: World) -> None:
    await world.start()
    world.push(task("A", 1))
    await world.advance(4000)
    kept = [*world.shard.rows.data.values(), *(one.value or b"" for one in world.shard.committed)]
    assert kept
    assert not [row for row in kept if b"token-" in row]
    assert "token-" not in repr(world.courier._lines["acme|shop"].account)  # type: ignore[union-attr]


async def test_a_restart_asks_for_a_token_of_its_own(world: World) -> None:
    await world.start()
    await world.restart()
    world.push(task("A", 1))
    await breathe()
    assert world.shop.asked_for_tokens == 2
    assert world.shop.held == {key("A"): 1}


async def test_polls_wait_for_a_token_too(world: World) -> None:
    world.with_poller = True
    world.vendor.resource_names = ("stock",)
    world.shop.pages["stock"] = [[("1", b"a")]]
    await world.start()
    assert operations(world) == ["acquire_token", "poll.stock"]
