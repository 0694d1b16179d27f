"""Reading topics whole, as an outsider would: committed records only, to the end of the log as of now."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.admin import TopicsMismatch, existing_topics
from streams.runtime.cluster import open_admin
from streams.runtime.settings import Settings

Keep = Callable[[bytes | None, bytes | None], bool]


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
                "group.id": "sluice-reader",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
            }
        )

    def read(self, topic: str) -> list[Seen]:
        """All records, in offset order per partition. Raises KafkaException."""
        return list(self.scan(topic, range(self.partitions(topic))))

    def partitions(self, topic: str) -> int:
        """How many it has, as the broker says. Raises KafkaException."""
        name = self._prefix + topic
        return len(self._consumer.list_topics(name, timeout=30).topics[name].partitions)

    def scan(
        self,
        topic: str,
        partitions: Iterable[int],
        keep: Keep = lambda key, value: True,
        starts: Mapping[int, int] | None = None,
    ) -> Iterator[Seen]:
        """The records of some partitions for whose key and value `keep` holds, in offset order per partition; memory
        does not grow with what is passed over. `starts`: the first offset of a partition, 0 where it names none. One
        scan at a time. Raises KafkaException."""
        first = starts or {}
        numbers = sorted(set(partitions))
        return self._scan([TopicPartition(self._prefix + topic, one, first.get(one, 0)) for one in numbers], keep)

    def offsets_at(self, topic: str, milliseconds: int) -> dict[int, int]:
        """Per partition the offset of the first record of that time or later, by the broker's clock; the end of a
        partition that has none. Raises KafkaException."""
        name = self._prefix + topic
        asked = [TopicPartition(name, number, milliseconds) for number in range(self.partitions(topic))]
        found = {one.partition: one.offset for one in self._consumer.offsets_for_times(asked, 30)}
        return {number: self._end(name, number) if at < 0 else at for number, at in found.items()}

    def _end(self, name: str, number: int) -> int:
        end: int = self._consumer.get_watermark_offsets(TopicPartition(name, number), 30)[1]
        return end

    def _scan(self, starts: list[TopicPartition], keep: Keep) -> Iterator[Seen]:
        self._consumer.assign(starts)
        left = {start.partition for start in starts}
        try:
            while left:
                for message in self._consumer.consume(10_000, 0.1):
                    error = message.error()
                    if error is None:
                        if keep(message.key(), message.value()):
                            yield _seen(message)
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left.discard(message.partition())
                    else:
                        raise KafkaException(error)
        finally:
            self._consumer.unassign()

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
        starts = [TopicPartition(name, tp.partition, max(0, tp.offset)) for tp in stored]
        return not list(self._scan(starts, lambda key, value: True))

    def close(self) -> None:
        """Leave."""
        self._consumer.close()


def open_reader(settings: Settings, needed: Collection[str]) -> TopicReader:
    """A reader of a cluster that answers and has these topics (catalogue names). Raises BrokerUnavailable, and
    TopicsMismatch naming what is missing."""
    prefix = settings.topic_prefix
    found = existing_topics(open_admin(settings))
    missing = [prefix + name for name in needed if prefix + name not in found]
    if missing:
        raise TopicsMismatch(
            f"the cluster {settings.bootstrap} has no topic {', '.join(missing)}; is SLUICE_TOPIC_PREFIX "
            f"({prefix!r}) right? `sluice topics plan` shows what is missing, `sluice topics apply` makes it"
        )
    return TopicReader(settings.librdkafka(), prefix)


def _seen(message: Any) -> Seen:
    return Seen(
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
        message.timestamp()[1],
    )
