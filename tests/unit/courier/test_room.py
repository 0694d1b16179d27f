"""Room in the bucket for urgent work, and charges that are learnt."""

from __future__ import annotations

import orjson
import pytest

from tests.unit.courier.world import World, key, task


def sent(world: World) -> list[str]:
    return [orjson.loads(request.body)["key"] for _, request in world.shop.requests]


@pytest.mark.parametrize(("lane", "at_once"), [("high", True), ("normal", False)])
async def test_urgent_work_finds_room_that_other_work_has_left(lane: str, at_once: bool) -> None:
    world = await World(rate=8.0, max_in_flight=16).start()
    world.push(task("first", 1, lane="high"), *(task(f"n{number}", 1) for number in range(20)))
    await world.advance(0.01)
    before = len(sent(world))
    world.push(task("now", 1, lane=lane))
    await world.advance(0.01)
    assert (sent(world)[before:] == [key("now")]) is at_once
    await world.stop()


async def test_where_nothing_is_urgent_nothing_is_left() -> None:
    world, lonely = await World(rate=8.0, max_in_flight=16).start(), await World(rate=8.0, max_in_flight=16).start()
    world.push(task("first", 1, lane="high"), *(task(f"n{number}", 1) for number in range(20)))
    lonely.push(task("first", 1), *(task(f"n{number}", 1) for number in range(20)))
    await world.advance(0.01)
    await lonely.advance(0.01)
    assert len(sent(lonely)) - len(sent(world)) == 2
    await world.stop()
    await lonely.stop()
