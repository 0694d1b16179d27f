"""Opens, feeds and closes the shards that the group gives this process.

Order on assignment, which is what makes it safe: fence (init_transactions) -> roll the store forward -> load seen ids
-> ask for the committed offsets -> open the role -> only then is its input fetched, each shard when it is ready. A
shard that stays with this process over one rebalance stays open, or goes on restoring; anything else is opened anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NoReturn

import structlog

from streams.shard.api import Diverter, Incoming, Processor, Worker
from streams.shard.attempts import GUILTY, Attempts
from streams.shard.live import LiveShard
from streams.shard.offsets import Lost, Offsets
from streams.shard.plan import Plan
from streams.shard.restore import Restore
from streams.shard.restoring import Restoring
from streams.shard.rows import CachedRows

TICK = 0.1  # seconds between two ticks of a processor
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Open:
    shard: LiveShard
    processor: Processor
    attempts: Attempts
    worker: asyncio.Task[None] | None = None


class Host:
    """The shards of one process. All methods run on the event loop that Faust runs on."""

    def __init__(self, plan: Plan, fatal: Callable[[str], NoReturn]) -> None:
        self._plan = plan
        self._fatal = fatal
        self._open: dict[int, _Open] = {}
        self._restoring = Restoring(plan, self._begin, fatal)
        self._generation = -1
        self._suspended = True
        self._executor = ThreadPoolExecutor(32, thread_name_prefix="shard")
        self._offsets: Offsets | None = None
        self._assigned = False
        self._stopped = False

    # -- what health asks

    @property
    def ready(self) -> bool:
        """Whether shards are assigned and all of them are open."""
        return self.obstacle() is None

    def obstacle(self) -> str | None:
        """Why not all shards work, None when they do."""
        if not self._assigned or self._stopped:
            return "no shards are assigned yet"
        restoring = len(self._restoring.numbers)
        if not restoring:
            return None
        return "; ".join(
            (f"restoring {restoring} of {restoring + len(self._open)} shards", *self._restoring.troubles())
        )

    async def opened(self) -> None:
        """Return when no shard restores any more."""
        await self._restoring.done()

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
        """Close what went, keep what stayed over exactly one rebalance, fence the rest and begin to restore it."""
        if self._stopped:
            return  # the group may assign once more while the process leaves it
        stayed = generation == self._generation + 1
        self._generation = generation
        kept = numbers if stayed else set()
        gone = [self._open.pop(n) for n in self._open.keys() - kept]
        await asyncio.gather(self._restoring.abandon(self._restoring.numbers - kept), *map(self._close, gone))
        new = sorted(numbers - self._open.keys() - self._restoring.numbers)
        await self._restoring.start(new, await self._group_offsets())
        self._suspended = False
        for entry in self._open.values():
            self._resume(entry)
        self._restoring.release()
        self._assigned = True
        log.info(
            "shards assigned",
            group=self._plan.group,
            shards=sorted(numbers),
            open=sorted(self._open),
            restoring=sorted(self._restoring.numbers),
            generation=generation,
        )

    async def revoked(self, numbers: set[int]) -> None:
        """Finish: no work is started, what is gathered is committed, nothing is opened. Called when no batch is being
        processed. Shards that restore go on reading: they have nothing to commit."""
        self._suspended = True
        self._restoring.hold()
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
        fetched.unpack()
        records = fetched if fetched and fetched[0].offset >= expected else [r for r in fetched if r.offset >= expected]
        shard.fetched(topic, fetched.next, fetched.end)
        if not records:
            shard.skip(topic, fetched.next)
            return
        with self._all_or_nothing(f"{topic} [{number}] from {expected}"):
            limit = self._attempt(entry, topic, records)
        shard.advance(topic, fetched.next, limit)
        self._plan.recorder.batch(topic, number, len(records), fetched[-1].timestamp or 0)
        await shard.room()

    def _attempt(self, entry: _Open, topic: str, records: Sequence[Incoming]) -> int | None:
        """Process the records in as many runs as earlier deaths demand: one, but for records that were under way."""
        shard, attempts, name = entry.shard, entry.attempts, topic.removeprefix(self._plan.prefix)
        limit: int | None = None
        for run in attempts.runs(topic, records):
            deaths = attempts.deaths(topic, run[0].offset) if attempts.suspects else 0
            if deaths >= GUILTY and isinstance(entry.processor, Diverter):
                limit = entry.processor.divert(shard, name, run[0], deaths)
                self._tell_diverted(topic, shard.number, run[0].offset, deaths)
            else:
                with attempts.under_way(topic, run):
                    limit = entry.processor.process(shard, name, run)
        attempts.passed(topic, records[-1].offset + 1)
        return limit

    def _tell_diverted(self, topic: str, number: int, offset: int, deaths: int) -> None:
        log.error(
            "a record ended the process again and again, and is a dead letter now",
            group=self._plan.group,
            topic=topic,
            partition=number,
            offset=offset,
            deaths=deaths,
        )

    async def tick(self) -> None:
        """Run for ever: let processors act on time."""
        while True:
            await asyncio.sleep(TICK)
            self._plan.recorder.alive()
            self._restoring.report()
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
        self._stopped = True
        await self.revoked(set(self._open))
        await self._restoring.close()
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

    def _begin(self, restored: Restore) -> None:
        """A shard is restored and still ours: from here on it works."""
        plan, number = self._plan, restored.number
        store, transactions, attempts, seen = restored.store, restored.transactions, restored.attempts, restored.seen
        start = restored.start
        assert attempts is not None
        assert store is not None
        assert seen is not None
        assert transactions is not None
        assert self._offsets is not None
        shard = LiveShard(
            number,
            prefix=plan.prefix,
            store=store,
            rows=CachedRows(store, plan.row_cache),
            seen=seen,
            transactions=transactions,
            metadata=self._offsets.metadata,
            positions=start.committed,
            interval=plan.interval,
            executor=self._executor,
            fatal=self._fatal,
            committed=lambda seconds, records: plan.recorder.committed(number, seconds, records),
        )
        for lost in start.lost:
            self._skip(shard, lost)
        shard.start()
        entry = _Open(shard, plan.processor(), attempts)
        with self._all_or_nothing(f"opening shard {number}"):
            entry.processor.open(shard)
        self._open[number] = entry
        self._work_on(entry)
        shard.wake()
        seconds = restored.progress.seconds
        plan.recorder.restored(number, seconds, restored.progress.rows)
        log.info(
            "shard opened",
            group=plan.group,
            shard=number,
            rows_read=restored.progress.rows,
            seen=len(seen),
            positions=dict(start.positions),
            store=store.why_empty or "rolled forward",
            seconds=round(seconds, 3),
        )

    def _skip(self, shard: LiveShard, lost: Lost) -> None:
        """Go on behind records that nobody will ever read, and say so."""
        shard.advance(lost.topic, lost.end, None)
        self._plan.recorder.skipped(lost.topic, lost.records)
        log.error(
            "records were deleted before they were read and are skipped, as SLUICE_OFFSETS_LOST says: what they said "
            "stays unknown here until their sources are read anew",
            group=self._plan.group,
            topic=lost.topic,
            partition=lost.partition,
            first=lost.start,
            end=lost.end,
            records_at_most=lost.records,
        )

    def _resume(self, entry: _Open) -> None:
        """A shard that stayed open over a rebalance. Only workers were closed."""
        if isinstance(entry.processor, Worker):
            with self._all_or_nothing(f"opening shard {entry.shard.number}"):
                entry.processor.open(entry.shard)
            entry.shard.wake()
            self._work_on(entry)

    def _work_on(self, entry: _Open) -> None:
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
        entry.attempts.close()
