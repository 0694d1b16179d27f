"""Who restores next: bounded, smallest first, and nobody waits for one that cannot even say its size."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from streams.shard.turns import Turns


class Crowd:
    """Shards that take their turns and leave when they are told to."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.order: list[int] = []
        self.entered = asyncio.Event()
        self.leave: dict[int, asyncio.Event] = {}
        self.tasks: dict[int, asyncio.Task[None]] = {}

    def come(self, *sizes: int) -> None:
        for size in sizes:
            self.leave[size] = asyncio.Event()
            self.tasks[size] = asyncio.create_task(self._one(size))

    async def _one(self, size: int) -> None:
        async with self.turns.turn(size):
            self.order.append(size)
            self.entered.set()
            await self.leave[size].wait()


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_no_more_than_allowed_are_in_at_the_same_time_and_the_smallest_follows() -> None:
    crowd = Crowd(Turns(2))
    crowd.come(9, 5, 7, 1)
    await _settle()
    assert crowd.order == [9, 5]
    crowd.leave[9].set()
    await _settle()
    assert crowd.order == [9, 5, 1]
    for event in crowd.leave.values():
        event.set()
    await _settle()
    assert crowd.order == [9, 5, 1, 7]


async def test_nobody_is_let_in_while_a_shard_finds_out_its_size_so_that_the_smallest_is_first() -> None:
    crowd = Crowd(Turns(1))
    with crowd.turns.sizing():
        with crowd.turns.sizing():
            crowd.come(8, 3)
            await _settle()
        await _settle()
        assert crowd.order == []
        crowd.come(1)
    await _settle()
    assert crowd.order == [1]


async def test_a_shard_that_takes_long_to_find_out_its_size_is_not_waited_for() -> None:
    crowd = Crowd(Turns(1, patience=0.01))
    with crowd.turns.sizing():
        crowd.come(8)
        await asyncio.wait_for(crowd.entered.wait(), 5)
        crowd.leave[8].set()
    await _settle()
    crowd.come(2)
    await _settle()
    assert crowd.order == [8, 2], "leaving late counts once"


@pytest.mark.parametrize("admitted", [False, True])
async def test_a_shard_that_goes_gives_its_turn_to_the_next(admitted: bool) -> None:
    crowd = Crowd(Turns(1))
    crowd.come(1)
    await _settle()
    crowd.come(2, 3)
    await _settle()
    if admitted:
        crowd.leave[1].set()
        await asyncio.sleep(0)  # 2 is let in and does not know it yet
    crowd.tasks[2].cancel()
    crowd.leave[1].set()
    with suppress(asyncio.CancelledError):
        await crowd.tasks[2]
    await _settle()
    assert crowd.order[-1] == 3
    crowd.leave[3].set()
    await asyncio.gather(crowd.tasks[1], crowd.tasks[3])
