"""A time in which pushes may have been lost is read at once, once, and through every crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest

from schemas import topics
from streams.core import courier_rows as rows
from tests.unit.courier.world import PLATFORM, START, World, breathe, fetch


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Two dated resources that are polled every hour; tests start it."""
    made = World()
    made.with_poller = True
    made.vendor.scan, made.vendor.interval = False, 3600.0
    made.vendor.resource_names = ("orders", "stock")
    made.shop.pages |= {"orders": [[("1", b"order")]], "stock": [[("2", b"stock")]]}
    yield made
    await made.stop()


def polled(world: World) -> list[str]:
    return [request.path for _, request in world.shop.requests]


def holes(world: World) -> list[bytes]:
    return [key for key, _ in world.shard.rows.scan(rows.HOLE)]


def reread(world: World, resource: str, reason: str = "asked", at: float | None = None) -> bytes:
    """A request to read everything that changed; `at`: seconds since the start, default now."""
    asked_at = world.clock.now() if at is None else START + round(at * 1e6)
    return fetch(resource, "*", reason=reason, requested_at=asked_at)


def ask(world: World, *requests: bytes) -> None:
    world.push(*requests, topic=topics.fetch(PLATFORM))


async def test_one_resource_or_all_of_them_are_read_when_somebody_asks(world: World) -> None:
    await world.start()
    await world.advance(10)
    ask(world, reread(world, "stock"))
    await breathe()
    assert polled(world) == ["orders", "stock", "stock"]
    await world.advance(10)
    ask(world, reread(world, "*"))
    await breathe()
    assert polled(world)[3:] == ["orders", "stock"]
    assert {one["channel"] for one in world.raw()[2:]} == {"backfill"}
    assert holes(world) == []


async def test_a_hole_costs_one_pass_and_leaves_the_others_where_they_were(world: World) -> None:
    await world.start()
    await world.advance(10)
    ask(world, *(reread(world, "stock") for _ in range(5)))
    await world.advance(3598)
    assert polled(world) == ["orders", "stock", "stock", "orders"]


async def test_a_hole_that_a_pass_has_read_already_is_none(world: World) -> None:
    await world.start()
    await world.advance(10)
    ask(world, reread(world, "stock", at=-5))
    await breathe()
    assert polled(world) == ["orders", "stock"]
    assert world.noted.holes == []


async def test_a_hole_is_not_closed_by_the_pass_that_was_under_way_when_it_opened(world: World) -> None:
    world.vendor.resource_names = ("stock",)
    world.shop.pages["stock"] = [[("2", b"a")], [("3", b"b")]]
    world.shop.gate = asyncio.Event()
    await world.start()
    assert polled(world) == ["stock"]
    for _ in range(3):
        await world.advance(1)
        ask(world, reread(world, "stock"))
    await breathe()
    assert polled(world) == ["stock"]
    world.shop.gate.set()
    await world.advance(10)
    assert polled(world) == ["stock"] * 4
    assert {one["channel"] for one in world.raw()} == {"backfill"}
    assert holes(world) == []


async def test_a_hole_outlives_a_crash_before_its_pass(world: World) -> None:
    await world.start()
    await world.advance(10)
    world.shop.away(1)
    ask(world, reread(world, "stock"))
    await breathe()
    world.shop.script.clear()
    await world.restart()
    assert polled(world) == ["orders", "stock", "stock", "stock"]
    assert holes(world) == []


async def test_a_request_dated_in_the_future_is_taken_as_of_now(world: World) -> None:
    await world.start()
    await world.advance(10)
    ask(world, reread(world, "stock", at=100_000))
    await world.advance(60)
    assert polled(world) == ["orders", "stock", "stock"]


async def test_many_silences_in_a_row_are_one(world: World) -> None:
    await world.start()
    for _ in range(20):
        await world.advance(60)
        ask(world, reread(world, "*", reason="silence"))
        await breathe()
    assert polled(world) == ["orders", "stock"] * 3


async def test_a_scan_is_not_meant_by_everything_but_by_its_name(world: World) -> None:
    world.vendor.scan = True
    await world.start()
    await world.advance(10)
    ask(world, reread(world, "stock"))
    await breathe()
    assert polled(world) == ["orders", "stock", "stock"]
    ask(world, reread(world, "*"))
    await breathe()
    assert len(polled(world)) == 3


async def test_a_resource_that_is_not_polled_is_named_in_a_dead_letter(world: World) -> None:
    await world.start()
    ask(world, reread(world, "hats"))
    (letter,) = world.dead_letters()
    assert letter["reason"] == "unknown_resource"
    assert "'hats'" in letter["detail"]


@pytest.mark.parametrize("seed", range(25))
async def test_behind_every_hole_all_that_changed_before_it_has_been_told(seed: int) -> None:
    """Records change, processes die, pages fail; whoever says that pushes were lost is told everything from then on."""
    dice, world = Random(seed), World()
    world.with_poller, world.vendor.interval, world.vendor.resource_names = True, 1e6, ("stock",)
    held = {f"id{number}": b"0" for number in range(6)}

    def show() -> None:
        records = sorted(held.items())
        world.shop.pages["stock"] = [records[:3], records[3:]]

    show()
    await world.start()
    for step in range(30):
        match dice.choice(["change", "change", "remove", "die", "fail", "ask"]):
            case "change":
                held[f"id{dice.randrange(6)}"] = b"%d" % step
            case "remove":
                held.pop(f"id{dice.randrange(6)}", None)
            case "die":
                await world.restart()
            case "fail":
                world.shop.away(1)
            case "ask":
                await world.advance(1)
                ask(world, reread(world, "stock"))
        show()
        await world.advance(dice.choice([0.0, 0.4, 3.0]))
    world.shop.script.clear()
    await world.advance(1)
    ask(world, reread(world, "stock"))
    await world.advance(600)
    assert holes(world) == []
    assert last_told(world) == held
    await world.stop()


def last_told(world: World) -> dict[str, bytes]:
    """What a reader of raw knows."""
    known: dict[str, bytes] = {}
    for one in world.raw():
        if one["op"] == "delete":
            known.pop(one["resource_id"], None)
        else:
            known[one["resource_id"]] = one["body"]
    return known
