"""Who delivers: Sluice's courier, and four libraries in front of the same writes and the same HTTP client.

A library gets what its documentation shows for waiting in asyncio: one limiter of the documented rate, every request
asks for its cost first. A refused request waits as long as the reply says (one second where it says nothing) and asks
again. 32 workers deliver the backlog; an urgent write does not queue behind them but asks the limiter at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any, Protocol

from aiolimiter import AsyncLimiter
from limits import RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from pyrate_limiter import Duration, Rate
from pyrate_limiter import Limiter as PyrateLimiter
from throttled.asyncio import MemoryStore, RateLimiterType, Throttled, per_sec

from benchmarks.delivery.shops import Shop
from benchmarks.delivery.work import CODEC, Piece, Work
from connectors import catalog
from connectors.kit.clock import SystemClock
from connectors.kit.contract import Destination, Platform
from connectors.kit.http import HttpSender
from connectors.kit.operations import Batching
from schemas import topics
from schemas.entities import Lane
from schemas.topics import Profile
from streams.courier.processor import Courier
from streams.courier.setup import Setup
from streams.courier.waiter import SystemWaiter
from streams.shard.memory import MemoryShard
from streams.testing.memoryhost import Record

WORKERS = 32
TIMEOUT = 20.0  # seconds
COMMIT = 0.005  # seconds a transaction takes that a write of Sluice waits for


class Contender(Protocol):
    """Delivers the work of one shop."""

    def offer(self, pieces: Iterable[Piece]) -> None:
        """More to deliver."""
        ...

    async def work(self) -> None:
        """Deliver until cancelled."""
        ...


# ------------------------------------------------------------------------------------------- Sluice


class CommittingShard(MemoryShard):
    """A shard whose commits take their time and keep nothing."""

    async def commit(self) -> None:
        """As long as a transaction on a local broker."""
        self.pending.clear()
        await asyncio.sleep(COMMIT)


class Sluice:
    """The courier as it runs in production: table, lanes, pacer, intents, calls; without polls, with its rows in memory
    and one set per call, as the libraries send them: in batches it would not need the quota."""

    def __init__(self, shop: Shop, work: Work) -> None:
        known = catalog.platform(shop.kind.platform)
        platform = Platform(known.name, known.mapping, destination=_one_by_one(known.destination))
        clock, profile = SystemClock(), Profile("bench", shard=1, platform=1, small=1, replication=1, min_isr=1)
        self._sender = HttpSender(clock)
        self._topic = topics.push(platform.name)
        setup = Setup(platform, (shop.account,), CODEC, work.xref, profile, clock, SystemWaiter(clock), self._sender)
        self._shard, self._courier, self._offset = CommittingShard(), Courier(setup), 0
        self._courier.open(self._shard)

    def offer(self, pieces: Iterable[Piece]) -> None:
        records = [Record(self._offset + index, b"", piece.task) for index, piece in enumerate(pieces)]
        self._offset += len(records)
        self._courier.process(self._shard, self._topic, records)

    async def work(self) -> None:
        try:
            await self._courier.work(self._shard)
        finally:
            await self._sender.close()


def _one_by_one(destination: Destination | None) -> Destination | None:
    """The same destination, which takes no two sets in one call."""
    single = copy(destination)
    if isinstance(single, Batching):
        setattr(single, "batch", lambda account, write: None)  # noqa: B010  # a method of this one object
    return single


# ------------------------------------------------------------------------------------------- libraries


class Limiter(Protocol):
    """Says when a request may go."""

    async def acquire(self, cost: int) -> None:
        """Returns when it may."""
        ...


class Aiolimiter:
    """aiolimiter: `AsyncLimiter(max_rate, time_period)`, `await limiter.acquire(amount)`."""

    def __init__(self, rate: int) -> None:
        self._limiter = AsyncLimiter(rate, 1.0)

    async def acquire(self, cost: int) -> None:
        await self._limiter.acquire(cost)


class Pyrate:
    """pyrate-limiter: `Limiter(Rate(limit, interval))`, `await limiter.try_acquire_async(name, weight)`."""

    def __init__(self, rate: int) -> None:
        self._limiter = PyrateLimiter(Rate(rate, Duration.SECOND))

    async def acquire(self, cost: int) -> None:
        await self._limiter.try_acquire_async("shop", weight=cost)


class Limits:
    """limits: a moving window, `hit` until it is true; it leaves the waiting to its user, so until the window's own
    reset time."""

    def __init__(self, rate: int) -> None:
        self._item = RateLimitItemPerSecond(rate)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def acquire(self, cost: int) -> None:
        while not await self._limiter.hit(self._item, "shop", cost=cost):
            stats = await self._limiter.get_window_stats(self._item, "shop")
            await asyncio.sleep(max(0.001, stats.reset_time - time.time()))


class ThrottledPy:
    """throttled-py: GCRA with wait-and-retry, `await throttle.limit(key, cost)` with a timeout. A store of its own: the
    default one is shared by the whole process."""

    def __init__(self, rate: int) -> None:
        self._limiter = Throttled(
            using=RateLimiterType.GCRA.value, quota=per_sec(rate, burst=rate), timeout=TIMEOUT, store=MemoryStore()
        )

    async def acquire(self, cost: int) -> None:
        while (await self._limiter.limit("shop", cost)).limited:
            continue


class Limited:
    """A library's limiter in front of the destination's writes."""

    def __init__(self, shop: Shop, work: Work, limiter: Limiter) -> None:
        destination = catalog.platform(shop.kind.platform).destination
        assert destination is not None
        self._destination, self._account, self._work = destination, shop.account, work
        self._limiter, self._sender = limiter, HttpSender(SystemClock())
        self._backlog: asyncio.Queue[Piece] = asyncio.Queue()
        self._urgent: set[asyncio.Task[None]] = set()

    def offer(self, pieces: Iterable[Piece]) -> None:
        for piece in pieces:
            if piece.lane is Lane.HIGH:
                task = asyncio.create_task(self._deliver(piece))
                self._urgent.add(task)
                task.add_done_callback(self._urgent.discard)
            else:
                self._backlog.put_nowait(piece)

    async def work(self) -> None:
        workers = [asyncio.create_task(self._worker()) for _ in range(WORKERS)]
        try:
            await asyncio.gather(*workers)
        finally:
            tasks = [*workers, *self._urgent]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._sender.close()

    async def _worker(self) -> None:
        while True:
            await self._deliver(await self._backlog.get())

    async def _deliver(self, piece: Piece) -> None:
        flow = self._destination.write(self._account, self._work.write(piece))
        request: Any = next(flow)
        while True:
            await self._limiter.acquire(round(request.cost))
            response = await self._sender.send(self._account, request, TIMEOUT)
            told = self._destination.feedback(request, response)
            if told.throttled:
                await asyncio.sleep(1.0 if told.retry_after is None else told.retry_after)
                continue
            try:
                request = flow.send(response)
            except StopIteration:
                return


Maker = Callable[[Shop, Work], Contender]


def _limited(kind: Callable[[int], Limiter]) -> Maker:
    return lambda shop, work: Limited(shop, work, kind(round(shop.kind.rate)))


CONTENDERS: dict[str, Maker] = {
    "sluice": Sluice,
    "aiolimiter": _limited(Aiolimiter),
    "pyrate-limiter": _limited(Pyrate),
    "limits": _limited(Limits),
    "throttled-py": _limited(ThrottledPy),
}
