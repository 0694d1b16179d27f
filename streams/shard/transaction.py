"""One Kafka transaction per batch: outputs, changelog rows, seen ids and source offsets, or nothing.

The transactional id `<group>-<shard>` fences: `init_transactions` ends the previous owner's transaction and every later
call of that owner fails. Group metadata of a never-subscribed consumer (generation -1) is therefore enough for the
offsets. All calls here block and run in worker threads.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, repeat, starmap
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from schemas.headers import NAME
from streams.shard.api import Entry
from streams.shard.idfiles import ID_SIZE

CALL_TIMEOUT = 30.0  # seconds for one blocking producer call
INIT_DEADLINE = 60.0  # seconds until a dead predecessor's transaction must have been ended
DAY = struct.Struct(">I")
SEEN_BYTES = 32_768 * ID_SIZE  # of one record: half of what a topic takes by default


@dataclass(slots=True)
class Batch:
    """What one transaction holds. Topics are full names; `outputs`: by topic and partition; `latest`: by topic and key;
    `offsets`: topic, next offset."""

    outputs: Mapping[tuple[str, int], Sequence[Entry]] = field(default_factory=dict)
    latest: Mapping[str, Mapping[bytes, bytes | None]] = field(default_factory=dict)
    rows: Mapping[bytes, bytes | None] = field(default_factory=dict)
    seen: bytes = b""
    seen_day: int = 0
    offsets: list[tuple[str, int]] = field(default_factory=list)

    def __len__(self) -> int:
        several = (*self.outputs.values(), *self.latest.values())
        return sum(map(len, several)) + len(self.rows)

    def __bool__(self) -> bool:
        return bool(self.outputs or self.latest or self.rows or self.seen or self.offsets)


class Transactions:
    """The transactional producer of one shard."""

    def __init__(
        self,
        config: Mapping[str, Any],
        *,
        transactional_id: str,
        timeout_ms: int,
        shard: int,
        changelog: str,
        seen: str,
    ) -> None:
        self._shard = shard
        self._changelog = changelog
        self._seen = seen
        self._position: int | None = None
        self._producer = Producer(
            {
                **config,
                "transactional.id": transactional_id,
                "transaction.timeout.ms": timeout_ms,
                "enable.idempotence": True,
                "acks": "all",
                "compression.type": "lz4",
                "linger.ms": 20,
                "queue.buffering.max.messages": 1_000_000,
                "queue.buffering.max.kbytes": 262_144,
                "message.max.bytes": 9_437_184,
            }
        )
        self._id = transactional_id

    def init(self) -> None:
        """Fence the previous owner and end its transaction. Raises KafkaException after 60 s of trying."""
        deadline = time.monotonic() + INIT_DEADLINE
        while True:
            try:
                self._producer.init_transactions(CALL_TIMEOUT)
            except KafkaException as error:
                if not error.args[0].retriable() or time.monotonic() > deadline:
                    raise
            else:
                return

    def commit(self, batch: Batch, metadata: object) -> int | None:
        """Write the batch in one transaction. Returns the changelog position after it, None when it had no rows.

        Raises KafkaException or BufferError; whatever it is, the process must end: a restart converges.
        """
        produce = self._producer.produce
        shard = self._shard
        self._position = None
        self._producer.begin_transaction()
        for (topic, partition), records in batch.outputs.items():
            for key, value, headers in records:
                if headers is None:
                    produce(topic, value, key, partition)
                else:  # by position: arguments by name cost a third of the call
                    listed = [(NAME, headers)] if isinstance(headers, bytes) else headers
                    produce(topic, value, key, partition, None, None, 0, listed)
        for topic, values in batch.latest.items():
            _exhaust(map(produce, repeat(topic), values.values(), values, repeat(shard)))
        for at in range(0, len(batch.seen), SEEN_BYTES):
            produce(self._seen, batch.seen[at : at + SEEN_BYTES], DAY.pack(batch.seen_day), shard)
        self._produce_rows(batch.rows)
        if batch.offsets:
            offsets = [TopicPartition(topic, shard, offset) for topic, offset in batch.offsets]
            self._producer.send_offsets_to_transaction(offsets, metadata, CALL_TIMEOUT)
        self._producer.commit_transaction(CALL_TIMEOUT)
        self._producer.poll(0)
        if batch.rows and self._position is None:
            raise KafkaException(KafkaError(KafkaError._STATE, "committed without a report of the last changelog row"))
        return self._position

    def _produce_rows(self, rows: Mapping[bytes, bytes | None]) -> None:
        """One changelog row per touched key, one delivery report for the last of them."""
        produce, topics, shards = self._producer.produce, repeat(self._changelog), repeat(self._shard)
        several = zip(topics, rows.values(), rows, shards, strict=False)
        _exhaust(starmap(produce, islice(several, max(0, len(rows) - 1))))
        for last in several:
            produce(*last, self._reported)

    def _reported(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self._position = message.offset() + 1


def _exhaust(calls: Iterable[None]) -> None:
    """Make the calls: a quarter cheaper each than by a loop that names its arguments, and other threads still get their
    turns."""
    for _ in calls:
        pass
