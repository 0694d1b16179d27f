"""Who restores next: so many shards at a time, and of those that wait the one with the least to read."""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

PATIENCE = 1.0  # seconds that shards wait for the size of another one


class Turns:
    """Lets `at_once` shards in. Belongs to one event loop."""

    def __init__(self, at_once: int, patience: float = PATIENCE) -> None:
        self._free = at_once
        self._patience = patience
        self._sizing = 0
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []

    @contextmanager
    def sizing(self) -> Iterator[None]:
        """Inside it a shard finds out how much it has to read: it may be the smallest, so nobody is let in before it
        knows or has taken longer than the patience."""
        self._sizing += 1
        left: list[bool] = []

        def leave() -> None:
            if not left:
                left.append(True)
                self._sizing -= 1
                self._admit()

        timer = asyncio.get_running_loop().call_later(self._patience, leave)
        try:
            yield
        finally:
            timer.cancel()
            # After this step of the loop, so that a shard which goes on to take its turn is among those who wait.
            asyncio.get_running_loop().call_soon(leave)

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Wait for one's turn, and hold it inside. `size`: what there is to read."""
        await self._enter(size)
        try:
            yield
        finally:
            self._leave()

    async def _enter(self, size: int) -> None:
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (size, next(self._numbers), admitted))
        self._admit()
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        self._free += 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._free and not self._sizing:
            admitted = heapq.heappop(self._waiting)[2]
            if not admitted.done():
                self._free -= 1
                admitted.set_result(None)
