"""Opens, feeds and closes the shards that the group gives this process.

Order on assignment, which is what makes it safe: fence (init_transactions) -> roll the store forward -> load seen ids
-> ask for the committed offsets -> open the role -> only then may Faust fetch. A shard that stays with this process
over one rebalance stays open; anything else is opened anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

import structlog

from streams.shard.api import Processor, Worker
from streams.shard.changelog import read_to_end, restore
from streams.shard.live import LiveShard
from streams.shard.rows import CachedRows
from streams.shard.seen import DAY_MS, SeenIds
from streams.shard.store import Identity, Store
from streams.shard.transaction import DAY, Offsets, Transactions

TICK = 0.1  # seconds between two ticks of a processor
log = structlog.get_logger(__name__)


class Recorder(Protocol):
    """What the runtime reports; implemented over the metrics catalogue."""

    def committed(self, shard: int, seconds: float, records: int) -> None:
        """A transaction ended."""
        ...

    def restored(self, shard: int, seconds: float, rows: int) -> None:
        """A shard was opened."""
        ...

    def batch(self, topic: str, partition: int, records: int, newest_ms: int) -> None:
        """A batch was processed; `newest_ms` is the broker's time of its last record."""
        ...

    def alive(self) -> None:
        """The event loop turns."""
        ...


