"""Waiting for a time or a change."""

from __future__ import annotations

import asyncio

import pytest

from connectors.kit.clock import SystemClock
from streams.courier.waiter import SystemWaiter


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("between", range(5))
async def test_a_cancellation_is_not_lost_to_a_change_of_the_same_moment(between: int) -> None:
    waiter, changed = SystemWaiter(SystemClock()), asyncio.Event()

    async def for_ever() -> None:
        while True:
            await waiter.until(waiter.now() + 60.0, changed)
            changed.clear()

    task = asyncio.create_task(for_ever())
    await turns(3)
    changed.set()
    await turns(between)
    task.cancel()
    await turns(5)
    done = task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert done


async def test_what_is_due_does_not_wait() -> None:
    waiter = SystemWaiter(SystemClock())
    await waiter.until(waiter.now() - 1.0, asyncio.Event())


async def test_a_change_ends_a_wait_that_would_never_end() -> None:
    waiter, changed = SystemWaiter(SystemClock()), asyncio.Event()
    task = asyncio.create_task(waiter.until(float("inf"), changed))
    await turns(2)
    assert not task.done()
    changed.set()
    await task
