"""Reading a compacted or packed topic partition to its end, fast: restore of rows, of seen ids, of replicas.

`get_watermark_offsets` of an uncommitted reader gives the true end (past another member's open transaction); the
reader itself is read_committed and uses end-of-partition events, because `consume` otherwise waits out its timeout.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from streams.shard.store import Store

_CHUNK = 5_000
_POLL = 0.05  # seconds
ELECTION = 15.0  # seconds without a leader before giving up
_ELECTING = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
STALLED = 120.0  # seconds without progress before giving up


def read_to_end(
    config: Mapping[str, Any],
    topic: str,
    partition: int,
    start: int,
    sink: Callable[[list[Message], int], None],
    bounds: tuple[int, int] | None = None,
) -> None:
    """Feed `sink(messages, next offset)` from `start` to the end of the log: as of now, or as `bounds` say.

    Raises KafkaException, or TimeoutError when an open transaction or
    an away broker keeps the end out of reach for two minutes.
    """
    base = {
        **config,
        "group.id": "sluice-restore",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "fetch.wait.max.ms": 10,
        "queued.max.messages.kbytes": 16_384,
    }
    low, end = bounds or _bounds(base, topic, partition)
    position = max(start, low)
    if position >= end:
        return
    reader = Consumer({**base, "isolation.level": "read_committed", "enable.partition.eof": True})
    try:
        reader.assign([TopicPartition(topic, partition, position)])
        moved = time.monotonic()
        while position < end:
            messages, position_now = _chunk(reader, position)
            sink(messages, position_now)
            if position_now > position:
                position, moved = position_now, time.monotonic()
            elif time.monotonic() - moved > STALLED:
                raise TimeoutError(f"{topic} [{partition}] stands at {position} of {end}: an open transaction?")
    finally:
        reader.close()


def _bounds(base: Mapping[str, Any], topic: str, partition: int) -> tuple[int, int]:
    probe = Consumer({**base, "isolation.level": "read_uncommitted"})
    try:
        return log_bounds(probe, topic, partition)
    finally:
        probe.close()


def log_bounds(consumer: Consumer, topic: str, partition: int) -> tuple[int, int]:
    """Start and end of a partition's log. Raises KafkaException; an election of its leader is waited for."""
    deadline = time.monotonic() + ELECTION
    while True:
        try:
            low, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=30)
        except KafkaException as error:
            if error.args[0].code() not in _ELECTING or time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return int(low), int(end)


def _chunk(reader: Consumer, position: int) -> tuple[list[Message], int]:
    messages: list[Message] = []
    for message in reader.consume(_CHUNK, _POLL):
        error = message.error()
        if error is None:
            messages.append(message)
            position = message.offset() + 1
        elif error.code() == KafkaError._PARTITION_EOF:
            position = max(position, message.offset())  # behind control records and aborted data
        else:
            raise KafkaException(error)
    return messages, position


def restore(store: Store, config: Mapping[str, Any], topic: str, delete_retention_ms: int, now_ms: int) -> int:
    """Roll a store forward to the changelog's end. Returns the number of rows read.

    The store is begun anew when it is ahead of the log (the topic was made anew) or so old that tombstones it never
    saw may already be gone.
    """
    bounds = _bounds({**config, "group.id": "sluice-restore"}, topic, store.identity.partition)
    end = bounds[1]  # it stays the end: the owner before us is fenced and nobody else writes
    if store.position > end:
        store.restart(f"its position {store.position} is past the changelog's end {end}")
    elif store.position and now_ms - store.written_at > delete_retention_ms // 2:
        store.restart(f"it was written {(now_ms - store.written_at) / 3.6e6:.0f} hours ago; tombstones may be gone")
    count = 0

    def sink(messages: list[Message], position: int) -> None:
        nonlocal count
        count += len(messages)
        store.write({message.key(): message.value() for message in messages}, position, now_ms)

    read_to_end(config, topic, store.identity.partition, store.position, sink, bounds)
    return count
