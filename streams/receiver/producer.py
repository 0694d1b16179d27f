"""Raw records into Kafka, each answered by the fate of its delivery report.

Two things decide the cost (measured): delivery reports are taken on the loop itself, once a millisecond while there
are any to come, because a second thread would make every request hand over the interpreter's lock; and records
linger for a millisecond so that the broker sees batches.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from confluent_kafka import KafkaException, Producer

from connectors.kit.waiting import event_within

_POLL = 0.001  # seconds between two looks for reports, which is as fine as the loop's clock is
_SWEEP = 0.2  # seconds between two looks for reports that are overdue
Headers = list[tuple[str, bytes]]


class Away(Exception):
    """The record is not known to be in Kafka: no report in time, a failed report, or no room to queue it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the producer waits. `linger_ms`: for a fuller batch; `delivery` and `request`, in seconds: until
    librdkafka gives a record up, and until the vendor is answered, come what may."""

    linger_ms: float = 1
    delivery: float = 3.5
    request: float = 4.0


@dataclass(frozen=True, slots=True)
class Record:
    """A record to produce. `topic` is a catalogue name; the partition follows from the key."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class Sink(Protocol):
    """Where the receiver's records go."""

    def send(self, record: Record) -> asyncio.Future[None]:
        """A future that is done when the record is acknowledged by all in-sync replicas, and raises Away otherwise.

        Raises Away at once when nothing more can be queued.
        """
        ...


@dataclass
class MemoryProducer:
    """A Sink that keeps its records, for tests. `fails` answers with Away; `holds` leaves records unanswered."""

    records: list[Record] = field(default_factory=list)
    fails: bool = False
    full: bool = False
    holds: bool = False
    held: list[asyncio.Future[None]] = field(default_factory=list)

    def send(self, record: Record) -> asyncio.Future[None]:
        if self.full:
            raise Away("the queue is full")
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.fails:
            future.set_exception(Away("the broker is away"))
            return future
        self.records.append(record)
        if self.holds:
            self.held.append(future)
        else:
            future.set_result(None)
        return future


class KafkaProducer:
    """An idempotent producer with acks=all. Lives on one event loop: `start` and `send` are called there.

    `prefix` stands before catalogue names.
    """

    def __init__(self, kafka: Mapping[str, Any], prefix: str, pace: Pace | None = None) -> None:
        pace = pace or Pace()
        self._prefix = prefix
        self._deadline = pace.request - 2 * _SWEEP  # answered within `request` whenever the sweep comes
        self._producer = Producer(
            {
                **kafka,
                "enable.idempotence": True,
                "acks": "all",
                # In C the same function as schemas.identity.partition, which costs four microseconds more.
                "partitioner": "murmur2_random",
                "linger.ms": pace.linger_ms,
                "compression.type": "lz4",
                "delivery.timeout.ms": round(pace.delivery * 1000),
                "request.timeout.ms": min(3_000, round(pace.delivery * 900)),
                "socket.timeout.ms": 4_000,
                "reconnect.backoff.max.ms": 1_000,
                "message.max.bytes": 9_437_184,
                "queue.buffering.max.kbytes": 131_072,
            }
        )
        self._names: dict[str, str] = {}
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._unreported = 0
        self._polling = False
        self._all_reported = asyncio.Event()
        self._all_reported.set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sweeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Take reports from now on. Call it on the loop that sends."""
        self._loop = asyncio.get_running_loop()
        self._sweeper = self._loop.create_task(self._sweep(), name="overdue-reports")

    def send(self, record: Record) -> asyncio.Future[None]:
        loop = self._loop
        assert loop is not None, "start() comes first"
        future: asyncio.Future[None] = loop.create_future()
        try:
            self._producer.produce(
                self._name(record.topic),
                record.value,
                record.key,
                on_delivery=partial(self._report, future),
                headers=record.headers,
            )
        except (BufferError, KafkaException) as error:
            raise Away(str(error)) from error
        self._waiting.append((loop.time() + self._deadline, future))
        self._unreported += 1
        if not self._polling:
            self._polling = True
            self._all_reported.clear()
            loop.call_later(_POLL, self._poll)
        return future

    def reachable(self, within: float = 1.5) -> bool:
        """Whether a broker answers within so many seconds. Blocks; call it from another thread."""
        try:
            return bool(self._producer.list_topics(timeout=within).brokers)
        except KafkaException:
            return False

    async def close(self, within: float = 5.0) -> int:
        """Flush what is queued and stop. Returns how many records are still unanswered after `within` seconds."""
        await event_within(self._all_reported, within)
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._expire(float("inf"))
        return self._unreported

    def _name(self, topic: str) -> str:
        name = self._names.get(topic)
        if name is None:
            name = self._names[topic] = self._prefix + topic
        return name

    def _poll(self) -> None:
        self._producer.poll(0)
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        self._polling = self._unreported > 0
        if self._polling:
            assert self._loop is not None
            self._loop.call_later(_POLL, self._poll)
        else:
            self._all_reported.set()

    def _report(self, future: asyncio.Future[None], error: Any, _: Any) -> None:
        self._unreported -= 1
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(Away(str(error)))

    async def _sweep(self) -> None:
        """librdkafka looks for timed out records once a second only, which is too late for the vendor's patience."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP)
            self._expire(loop.time())

    def _expire(self, now: float) -> None:
        while self._waiting and (self._waiting[0][0] <= now or self._waiting[0][1].done()):
            future = self._waiting.popleft()[1]
            if not future.done():
                future.set_exception(Away("no delivery report in time"))
