"""One run: the real courier in virtual time against a modelled API, and everything that was observed of it."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from connectors.kit.contract import Budget
from schemas import topics
from schemas.codec import Codec
from schemas.entities import EntityType
from schemas.registry import MemorySchemas
from schemas.topics import Profile
from streams.courier.processor import Courier
from streams.courier.recorder import Silent
from streams.courier.setup import Settings, Setup
from streams.courier.waiter import SystemWaiter
from streams.runtime.xref import Remote
from streams.shard.memory import MemoryShard
from streams.testing.memoryhost import Record
from streams.testing.score import api, load, loop, platform
from streams.testing.score.api import Api, Shape
from streams.testing.score.load import Change, Kind, Stream
from streams.testing.score.wire import Call, Wire

PROFILE = Profile("score", shard=1, platform=1, small=1, replication=1, min_isr=1)
CODEC = Codec(MemorySchemas())
SAMPLE = 0.25  # seconds between two looks at the supply; divides every time a scenario names
COMMIT = 0.01  # seconds a transaction takes
TAKEOVER = 0.5  # seconds without an owner; the shorter, the less a bucket recovers meanwhile


@dataclass(frozen=True, slots=True)
class Case:
    """What is run. `seconds`: how long; `shapes`: by name. What is said of supply is measured at the first account.
    `killed`: when the courier dies, to be followed TAKEOVER seconds later by one that knows what it had written."""

    streams: tuple[Stream, ...]
    seconds: float
    api: Api = field(default_factory=Api)
    budget: Budget = field(default_factory=lambda: Budget("level", 40.0, 40.0, 32))
    shapes: Mapping[str, Shape] = field(default_factory=lambda: {"write": Shape()})
    accounts: int = 1
    killed: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Sample:
    """`at` seconds from the start. `supply`: units there were for us in the first account so far; `overshoot`: the
    worst of all buckets so far."""

    at: float
    supply: float
    waiting: int
    overshoot: float


@dataclass(slots=True)
class Run:
    """What was observed. `waited`: seconds from ready to sent, by lane; `cpu`: seconds of processor, simulation
    included."""

    case: Case
    changes: list[Change]
    calls: list[Call] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    waited: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu: float = 0.0


class _Ear(Silent):
    """Hears of waits and backlogs."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._pending: dict[str, int] = {}

    def waited(self, lane: str, seconds: float) -> None:
        self._run.waited[lane].append(seconds)

    def pending(self, account: str, rows: int) -> None:
        self._pending[account] = rows

    @property
    def backlog(self) -> int:
        return sum(self._pending.values())


class _Linked:
    """An xref that knows everybody."""

    def golden(self, tenant: str, type: EntityType, account: str, remote_id: str) -> str | None:
        return None

    def remote(self, tenant: str, type: EntityType, account: str, golden_key: str) -> Remote | None:
        return golden_key, {}


class _Shard(MemoryShard):
    """Commits take time and outputs are forgotten; nothing is kept for a crash."""

    async def commit(self) -> None:
        await asyncio.sleep(COMMIT)
        self.flush()

    def flush(self) -> None:
        self.pending.clear()


def run(case: Case, seed: int) -> Run:
    """Run it. The same case and seed give the same observations, but for `cpu`."""
    began = time.process_time()
    observed = loop.run(_World(case, seed).run())
    observed.cpu = time.process_time() - began
    return observed


