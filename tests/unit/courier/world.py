"""A courier in a world without sockets and sleeps: a scripted shop, time by hand, a shard in memory."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.kit.clock import ManualClock
from connectors.kit.contract import Account, CanonicalMapping, Platform
from connectors.kit.skew import Offset
from schemas import identity, topics
from schemas.codec import Codec, Record
from schemas.entities import EntityType, Lane
from schemas.registry import MemorySchemas
from schemas.topics import Profile
from streams.core import courier_rows as rows
from streams.core.desired import Task
from streams.core.lanes import Lanes
from streams.core.ledger import Book, read, total
from streams.core.route import Route
from streams.courier.processor import Courier
from streams.courier.recorder import Silent
from streams.courier.setup import Settings, Setup
from streams.runtime.xref import Remote
from streams.shard.memory import MemoryShard
from tests.unit.courier.shop import ScriptedPlatform, ScriptedSubscriptions, ScriptedTokens, Shop

PLATFORM = "shopify"
PROFILE = Profile("test", shard=1, platform=1, small=1, replication=1, min_isr=1)
CODEC = Codec(MemorySchemas())
START = 1_772_366_400_000_000


class ManualWaiter:
    """Time that passes only when it is told to."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._timers: list[tuple[float, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._clock.now() / 1e6

    async def until(self, at: float, changed: asyncio.Event) -> None:
        if at <= self.now():
            await asyncio.sleep(0)
            return
        timer: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._timers.append((at, timer))
        event = asyncio.create_task(changed.wait())
        event.add_done_callback(lambda _: _end(timer))
        try:
            await timer
        finally:
            self._timers.remove((at, timer))
            event.cancel()

    def next(self) -> float:
        return min((at for at, timer in self._timers if not timer.done()), default=math.inf)

    def fire(self) -> None:
        for at, timer in self._timers:
            if at <= self.now():
                _end(timer)


def _end(timer: asyncio.Future[None]) -> None:
    if not timer.done():
        timer.set_result(None)


async def breathe() -> None:
    """Let everything that can run, run."""
    loop: Any = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(0)
        if not loop._ready:
            return


@dataclass
class Links:
    """An xref in a dict: golden key -> remote id."""

    known: dict[str, str] = field(default_factory=dict)
    everything: bool = True

    def golden(self, tenant: str, type: EntityType, account: str, remote_id: str) -> str | None:
        return None

    def remote(self, tenant: str, type: EntityType, account: str, golden_key: str) -> Remote | None:
        found = self.known.get(golden_key) or (f"remote-{golden_key}" if self.everything else None)
        return None if found is None else (found, {})


class Noted(Silent):
    """A recorder that remembers what is asked for in tests."""

    def __init__(self) -> None:
        self.stops: list[tuple[str, str]] = []
        self.brakes: list[tuple[str, int, int]] = []
        self.holes: list[tuple[str, str]] = []
        self.topics: list[str] = []
        self.bulk: list[int] = []
        self.clocks: list[tuple[Offset, float]] = []
        self.waiting = 0
        self.malformed_headers = 0

    def malformed(self, account: str, headers: int) -> None:
        self.malformed_headers += headers

    def clock(self, account: str, offset: Offset, configured: float) -> None:
        self.clocks.append((offset, configured))

    def bulk_waits(self, account: str, records: int) -> None:
        self.bulk.append(records)

    def pending(self, account: str, rows: int) -> None:
        self.waiting = rows

    def stopped(self, account: str, reason: str) -> None:
        self.stops.append((account, reason))

    def braked(self, account: str, resource: str, missing: int, known: int) -> None:
        self.brakes.append((resource, missing, known))

    def hole(self, account: str, resource: str, reason: str) -> None:
        self.holes.append((resource, reason))

    def healed(self, account: str, topic: str) -> None:
        self.topics.append(topic)


@dataclass
class Incoming:
    """A consumed record."""

    offset: int
    value: bytes | None
    timestamp: int = 0
    key: bytes | None = b"key"
    headers: Sequence[tuple[str, bytes]] = ()


