"""What an account refuses is not asked for again while the rest of its work goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.kit.contract import Request
from schemas import topics
from tests.unit.courier.world import PLATFORM, World, breathe, fetch, key, task

MISSING_SCOPE = 401, dict[str, str](), b""


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """A resource is polled; the token opens the door to some operations only."""
    made = World()
    made.with_poller = True
    made.vendor.scan, made.vendor.resource_names = False, ("orders",)
    made.shop.pages["orders"] = [[]]
    yield made
    await made.stop()


def refuse(world: World, operation: str) -> None:
    """From now on, whatever else goes through."""
    carry_out = world.shop._answer

    def act(request: Request) -> Any:
        return MISSING_SCOPE if request.operation == operation else carry_out(request)

    world.shop._answer = act  # type: ignore[method-assign]


def asked(world: World, operation: str) -> int:
    return sum(request.operation == operation for _, request in world.shop.requests)


async def among_writes(world: World, *fetches: bytes) -> None:
    """What is refused is on its way together with a write that gets through, and more writes follow."""
    world.shop.gate = asyncio.Event()
    await world.start()
    world.push(*fetches, topic=topics.fetch(PLATFORM))
    world.push(task("A", 1))
    await breathe()
    world.shop.gate.set()
    for version in range(2, 12):
        await world.advance(2)
        world.push(task("A", version))
    assert world.shop.held[key("A")] > 5, "writes get through meanwhile"


async def test_a_refused_poll_waits_although_writes_get_through(world: World) -> None:
    refuse(world, "poll.orders")
    await among_writes(world)
    assert asked(world, "poll.orders") == 1
    await world.advance(31)
    assert asked(world, "poll.orders") == 2, "half a minute later it is tried again"


async def test_refused_work_waits_although_writes_get_through(world: World) -> None:
    world.vendor.resource_names = ()
    refuse(world, "fetch")
    await among_writes(world, fetch("product", "1"))
    assert asked(world, "fetch") == 1
    await world.advance(31)
    assert asked(world, "fetch") == 2, "half a minute later it is tried again"
