"""Reading a compacted or packed topic partition to its end, fast: restore of rows, of seen ids, of replicas.

`get_watermark_offsets` of an uncommitted reader gives the true end (past another member's open transaction); the
reader itself is read_committed and uses end-of-partition events, because `consume` otherwise waits out its timeout.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

_CHUNK = 5_000
_POLL = 0.05  # seconds
ASKING = 10.0  # seconds that a question for the bounds of a log may take
ELECTION = 15.0  # seconds without a leader before giving up
_ELECTING = (KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE)
STALLED = 30.0  # seconds without progress before giving up


class Cut(Exception):
    """A changelog begins behind what the local store holds: what was before is gone, and so is part of the state."""

    def __init__(self, topic: str, partition: int, position: int, low: int) -> None:
        super().__init__(
            f"the changelog {topic} [{partition}] begins at {low}, the local store ends at {position}: rows between "
            "them were deleted, and a state without them would be wrong. Is its cleanup.policy still compact? See "
            f"kafka-configs --describe --entity-type topics --entity-name {topic}; put back a state folder that holds "
            "the missing rows, or move the group and its changelog away and process the inputs again"
        )


def read_to_end(
    config: Mapping[str, Any],
    topic: str,
    partition: int,
    start: int,
    sink: Callable[[list[Message], int], None],
    bounds: tuple[int, int] | None = None,
) -> None:
    """Feed `sink(messages, next offset)` from `start` to the end of the log: as of now, or as `bounds` say.

    Raises KafkaException, or TimeoutError when an open transaction or an away broker keeps the end out of reach for
    STALLED seconds.
    """
    base = {
        **config,
        "group.id": "sluice-restore",
        "enable.auto.commit": False,
        "auto.offset.reset": "error",
        "fetch.wait.max.ms": 10,
        "queued.max.messages.kbytes": 16_384,
        "fetch.queue.backoff.ms": 5,  # by default a full queue stops fetching for a whole second
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
            low, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=ASKING)
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