class _World:
    def __init__(self, case: Case, seed: int) -> None:
        self._case = case
        self._rng = random.Random(seed)
        self._seen = Run(case, load.changes(case.streams, case.seconds, seed))
        self._ear = _Ear(self._seen)
        self._streams = {one.flow: one for one in case.streams}
        self._offset = 0
        groups = groupby(self._seen.changes, key=lambda one: one.at)
        self._groups = [list(group) for _, group in groups][::-1]  # the next one last
        self._looks = 0

    async def run(self) -> Run:
        case, running = self._case, asyncio.get_running_loop()
        clock = loop.LoopClock(running)
        self._start = clock.monotonic()
        accounts = [platform.account(number) for number in range(case.accounts)]
        self._api = {one.id: api.Account(case.api, case.shapes, self._rng) for one in accounts}
        wire = Wire(case.api, self._api, clock, self._rng, self._start, self._seen.calls)
        shapes = {one.flow: (one.shape, case.shapes[one.shape]) for one in case.streams}
        setup = Setup(
            platform=platform.platform(case.budget, shapes),
            accounts=tuple(accounts),
            codec=CODEC,
            xref=_Linked(),
            profile=PROFILE,
            clock=clock,
            waiter=SystemWaiter(clock),
            sender=wire,
            recorder=self._ear,
            settings=Settings(drain=0.0),
            random=self._rng.random,
        )
        shard, ends = _Shard(), [*case.killed, math.inf]
        for number, end in enumerate(ends):
            await self._until(ends[number - 1] + TAKEOVER if number else 0.0)
            await self._drive(Courier(setup), shard, end)
        return self._seen

    async def _drive(self, courier: Courier, shard: MemoryShard, end: float) -> None:
        """One owner, until it dies."""
        courier.open(shard)
        beside = [asyncio.create_task(one) for one in (courier.work(shard), self._offer(courier, shard))]
        try:
            await self._watch(courier, shard, beside, end)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)

    async def _offer(self, courier: Courier, shard: MemoryShard) -> None:
        while self._groups:
            await self._until(self._groups[-1][0].at)
            batches: dict[str, list[Record]] = defaultdict(list)
            for change in self._groups.pop():
                topic, value = self._record(change)
                batches[topic].append(Record(self._offset, b"key", value))
                self._offset += 1
            for topic, batch in batches.items():
                courier.process(shard, topic, batch)

    async def _watch(
        self, courier: Courier, shard: MemoryShard, beside: Sequence[asyncio.Task[None]], end: float
    ) -> None:
        if self._looks:
            await asyncio.sleep(COMMIT)  # a successor says what waits when it has read its rows
        while (at := self._looks * SAMPLE) < min(end, self._case.seconds + SAMPLE):
            await self._until(at)
            for task in beside:
                if task.done():
                    task.result()
            courier.tick(shard)
            self._seen.samples.append(self._sample(at))
            self._looks += 1
        await self._until(min(end, self._case.seconds))

    def _sample(self, at: float) -> Sample:
        accounts = list(self._api.values())
        overshoot = max(one.bucket.overshoot for one in accounts)
        return Sample(at, accounts[0].supply(at), self._ear.backlog, overshoot)

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self._start + at - asyncio.get_running_loop().time()))

    def _record(self, change: Change) -> tuple[str, bytes]:
        stream = self._streams[change.flow]
        now = round((self._start + change.at) * 1e6)
        if stream.kind is Kind.FETCH:
            return topics.fetch(platform.NAME), CODEC.encode("fetch_request", _fetch(change, stream, now))
        return topics.push(platform.NAME), CODEC.encode("push_task", _push(change, stream, now))


def _push(change: Change, stream: Stream, now: int) -> dict[str, object]:
    key = platform.golden_key(change.entity)
    return {
        "tenant": platform.TENANT,
        "account": platform.account(change.account).id,
        "platform": platform.NAME,
        "type": EntityType.INVENTORY_LEVEL.value,
        "golden_key": key,
        "golden_version": change.version,
        "kind": stream.kind.value,
        "op": "upsert",
        "flow": stream.flow,
        "fields": ["available"],
        "lane": stream.lane.value,
        "fingerprint": bytes(8),
        "record": b"",
        "operation_id": f"{key}/{change.version}" if stream.kind is Kind.COMMAND else None,
        "wanted_at": now,
        "origin_at": now,
    }


def _fetch(change: Change, stream: Stream, now: int) -> dict[str, object]:
    return {
        "tenant": platform.TENANT,
        "account": platform.account(change.account).id,
        "platform": platform.NAME,
        "resource": stream.flow,
        "remote_id": change.entity,
        "reason": stream.flow,
        "lane": stream.lane.value,
        "requested_at": now,
        "cause": "score",
    }
