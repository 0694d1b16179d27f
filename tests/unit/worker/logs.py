"""Fetch answers made by hand: record batches as a broker sends them, and both ways to unpack them."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import READ_COMMITTED, READ_UNCOMMITTED
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c_py
from aiokafka.structs import TopicPartition

from streams.worker.records import BatchRecords

STOCK = fetcher.PartitionRecords  # taken before anybody installs ours
TP = TopicPartition("t", 0)
CODECS = {"none": 0, "gzip": 1, "snappy": 2, "lz4": 3, "zstd": 4}
_CRC_AT, _ATTRIBUTES_AT, _CONTROL = 17, 21, 0x20


@dataclass
class Batch:
    """`offsets`: which of `base .. base + span` still exist; the rest was compacted away."""

    base: int
    span: int
    offsets: tuple[int, ...]
    producer: int = -1
    transactional: bool = False
    codec: str = "none"

    @property
    def next(self) -> int:
        return self.base + self.span

    def encode(self) -> bytes:
        codec = CODECS[self.codec] if self.offsets else 0  # the cleaner leaves an empty batch without a body
        builder = DefaultRecordBatchBuilder(2, codec, self.transactional, self.producer, 0, 0, 1 << 20)
        for offset in self.offsets:
            value = None if offset % 7 == 6 else b"value of %d" % offset
            builder.append(offset - self.base, 1_700_000_000_000, b"key", value, [("name", b"%d" % offset)])
        return _placed(builder.build(), self.base, self.span)


@dataclass
class Marker:
    """The end of a transaction."""

    base: int
    producer: int
    commit: bool
    span: int = 1
    offsets: tuple[int, ...] = ()

    @property
    def next(self) -> int:
        return self.base + 1

    def encode(self) -> bytes:
        builder = DefaultRecordBatchBuilder(2, 0, True, self.producer, 0, -1, 1 << 20)
        builder.append(0, 1_700_000_000_000, struct.pack(">hh", 0, int(self.commit)), struct.pack(">hi", 0, 0), [])
        return _placed(builder.build(), self.base, 1, control=True)


def _placed(encoded: bytes, base: int, span: int, *, control: bool = False) -> bytes:
    """With the base offset, last offset delta and flags a broker would have written, and the checksum put right."""
    data = bytearray(encoded)
    struct.pack_into(">q", data, 0, base)
    if control:
        attributes = struct.unpack_from(">h", data, _ATTRIBUTES_AT)[0]
        struct.pack_into(">h", data, _ATTRIBUTES_AT, attributes | _CONTROL)
    struct.pack_into(">i", data, _ATTRIBUTES_AT + 2, span - 1)
    struct.pack_into(">I", data, _CRC_AT, calc_crc32c_py(bytes(data[_ATTRIBUTES_AT:])))
    return bytes(data)


@dataclass
class Answer:
    """What one fetch brings."""

    batches: list[Batch | Marker]
    start: int
    committed: bool = True
    aborted: list[tuple[int, int]] = field(default_factory=list)  # producer, first offset

    @property
    def data(self) -> bytes:
        """The broker sends whole batches, from the one that holds the position."""
        return b"".join(batch.encode() for batch in self.batches if batch.next > self.start)

    def unpacker(self, kind: type[Any], data: bytes | None = None) -> Any:
        isolation = READ_COMMITTED if self.committed else READ_UNCOMMITTED
        records = MemoryRecords(self.data if data is None else data)
        return kind(TP, records, list(self.aborted), self.start, None, None, True, isolation)

    def stock(self) -> tuple[list[tuple[Any, ...]], int]:
        """Records as aiokafka unpacks them, and the next position."""
        unpacker = self.unpacker(STOCK)
        return [_facts(record) for record in unpacker], unpacker.next_fetch_offset

    def ours(self) -> tuple[list[tuple[Any, ...]], int]:
        """Records as we unpack them, and the next position."""
        unpacker = self.unpacker(BatchRecords)
        return [_facts(record) for batch in unpacker for record in batch], unpacker.next_fetch_offset


def _facts(record: Any) -> tuple[Any, ...]:
    return (
        record.offset,
        record.timestamp,
        record.timestamp_type,
        record.key,
        record.value,
        tuple(record.headers),
    )
