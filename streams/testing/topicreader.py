"""Reading topics whole, as an outsider would: committed records only, to the end of the log as of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition


@dataclass(frozen=True, slots=True)
class Seen:
    """One record as a reader finds it. `timestamp`: broker's milliseconds."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]
    timestamp: int


class TopicReader:
    """Reads topics of one cluster. `kafka`: librdkafka configuration; `prefix` is put before catalogue names."""

    def __init__(self, kafka: Mapping[str, Any], prefix: str) -> None:
        self._prefix = prefix
        self._kafka = dict(kafka)
        self._consumer = Consumer(
            {
                **kafka,
                "group.id": "sluice-oracle",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
            }
        )

    def read(self, topic: str) -> list[Seen]:
        """All records, in offset order per partition. Raises KafkaException."""
        name = self._prefix + topic
        partitions = self._consumer.list_topics(name, timeout=30).topics[name].partitions
        return self._read([TopicPartition(name, number, 0) for number in partitions])

    def _read(self, starts: list[TopicPartition]) -> list[Seen]:
        self._consumer.assign(starts)
        left = {start.partition for start in starts}
        records: list[Seen] = []
        while left:
            for message in self._consumer.consume(10_000, 0.1):
                error = message.error()
                if error is None:
                    records.append(_seen(message))
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard(message.partition())
                else:
                    raise KafkaException(error)
        self._consumer.unassign()
        return records

    def latest(self, topic: str) -> dict[bytes, bytes]:
        """What a compacted topic says now: last value per key, deleted keys left out."""
        last: dict[bytes, bytes | None] = {}
        for record in self.read(topic):
            last[record.key or b""] = record.value
        return {key: value for key, value in last.items() if value is not None}

    def caught_up(self, role: str, topics: Iterable[str]) -> bool:
        """Whether a role's group has committed every record of these topics. Markers of transactions at the end of a
        partition are not records, so the last committed offset may stand a few before the end."""
        group = Consumer({**self._kafka, "group.id": f"{self._prefix}{role}", "enable.auto.commit": False})
        try:
            return all(self._committed(group, self._prefix + topic) for topic in topics)
        finally:
            group.close()

    def _committed(self, group: Consumer, name: str) -> bool:
        numbers = group.list_topics(name, timeout=30).topics[name].partitions
        stored = group.committed([TopicPartition(name, number) for number in numbers], 30)
        return not self._read([TopicPartition(name, tp.partition, max(0, tp.offset)) for tp in stored])

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


def _seen(message: Any) -> Seen:
    return Seen(
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
        message.timestamp()[1],
    )
