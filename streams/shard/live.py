"""A shard on Kafka: what its role puts and emits is gathered and committed by a loop of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from operator import itemgetter
from typing import Any, NoReturn, TypeVar

from connectors.kit.waiting import event_within
from streams.shard.api import Entry, Headers
from streams.shard.pace import CommitPace
from streams.shard.rows import CachedRows
from streams.shard.seen import DAY_MS, SeenIds
from streams.shard.store import Store
from streams.shard.transaction import Batch, Transactions

T = TypeVar("T")
_VALUE = itemgetter(1)
FULL = 40_000  # records gathered beyond which processing waits for the commit
FULL_BYTES = 64 << 20


class LiveShard:
    """Implements streams.shard.api.Shard. One event loop owns it; transactions run in the executor.

    Between two awaits of the owner everything gathered is one atom: the commit loop takes all of it at once.
    """

    def __init__(
        self,
        number: int,
        *,
        prefix: str,
        store: Store,
        rows: CachedRows,
        seen: SeenIds,
        transactions: Transactions,
        metadata: object,
        positions: dict[str, int],
        interval: float,
        executor: Executor,
        fatal: Callable[[str], NoReturn],
        committed: Callable[[float, int], None] = lambda seconds, records: None,
    ) -> None:
        self.number = number
        self.rows = rows
        self.next: dict[str, int] = dict(positions)  # full topic -> offset expected next
        self._unread: dict[str, int] = {}
        self._limits: dict[str, int | None] = {}
        self._committed: dict[str, int] = dict(positions)
        self._prefix = prefix
        self._store = store
        self._seen = seen
        self._transactions = transactions
        self._metadata = metadata
        self._pace = CommitPace(interval)
        self._executor = executor
        self._fatal = fatal
        self._report = committed
        self._outputs: dict[tuple[str, int], list[Entry]] = {}
        self._count = 0
        self._latest: dict[str, dict[bytes, bytes | None]] = {}
        self._bytes = 0
        self._wake = asyncio.Event()
        self._urgent = asyncio.Event()
        self._waiters: list[asyncio.Future[None]] = []
        self._busy = False
        self._task: asyncio.Task[None] | None = None

    # -- what the role calls

    def emit(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> None:
        self.emit_all(topic, partition, ((key, value, headers),))

    def emit_all(self, topic: str, partition: int, records: Sequence[Entry]) -> None:
        self._outputs.setdefault((self._prefix + topic, partition), []).extend(records)
        self._count += len(records)
        self._bytes += sum(map(len, filter(None, map(_VALUE, records))))

    def emit_latest(self, topic: str, key: bytes, value: bytes | None) -> None:
        self.emit_latest_of(topic, {key: value})

    def emit_latest_of(self, topic: str, values: Mapping[bytes, bytes | None]) -> None:
        self._latest.setdefault(self._prefix + topic, {}).update(values)
        self._bytes += sum(map(len, filter(None, values.values())))

    def saw(self, event_id: bytes) -> None:
        self._seen.add(_today(), (event_id,))

    def saw_all(self, event_ids: Sequence[bytes]) -> None:
        self._seen.add(_today(), event_ids)

    def seen(self, event_id: bytes) -> bool:
        return event_id in self._seen

    def unread(self, topic: str) -> int:
        return self._unread.get(self._prefix + topic, 0)

    async def commit(self) -> None:
        if not self._dirty() and not self._busy:
            return
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        self._urgent.set()
        self._wake.set()
        await waiter

    # -- what the host calls

    def start(self) -> None:
        """Begin committing."""
        self._task = asyncio.create_task(self._commit_loop(), name=f"shard-{self.number}-commits")
        self._task.add_done_callback(self._ended)

    def fetched(self, topic: str, position: int, end: int | None) -> None:
        """A batch of `topic` (full name) up to `position` is to be processed; the log ended at `end` by then."""
        self._unread[topic] = 0 if end is None else max(0, end - position)

    def advance(self, topic: str, position: int, limit: int | None) -> None:
        """A batch of `topic` (full name) was processed up to `position`; nothing from `limit` on may be committed."""
        self.next[topic] = position
        self.limit(topic, limit)

    def skip(self, topic: str, position: int) -> None:
        """Compaction has left nothing of `topic` (full name) before `position`."""
        self.next[topic] = position
        self._wake.set()

    def limit(self, topic: str, limit: int | None) -> None:
        """The lowest offset of `topic` (full name) that is still held back has changed."""
        self._limits[topic] = limit
        self._wake.set()

    def wake(self) -> None:
        """Something may have been gathered outside a batch: commit it in due time."""
        if self._dirty():
            self._wake.set()

    async def room(self) -> None:
        """Wait while more is gathered than a transaction should hold."""
        while self._count + len(self.rows.touched) > FULL or self._bytes > FULL_BYTES:
            await self.commit()

    async def close(self) -> None:
        """Stop committing (what is gathered is dropped) and close the store."""
        if self._task is not None:
            self._task.remove_done_callback(self._ended)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._in_thread(self._close)

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, partial(work, *arguments))

    def _close(self) -> None:
        self.rows.store(int(time.time() * 1000))
        self._store.close()
        self._seen.close()

    # -- committing

    def _dirty(self) -> bool:
        return bool(self._outputs or self._latest or self.rows.touched or self._offsets())

    def _offsets(self) -> list[tuple[str, int]]:
        offsets = []
        for topic, position in self.next.items():
            limit = self._limits.get(topic)
            safe = position if limit is None else min(position, limit)
            if safe > self._committed[topic]:
                offsets.append((topic, safe))
        return offsets

    async def _commit_loop(self) -> None:
        while True:
            await self._wake.wait()
            records = self._count + len(self.rows.touched)
            delay = self._pace.wait(time.monotonic(), records, self._bytes, len(self._waiters))
            if delay:
                await self._pause(delay)
                continue
            self._wake.clear()
            self._urgent.clear()
            waiters, self._waiters = self._waiters, []
            batch = self._take()
            if batch:
                await self._commit(batch)
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_result(None)
            now_ms = int(time.time() * 1000)
            if self.rows.due(now_ms):
                await self._in_thread(self.rows.store, now_ms)
            await self._file_ids()

    async def _file_ids(self) -> None:
        """Move what is seen from memory into files, one at a time."""
        if (filing := self._seen.filing()) is not None:
            await self._in_thread(self._seen.write, filing)
            self._seen.filed(filing)

    async def _pause(self, delay: float) -> None:
        """Sleep, but not when somebody starts to wait for the commit."""
        await event_within(self._urgent, delay)

    def _take(self) -> Batch:
        batch = Batch(
            self._outputs,
            self._latest,
            self.rows.take(),
            self._seen.take(),
            _today(),
            self._offsets(),
        )
        self._outputs, self._latest, self._count, self._bytes = {}, {}, 0, 0
        return batch

    async def _commit(self, batch: Batch) -> None:
        self._busy = True
        started = time.monotonic()
        position = await self._in_thread(self._transactions.commit, batch, self._metadata)
        now = time.monotonic()
        if position is not None:
            self.rows.committed(position)
        self._committed.update(batch.offsets)
        self._pace.committed(now, len(batch))
        self._report(now - started, len(batch))
        self._busy = False

    def _ended(self, task: asyncio.Task[Any]) -> None:
        if not task.cancelled():
            self._fatal(f"shard {self.number} cannot commit: {task.exception()!r}")


def _today() -> int:
    """Days since the epoch."""
    return int(time.time() * 1000) // DAY_MS
