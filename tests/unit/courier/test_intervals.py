"""Polls come less often while they find nothing, more often while they do, and never in the way of a push."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from schemas import topics
from streams.core import courier_rows as rows
from tests.unit.courier.world import PLATFORM, START, World, breathe, fetch, key, task


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A dated resource that is polled every 60 to 480 seconds; tests start it."""
    made = World()
    made.with_poller = True
    made.vendor.scan, made.vendor.longest = False, 480.0
    made.vendor.resource_names = ("orders",)
    made.shop.pages["orders"] = [[]]
    yield made
    await made.stop()


def passes(world: World) -> list[float]:
    """Seconds since the start."""
    return [at - START / 1e6 for at, request in world.shop.requests if request.operation == "poll.orders"]


async def test_a_quiet_resource_is_read_less_and_less_often(world: World) -> None:
    await world.start()
    await world.advance(1700)
    found = passes(world)
    waits = [round(later - earlier) for earlier, later in pairwise(found)]
    assert waits == [90, 135, 202, 304, 456, 480]


async def test_a_quiet_resource_in_which_much_changes_is_soon_read_often(world: World) -> None:
    await world.start()
    await world.advance(1700)
    world.shop.pages["orders"] = [[(str(number), b"new") for number in range(40)]]
    await world.advance(481)
    before = len(passes(world))
    await world.advance(61)
    assert len(passes(world)) == before + 1


async def test_the_interval_outlives_a_restart(world: World) -> None:
    await world.start()
    await world.advance(1300)
    before = len(passes(world))
    await world.restart()
    await world.advance(200)
    assert len(passes(world)) == before


async def test_hints_keep_the_interval_short_though_the_poll_itself_finds_nothing(world: World) -> None:
    await world.start()
    for number in range(100):
        requests = [fetch("item", f"{number}-{nth}", requested_at=START + number) for nth in range(20)]
        world.push(*requests, topic=topics.fetch(PLATFORM))
        await world.advance(10)
    assert len(passes(world)) >= 1000 // 90


async def test_an_interval_without_a_longest_is_fixed(world: World) -> None:
    world.vendor.longest = 0.0
    await world.start()
    await world.advance(601)
    assert len(passes(world)) == 11


async def test_a_stored_interval_gives_way_to_new_settings(world: World) -> None:
    await world.start()
    await world.advance(1300)
    cursor = rows.unpack_cursor(world.shard.rows.data[rows.key(rows.CURSOR, "acme|shop", "orders")])
    assert cursor.interval > 240
    world.vendor.longest = 90.0
    before = len(passes(world))
    await world.restart()
    await world.advance(95)
    assert len(passes(world)) >= before + 1


async def test_a_push_goes_before_polls_that_wait_for_the_same_bucket() -> None:
    world = World(rate=1.0, max_in_flight=1)
    world.with_poller, world.vendor.interval = True, 1.0
    world.vendor.resource_names = ("a", "b", "c")
    world.shop.pages |= {name: [[]] for name in world.vendor.resource_names}
    await world.start()
    await world.advance(5)
    world.push(task("A", 1, lane="high"))
    await world.advance(1.5)
    assert world.shop.held == {key("A"): 1}
    await breathe()
    await world.stop()


async def test_polls_give_way_where_the_quota_is_used_up() -> None:
    world = World(rate=1.0, max_in_flight=1)
    world.with_poller, world.vendor.scan, world.vendor.longest = True, False, 480.0
    world.vendor.resource_names = ("orders",)
    world.shop.pages["orders"] = [[]]
    await world.start()
    await world.advance(479)
    assert passes(world) == [0.0]
    await world.advance(2)
    assert len(passes(world)) == 2
    await world.stop()
