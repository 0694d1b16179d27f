"""aiokafka without a Python object per record: a fetch arrives as one list of its own C records, made where it is used.

aiokafka unpacks a fetched partition record by record into dataclasses, which costs more than everything we do with
them. Here the same rules (checksum, aborted transactions, control batches, a fetch that starts inside a batch) are
kept and whole broker batches pass through. `install()` swaps the two classes of `aiokafka.consumer.fetcher`; the
versions are pinned and tests/integration/worker holds the behaviour.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import aiokafka.consumer.fetcher as fetcher
from aiokafka.errors import CorruptRecordException

Record = Any


class Fetched(list[Record]):
    """Records of one partition in offset order, once it is unpacked, and the position the fetch started from.

    Records made in the thread that works on them are in its CPU cache, and their memory goes back to where it came
    from: 5 % of the CPU of a backlog. A fetch that is not unpacked is true, even if compaction has left nothing in it.

    `end` is the partition's high watermark, None where unknown. A consumer that expected less than `start` has lost
    records on the way, one that expected more than `end` reads another log than before: see streams.shard.host.
    """

    __slots__ = ("_packed", "end", "next", "start")

    def __init__(self, start: int, end: int | None = None) -> None:
        super().__init__()
        self.start = start
        self.next = start
        self.end = end
        self._packed: list[Iterable[Record]] = []

    def __bool__(self) -> bool:
        return bool(self._packed) or len(self) > 0

    def add(self, batch: Iterable[Record]) -> None:
        """The next batch, of which the records are made by `unpack`."""
        self._packed.append(batch)

    def unpack(self) -> None:
        """Make the records that are not made yet."""
        for batch in self._packed:
            self.extend(batch)
        self._packed.clear()


class BatchRecords(fetcher.PartitionRecords):
    """Yields broker batches, which yield C records, instead of one dataclass per record."""

    next_fetch_offset: int

    @property
    def size(self) -> int:
        """Bytes of the response, as they came."""
        return int(self._records.size_in_bytes())

    def _unpack_records(self) -> Iterator[Iterable[Record]]:
        records = self._records
        while records.has_next():
            batch = records.next_batch()
            if self._check_crcs and not batch.validate_crc():
                raise CorruptRecordException(f"the broker sent a batch with a wrong checksum for {self._tp}")
            if self._visible(batch):
                start = self.next_fetch_offset
                self.next_fetch_offset = batch.next_offset
                if batch.base_offset >= start:
                    yield batch
                elif rest := [record for record in batch if record.offset >= start]:
                    yield rest
            else:
                self.next_fetch_offset = batch.next_offset

    def _visible(self, batch: Any) -> bool:
        """False for control batches and, when only committed data is wanted, for what an aborted producer wrote."""
        if self._isolation_level == fetcher.READ_COMMITTED and batch.producer_id is not None:
            self._consume_aborted_up_to(batch.base_offset)
            if batch.is_control_batch and self._contains_abort_marker(batch):
                self._aborted_producers.discard(batch.producer_id)
            if batch.is_transactional and batch.producer_id in self._aborted_producers:
                return False
        return not batch.is_control_batch


class BatchResult(fetcher.FetchResult):
    """Hands over a whole fetch response per partition; the fetch size bounds it."""

    _partition_records: Any

    @property
    def size(self) -> int:
        """Bytes of the response, as they came."""
        return int(self._partition_records.size)

    def getall(self, max_records: int | None = None) -> list[Record]:
        """All records of this response; `max_records` is not needed and ignored."""
        if not self.check_assignment(self._topic_partition) or not self.has_more():
            return []
        state = self._assignment.state_value(self._topic_partition)
        fetched = Fetched(_chained_start(state, self._partition_records.next_fetch_offset), state.highwater)
        for batch in self._partition_records:
            fetched.add(batch)
        fetched.next = self._partition_records.next_fetch_offset
        state.sluice_invisible = None if fetched else (fetched.start, fetched.next)
        self._update_position()
        self._partition_records = None
        return fetched


def _chained_start(state: Any, position: int) -> int:
    """Where the records from `position` on follow what was last handed over: fetches in which nothing was visible
    (control batches, aborted data) are never seen by anybody, so their span belongs to the next one."""
    invisible = getattr(state, "sluice_invisible", None)
    if invisible is not None and invisible[1] == position:
        return int(invisible[0])
    return position


def install() -> None:
    """Make aiokafka's fetcher use the classes of this module, for the whole process. Idempotent."""
    fetcher.PartitionRecords = BatchRecords
    fetcher.FetchResult = BatchResult