class World:
    """One shard of one courier. `restart` is a kill -9 and what follows."""

    def __init__(self, *, accounts: Sequence[str] = ("shop",), **options: Any) -> None:
        self.clock = ManualClock(START)
        self.waiter = ManualWaiter(self.clock)
        self.shop = Shop(self.clock)
        self.vendor = ScriptedPlatform(self.shop, **options)
        self.links = Links()
        self.noted = Noted()
        self.shard = MemoryShard()
        self.settings = Settings(drain=0.0)
        self.accounts = tuple(Account("acme", name, PLATFORM, "http://shop.test") for name in accounts)
        self.with_poller = False
        self.with_tokens = False
        self.topics: Mapping[str, tuple[str, ...]] = {}
        self.lanes: Mapping[str, Lanes] = {}
        self.fallbacks: Mapping[str, Mapping[str, Route]] = {}
        self._offset = 0
        self._worker: asyncio.Task[None] | None = None
        self.courier: Courier | None = None

    def setup(self) -> Setup:
        mapping: CanonicalMapping = self.vendor
        platform = Platform(
            PLATFORM,
            mapping,
            poller=self.vendor if self.with_poller else None,
            destination=self.vendor,
            tokens=ScriptedTokens(self.shop) if self.with_tokens else None,
            subscriptions=ScriptedSubscriptions(self.topics),
        )
        return Setup(
            platform=platform,
            accounts=self.accounts,
            codec=CODEC,
            xref=self.links,
            profile=PROFILE,
            clock=self.clock,
            waiter=self.waiter,
            sender=self.shop,
            recorder=self.noted,
            settings=self.settings,
            lanes=self.lanes,
            fallbacks=self.fallbacks,
            random=lambda: 0.5,
        )

    async def start(self) -> World:
        self.courier = Courier(self.setup())
        self.courier.open(self.shard)
        self._worker = asyncio.create_task(self.courier.work(self.shard))
        await breathe()
        return self

    async def stop(self) -> None:
        assert self._worker is not None
        self._worker.cancel()
        await asyncio.gather(self._worker, return_exceptions=True)

    def worker(self) -> asyncio.Task[None]:
        assert self._worker is not None
        return self._worker

    async def restart_on(self, shard: MemoryShard) -> None:
        """End, and go on with a shard as it was found."""
        await self.stop()
        self.shard = shard
        await self.start()

    async def kill(self) -> None:
        """End without a commit: what a restart finds is what was committed last."""
        found = self.shard.crashed()
        await self.stop()
        self.shard = found

    async def restart(self) -> None:
        await self.kill()
        await self.start()

    def push(self, *values: bytes, topic: str = topics.push(PLATFORM)) -> None:
        """A batch arrives and is committed."""
        assert self.courier is not None
        batch = [Incoming(self._offset + index, value) for index, value in enumerate(values)]
        self._offset += len(batch)
        self.courier.process(self.shard, topic, batch)
        self.shard.flush()

    async def advance(self, seconds: float) -> None:
        """Let time pass, stopping wherever somebody waits for it."""
        await breathe()
        target = self.clock.now() + round(seconds * 1e6)
        while self.clock.now() < target:
            step = min(self.waiter.next(), target / 1e6) - self.waiter.now()
            self.clock.advance(max(step, 1e-6))
            self.shop.land_late()
            self.waiter.fire()
            await breathe()

    # -- looking

    def row(self, golden_key: str, account: str = "acme|shop") -> Task | None:
        data = self.shard.rows.get(rows.key(rows.TASK, account, golden_key))
        return None if data is None else rows.unpack_task(data)

    def raw(self) -> list[Record]:
        return [CODEC.decode(one.value or b"") for one in self.shard.outputs(topics.raw(PLATFORM))]

    def calls(self) -> list[Record]:
        return [CODEC.decode(one.value or b"") for one in self.shard.outputs(topics.CALLS)]

    def dead_letters(self) -> list[Record]:
        return [CODEC.decode(one.value or b"") for one in self.shard.outputs(topics.DEAD_LETTERS)]

    def ledger(self) -> dict[str, int]:
        """The tasks book of the first account, without zeros."""
        sums = total(read(self.shard.rows))
        counters = sums.get((Book.TASKS, "acme|shop"), {})
        return {name: value for name, value in counters.items() if value}


def key(sku: str) -> str:
    """The golden key of a stock level."""
    return str(identity.GoldenKey("acme", EntityType.INVENTORY_LEVEL, f"{sku}~main"))


def task(sku: str, version: int, **changes: Any) -> bytes:
    """A push task as the resolver writes it."""
    record: dict[str, Any] = {
        "tenant": "acme",
        "account": "shop",
        "platform": PLATFORM,
        "type": "inventory_level",
        "golden_key": key(sku),
        "golden_version": version,
        "kind": "set",
        "op": "upsert",
        "flow": "stock",
        "fields": ["available"],
        "lane": Lane.NORMAL.value,
        "fingerprint": bytes(8),
        "record": b"",
        "operation_id": None,
        "wanted_at": START,
        "origin_at": START,
    }
    return CODEC.encode("push_task", {**record, **changes})


def command(sku: str, operation_id: str, version: int = 1) -> bytes:
    """A command as the resolver writes it."""
    return task(sku, version, kind="command", operation_id=operation_id)


def fetch(resource: str, remote_id: str, **changes: Any) -> bytes:
    """A fetch request as the mapper writes it."""
    record = {
        "tenant": "acme",
        "account": "shop",
        "platform": PLATFORM,
        "resource": resource,
        "remote_id": remote_id,
        "reason": "hint",
        "lane": "high",
        "requested_at": START,
        "cause": "x/1",
    }
    return CODEC.encode("fetch_request", {**record, **changes})


def with_limits(settings: Settings, **limits: Any) -> Settings:
    """The settings with other limits."""
    return replace(settings, limits=replace(settings.limits, **limits))
