"""A courier in a world without sockets and sleeps: a scripted shop, time by hand, a shard in memory."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from connectors.kit.clock import ManualClock
from connectors.kit.contract import (
    Account,
    Budget,
    CanonicalMapping,
    Envelope,
    Feedback,
    Flow,
    Ignored,
    Mapped,
    Observation,
    Page,
    Platform,
    Request,
    Resource,
    Response,
    Write,
    Written,
)
from connectors.kit.errors import Invalid, OutcomeUnknown, Throttled, Unauthorised, Unavailable, Unlinkable
from schemas import identity, topics
from schemas.codec import Codec, Record
from schemas.entities import EntityType, Lane, Op
from schemas.registry import MemorySchemas
from schemas.topics import Profile
from streams.core import courier_rows as rows
from streams.core.desired import Task
from streams.core.ledger import Book, read, total
from streams.courier.processor import Courier
from streams.courier.recorder import Silent
from streams.courier.setup import Settings, Setup
from streams.runtime.xref import Remote
from streams.shard.memory import MemoryShard

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
class Shop:
    """Holds the versions written to it. `script`: what becomes of the next requests, in order: a status, a lost reply
    after (or instead of) carrying it out, or a reply held back."""

    clock: ManualClock
    held: dict[str, int] = field(default_factory=dict)
    log: list[tuple[str, int]] = field(default_factory=list)
    op_ids: list[str] = field(default_factory=list)
    requests: list[tuple[float, Request]] = field(default_factory=list)
    script: deque[Callable[[Request], Any]] = field(default_factory=deque)
    late: list[tuple[float, Request]] = field(default_factory=list)
    pages: dict[str, list[list[tuple[str, bytes]]]] = field(default_factory=dict)
    records: dict[str, bytes] = field(default_factory=dict)
    gate: asyncio.Event | None = None

    async def send(self, account: Account, request: Request, seconds: float, /) -> Response:
        started = self.clock.now()
        self.requests.append((started / 1e6, request))
        act = self.script.popleft() if self.script else self.carry_out
        if self.gate is not None:
            await self.gate.wait()
        status, headers, body = act(request)
        return Response(status, headers, body, started, self.clock.now())

    def carry_out(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        if not request.writes:
            return 200, {}, b""
        said = orjson.loads(request.body)
        self.held[said["key"]] = said["version"]
        self.log.append((said["key"], said["version"]))
        self.op_ids.append(said["op_id"])
        return 200, {}, b""

    def land_late(self) -> None:
        """Carry out what was sent long ago and is due."""
        for at, request in list(self.late):
            if at <= self.clock.now() / 1e6:
                self.late.remove((at, request))
                self.carry_out(request)

    # -- what a script can hold

    def status(self, code: int, body: bytes = b"", **headers: str) -> None:
        self.script.append(lambda _: (code, {k.replace("_", "-"): v for k, v in headers.items()}, body))

    def lose_reply(self) -> None:
        def act(request: Request) -> Any:
            self.carry_out(request)
            raise OutcomeUnknown("no reply came")

        self.script.append(act)

    def lose_reply_and_land_after(self, seconds: float) -> None:
        def act(request: Request) -> Any:
            self.late.append((self.clock.now() / 1e6 + seconds, request))
            raise OutcomeUnknown("no reply came")

        self.script.append(act)

    def away(self, times: int = 1) -> None:
        def act(request: Request) -> Any:
            raise Unavailable("connection refused")

        self.script.extend([act] * times)


class ScriptedPlatform:
    """Destination, poller and mapping over a Shop."""

    revision = 1

    def __init__(self, shop: Shop, *, max_in_flight: int = 4, rate: float = 1000.0) -> None:
        self.shop = shop
        self.scan = True
        self.interval = 60.0
        self.resource_names: tuple[str, ...] = ()
        self.complete = True
        self.observe_writes = False
        self._budget = Budget("rate", rate, rate, max_in_flight)

    def budget(self, account: Account) -> Budget:
        return self._budget

    def supports(self, type: EntityType, op: Op) -> bool:
        return type is not EntityType.ORDER or op is Op.UPSERT

    def write(self, account: Account, write: Write) -> Flow:
        if not write.remote_id:
            raise Unlinkable(f"{write.golden_key} was never seen at {account.id}")
        check((yield Request("POST", "set", "set", "/set", body=body(write), writes=True)))
        seen = [Observation("stock", write.remote_id, b"ours")] if self.observe_writes else []
        return Written(observed=seen)

    def fetch(self, account: Account, resource: str, remote_id: str) -> Flow:
        response = yield Request("GET", f"{resource}/{remote_id}", "fetch", f"/{resource}")
        check(response)
        body = self.shop.records.get(remote_id)
        if body is None:
            return [Observation(resource, remote_id, b"", Op.DELETE)]
        return [Observation(resource, remote_id, body)]

    def feedback(self, request: Request, response: Response) -> Feedback:
        wait = response.headers.get("retry-after")
        return Feedback(retry_after=float(wait) if wait else None, throttled=response.status == 429)

    def resources(self, account: Account) -> tuple[Resource, ...]:
        return tuple(Resource(name, self.interval, scan=self.scan) for name in self.resource_names)

    def page(self, account: Account, resource: str, cursor: Mapping[str, Any], now: int) -> Flow:
        response = yield Request("GET", resource, f"poll.{resource}", f"/{resource}")
        check(response)
        number = int(cursor.get("page", 0))
        found = self.shop.pages[resource][number]
        done = number + 1 == len(self.shop.pages[resource])
        seen = [Observation(resource, name, body) for name, body in found]
        return Page(seen, {} if done else {"page": number + 1}, done, complete_scan=done and self.complete)

    def map(self, account: Account, envelope: Envelope) -> list[Mapped] | Ignored:
        return Ignored("not mapped here")


def body(write: Write) -> bytes:
    """What the shop reads of a write."""
    said = {"key": write.golden_key, "version": write.golden_version, "op_id": write.op_id, "fields": write.fields}
    return orjson.dumps(said)


def check(response: Response) -> None:
    """The usual reading of a status."""
    if response.status == 401:
        raise Unauthorised("the token is refused")
    if response.status == 429:
        wait = response.headers.get("retry-after")
        raise Throttled("slow down", retry_after=float(wait) if wait else None)
    if response.status >= 500:
        raise Unavailable(f"status {response.status}")
    if response.status >= 400:
        raise Invalid(response.body.decode())


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

    def stopped(self, account: str, reason: str) -> None:
        self.stops.append((account, reason))

    def braked(self, account: str, resource: str, missing: int, known: int) -> None:
        self.brakes.append((resource, missing, known))


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
        self._offset = 0
        self._worker: asyncio.Task[None] | None = None
        self.courier: Courier | None = None

    def setup(self) -> Setup:
        mapping: CanonicalMapping = self.vendor
        platform = Platform(
            PLATFORM, mapping, poller=self.vendor if self.with_poller else None, destination=self.vendor
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