class Silent:
    """A Recorder that keeps nothing."""

    def committed(self, shard: int, seconds: float, records: int) -> None:
        return

    def restored(self, shard: int, seconds: float, rows: int) -> None:
        return

    def batch(self, topic: str, partition: int, records: int, newest_ms: int) -> None:
        return

    def alive(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class Plan:
    """What a role's shards are made of. Topic names are catalogue names; `seen` may be empty."""

    group: str
    prefix: str
    topics: tuple[str, ...]
    changelog: str
    seen: str
    state_dir: Path
    kafka: Mapping[str, Any]
    processor: Callable[[], Processor]
    interval: float = 0.2
    transaction_timeout_ms: int = 60_000
    delete_retention_ms: int = 7 * DAY_MS
    row_cache: int = 200_000
    seen_days: int = 7
    recorder: Recorder = field(default_factory=Silent)
    prepare: Callable[[], Awaitable[None]] | None = None  # awaited once, before the first shard is opened


@dataclass(slots=True)
class _Open:
    shard: LiveShard
    processor: Processor
    worker: asyncio.Task[None] | None = None


class Host:
    """The shards of one process. All methods run on the event loop that Faust runs on."""

    def __init__(self, plan: Plan, fatal: Callable[[str], NoReturn]) -> None:
        self._plan = plan
        self._fatal = fatal
        self._open: dict[int, _Open] = {}
        self._generation = -1
        self._suspended = True
        self._executor = ThreadPoolExecutor(32, thread_name_prefix="shard")
        self._offsets: Offsets | None = None
        self._prepared = False
        self._stopped = False
        self.ready = False

    # -- what the transport asks

    def position(self, topic: str, partition: int) -> int | None:
        """The offset this shard expects next of a full topic name; None when it is not open here."""
        entry = self._open.get(partition)
        return entry.shard.next.get(topic) if entry else None

    def check(self, topic: str, number: int, end: int | None) -> None:
        """Stop when the log's end was seen before what is expected next: it is not the log that was read so far, and
        Faust would drop its records in silence for being older than what it has read."""
        expected = self.position(topic, number)
        if expected is not None and end is not None and end < expected:
            self._fatal(f"{topic} [{number}] ends at {end}, before the expected {expected}: it was cut or made anew")

    async def assigned(self, numbers: set[int], generation: int) -> None:
        """Open what is new, close what went, keep what stayed over exactly one rebalance."""
        if self._stopped:
            return  # the group may assign once more while the process leaves it
        if self._plan.prepare is not None and not self._prepared:
            await self._plan.prepare()
        self._prepared = True
        stayed = generation == self._generation + 1
        self._generation = generation
        gone = [n for n in self._open if n not in numbers or not stayed]
        await asyncio.gather(*(self._close(self._open.pop(n)) for n in gone))
        new = sorted(numbers - self._open.keys())
        offsets = await self._group_offsets()
        opened = await asyncio.gather(*(self._open_shard(n, offsets) for n in new))
        self._open.update(zip(new, opened, strict=True))
        self._suspended = False
        for number, entry in self._open.items():
            self._resume(entry, fresh=number in new)
        self.ready = True
        log.info(
            "shards assigned", group=self._plan.group, shards=sorted(self._open), opened=new, generation=generation
        )

    async def revoked(self, numbers: set[int]) -> None:
        """Finish: no work is started, what is gathered is committed. Called when no batch is being processed."""
        self._suspended = True
        await asyncio.gather(*(self._quiesce(entry) for entry in self._open.values()))

    async def process(self, topic: str, number: int, fetched: Any) -> None:
        """Hand one fetched batch to its shard. Batches of an earlier assignment are read again and ignored here."""
        entry = self._open.get(number)
        if entry is None or self._suspended:
            return
        shard = entry.shard
        expected = shard.next[topic]
        if fetched.start > expected:
            self._fatal(f"{topic} [{number}] jumped from {expected} to {fetched.start}: records were lost on the way")
        if fetched.next <= expected:
            return
        records = fetched if fetched[0].offset >= expected else [r for r in fetched if r.offset >= expected]
        with self._all_or_nothing(f"{topic} [{number}] from {expected}"):
            limit = entry.processor.process(shard, topic.removeprefix(self._plan.prefix), records)
        shard.advance(topic, fetched.next, limit)
        self._plan.recorder.batch(topic, number, len(records), fetched[-1].timestamp or 0)
        await shard.room()

    async def tick(self) -> None:
        """Run for ever: let processors act on time."""
        while True:
            await asyncio.sleep(TICK)
            self._plan.recorder.alive()
            if self._suspended:
                continue
            for number, entry in list(self._open.items()):
                with self._all_or_nothing(f"a tick of shard {number}"):
                    limits = entry.processor.tick(entry.shard)
                for topic, limit in limits.items():
                    entry.shard.limit(self._plan.prefix + topic, limit)
                entry.shard.wake()

    async def stop(self) -> None:
        """Commit what is done and close everything. Idempotent."""
        self.ready = False
        self._stopped = True
        await self.revoked(set(self._open))
        await asyncio.gather(*(self._close(entry) for entry in self._open.values()))
        self._open.clear()
        if self._offsets is not None:
            self._offsets.close()
            self._offsets = None
        self._executor.shutdown(wait=False)

    @contextlib.contextmanager
    def _all_or_nothing(self, what: str) -> Iterator[None]:
        """What a role gathered before it raised is half an atom: a later commit, even that of an orderly stop, would
        make it permanent without the offsets, and the restart would do it again."""
        try:
            yield
        except Exception:  # noqa: BLE001 whatever it is, only a restart puts it right
            self._fatal(f"{self._plan.group} failed on {what}:\n{traceback.format_exc()}")

    # -- opening and closing

    async def _group_offsets(self) -> Offsets:
        if self._offsets is None:
            loop = asyncio.get_running_loop()
            self._offsets = await loop.run_in_executor(self._executor, Offsets, self._plan.kafka, self._plan.group)
        return self._offsets

    async def _open_shard(self, number: int, offsets: Offsets) -> _Open:
        loop = asyncio.get_running_loop()
        started = time.monotonic()
        parts = await loop.run_in_executor(self._executor, self._restore, number, offsets)
        store, seen, transactions, positions, count = parts
        plan = self._plan
        shard = LiveShard(
            number,
            prefix=plan.prefix,
            store=store,
            rows=CachedRows(store, plan.row_cache),
            seen=seen,
            transactions=transactions,
            metadata=offsets.metadata,
            positions=positions,
            interval=plan.interval,
            executor=self._executor,
            fatal=self._fatal,
            committed=lambda seconds, records: plan.recorder.committed(number, seconds, records),
        )
        plan.recorder.restored(number, time.monotonic() - started, count)
        log.info(
            "shard opened",
            group=plan.group,
            shard=number,
            rows_read=count,
            seen=len(seen),
            positions=positions,
            store=store.why_empty or "rolled forward",
            seconds=round(time.monotonic() - started, 3),
        )
        return _Open(shard, plan.processor())

    def _restore(self, number: int, offsets: Offsets) -> tuple[Store, SeenIds, Transactions, dict[str, int], int]:
        plan = self._plan
        changelog = plan.prefix + plan.changelog
        transactions = Transactions(
            plan.kafka,
            transactional_id=f"{plan.group}-{number}",
            timeout_ms=plan.transaction_timeout_ms,
            shard=number,
            changelog=changelog,
            seen=plan.prefix + plan.seen,
        )
        transactions.init()
        identity = Identity(offsets.cluster_id(), changelog, number)
        store = Store(plan.state_dir / plan.group / str(number), identity)
        now_ms = int(time.time() * 1000)
        count = restore(store, plan.kafka, changelog, plan.delete_retention_ms, now_ms)
        seen = SeenIds(plan.seen_days)
        if plan.seen:
            _load_seen(seen, plan, number, now_ms // DAY_MS)
        positions = offsets.start_positions([plan.prefix + topic for topic in plan.topics], number)
        return store, seen, transactions, positions, count

    def _resume(self, entry: _Open, *, fresh: bool) -> None:
        if fresh:
            entry.shard.start()
        if fresh or isinstance(entry.processor, Worker):
            with self._all_or_nothing(f"opening shard {entry.shard.number}"):
                entry.processor.open(entry.shard)
            entry.shard.wake()
        if isinstance(entry.processor, Worker):
            work = self._work(entry.processor, entry.shard)
            entry.worker = asyncio.create_task(work, name=f"shard-{entry.shard.number}")

    async def _work(self, processor: Worker, shard: LiveShard) -> None:
        with self._all_or_nothing(f"the work of shard {shard.number}"):
            await processor.work(shard)
        self._fatal(f"shard {shard.number} of {self._plan.group} stopped working")

    async def _quiesce(self, entry: _Open) -> None:
        if entry.worker is not None:
            entry.worker.cancel()
            await asyncio.gather(entry.worker, return_exceptions=True)
            entry.worker = None
            entry.processor.close(entry.shard)  # once, however often a stop follows a revoke
        await entry.shard.commit()

    async def _close(self, entry: _Open) -> None:
        if not isinstance(entry.processor, Worker):
            entry.processor.close(entry.shard)
        await entry.shard.close()


def _load_seen(seen: SeenIds, plan: Plan, number: int, today: int) -> None:
    def sink(messages: list[Any], position: int) -> None:
        for message in messages:
            seen.load(DAY.unpack(message.key())[0], message.value(), today)

    read_to_end(plan.kafka, plan.prefix + plan.seen, number, 0, sink)
