"""Where a shard begins to read its inputs, and what happens when records were deleted before they were read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from streams.shard.changelog import log_bounds
from streams.shard.plan import OffsetsLost

CALL_TIMEOUT = 10.0  # seconds for one blocking call; it is repeated by who needs the answer


@dataclass(frozen=True, slots=True)
class Lost:
    """Records `start` (the committed offset) to `end` (exclusive) of a partition were deleted unread."""

    topic: str
    partition: int
    start: int
    end: int

    @property
    def records(self) -> int:
        """How many at most; offsets that transactions used for themselves are among them."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Start:
    """Where to read each topic, and what was skipped to get there."""

    positions: Mapping[str, int]
    lost: tuple[Lost, ...] = ()

    @property
    def committed(self) -> dict[str, int]:
        """What the group stands at: the positions, except where records were skipped since."""
        return {**self.positions, **{lost.topic: lost.start for lost in self.lost}}


def start_at(
    topic: str, partition: int, committed: int, low: int, high: int, policy: OffsetsLost
) -> tuple[int, Lost | None]:
    """The offset to read from, of a log `low`..`high`; `committed` is negative when the group never committed.

    Raises LookupError for an offset that is outside the log, unless the records before `low` were deleted and the
    policy is to skip them. An offset behind the log's end is never skipped: it is another log than before.
    """
    if committed < 0:
        return low, None
    if low <= committed <= high:
        return committed, None
    where = f"the committed offset {committed} of {topic} [{partition}] is outside its log {low}..{high}"
    reset = (
        "Decide what to do and set the group's offset with "
        f"kafka-consumer-groups --reset-offsets --topic {topic}:{partition}"
    )
    if committed > high:
        raise LookupError(f"{where}: the topic was cut or made anew. {reset}")
    if policy == "stop":
        raise LookupError(
            f"{where}: {low - committed} records were deleted unread. {reset}, or go on behind them with "
            "SLUICE_OFFSETS_LOST=skip"
        )
    return low, Lost(topic, partition, committed, low)


class Offsets:
    """Committed positions of the group, bounds of logs, and the group's metadata for transactions. Thread-safe."""

    def __init__(self, config: Mapping[str, Any], group: str) -> None:
        base = {**config, "enable.auto.commit": False}
        self._consumer = Consumer({**base, "group.id": group, "isolation.level": "read_committed"})
        self._probe = Consumer({**base, "group.id": "sluice-restore", "isolation.level": "read_uncommitted"})
        self.metadata = self._consumer.consumer_group_metadata()

    def start(self, topics: Iterable[str], partition: int, policy: OffsetsLost) -> Start:
        """Where to read each topic: the committed offset, or the log's start when nothing was ever committed.

        Raises KafkaException, and LookupError as `start_at` does.
        """
        positions: dict[str, int] = {}
        lost: list[Lost] = []
        wanted = [TopicPartition(topic, partition) for topic in topics]
        for tp in self._consumer.committed(wanted, CALL_TIMEOUT):
            if tp.error is not None:  # else a coordinator that is busy would look like a group that never committed
                raise KafkaException(tp.error)
            bounds = log_bounds(self._consumer, tp.topic, partition)
            positions[tp.topic], gone = start_at(tp.topic, partition, tp.offset, *bounds, policy)
            lost += [gone] if gone else []
        return Start(positions, tuple(lost))

    def bounds(self, topic: str, partition: int, *, committed: bool = False) -> tuple[int, int]:
        """Start and true end of a log, past open transactions, or the end of what is committed. Raises
        KafkaException."""
        return log_bounds(self._consumer if committed else self._probe, topic, partition)

    @cached_property
    def cluster_id(self) -> str:
        """Which Kafka cluster this is; a local store of another one is foreign. Raises KafkaException."""
        return str(self._consumer.list_topics(timeout=CALL_TIMEOUT).cluster_id)

    def close(self) -> None:
        """Leave the connections."""
        self._consumer.close()
        self._probe.close()
