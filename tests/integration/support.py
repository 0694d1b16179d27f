"""What the tests on a broker share: topics, records, processes of a role, and waiting for conditions."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

ROOT = Path(__file__).parents[2]
DEADLINE = 45.0  # seconds a condition may take on a busy machine
INPUTS = ("in.v1", "bulk.v1")
COMPACTED = ("changelog.v1", "state.v1")


def until(condition: Callable[[], Any], what: str, timeout: float = DEADLINE) -> Any:
    """Poll until the condition is true and return its value. Raises AssertionError with `what` after `timeout` s."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {timeout:.0f} s: {what}"
        time.sleep(0.05)
    return value


async def eventually(condition: Callable[[], Any], what: str, within: float = DEADLINE) -> Any:
    """`until` for coroutines."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}"
        await asyncio.sleep(0.02)
    return value


@dataclass
class Bench:
    """The topics of one test, under a prefix of their own, and what it does with them."""

    bootstrap: str
    partitions: int = 1
    prefix: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}.")
    written: int = 0

    @property
    def group(self) -> str:
        return f"{self.prefix}counter"

    @property
    def kafka(self) -> dict[str, Any]:
        return {"bootstrap.servers": self.bootstrap}

    def create(self, names: Iterable[str] = (*INPUTS, "out.v1", "seen.v1", *COMPACTED), **config: str) -> Bench:
        """Make the topics; returns itself."""
        topics = [
            NewTopic(
                self.prefix + name,
                self.partitions,
                1,
                config=config | ({"cleanup.policy": "compact"} if name in COMPACTED else {}),
            )
            for name in names
        ]
        admin = AdminClient(self.kafka)  # its futures die with it
        for made in admin.create_topics(topics).values():
            made.result(30)
        until(lambda: self._led([topic.topic for topic in topics]), "every partition has a leader")
        return self

    def _led(self, topics: list[str]) -> bool:
        asked = {TopicPartition(name, n): OffsetSpec.latest() for name in topics for n in range(self.partitions)}
        admin = AdminClient(self.kafka)
        return all(answer.exception(20) is None for answer in admin.list_offsets(asked).values())

    def delete(self, *names: str) -> None:
        """Delete topics and wait until they are gone."""
        admin = AdminClient(self.kafka)
        for done in admin.delete_topics([self.prefix + name for name in names]).values():
            done.result(30)
        until(lambda: not {self.prefix + n for n in names} & set(admin.list_topics(timeout=10).topics), "deleted")

    def truncate(self, topic: str, partition: int, before: int) -> None:
        """Delete the records before an offset, as retention would."""
        tp = TopicPartition(self.prefix + topic, partition, before)
        admin = AdminClient(self.kafka)
        for done in admin.delete_records([tp]).values():
            done.result(30)

    def write(self, lines: Iterable[tuple[int, str, str]], topic: str = "in.v1") -> None:
        """Records of (partition, key, text), acknowledged. No producer of ours: nothing idempotent is needed here."""
        producer = Producer({**self.kafka, "linger.ms": 5, "compression.type": "lz4"})
        for partition, key, text in lines:
            producer.produce(self.prefix + topic, text, key, partition)
        assert producer.flush(30) == 0

    def add(self, count: int, keys: int = 10, topic: str = "in.v1") -> None:
        """`count` further records that the counter role counts, spread over partitions and keys."""
        start = self.written
        self.written += count
        self.write(((n % self.partitions, f"k{n % keys}", f"add {n:016d}") for n in range(start, start + count)), topic)

    def read(self, topic: str, isolation: str = "read_committed") -> list[Message]:
        """Everything in a topic now, partition by partition in offset order."""
        config = {**self.kafka, "group.id": "test-reader", "enable.partition.eof": True, "isolation.level": isolation}
        config |= {"auto.offset.reset": "earliest", "enable.auto.commit": False, "fetch.wait.max.ms": 10}
        consumer = Consumer(config)
        consumer.assign([TopicPartition(self.prefix + topic, n, 0) for n in range(self.partitions)])
        ends, found = 0, []
        deadline = time.monotonic() + DEADLINE
        try:
            while ends < self.partitions:
                assert time.monotonic() < deadline, f"{topic} cannot be read to its end"
                for message in consumer.consume(10_000, 0.05):
                    if message.error() is None:
                        found.append(message)
                    else:
                        ends += 1
        finally:
            consumer.close()
        return sorted(found, key=lambda m: (m.partition(), m.offset()))

    def committed(self, topic: str = "in.v1") -> list[int]:
        """The group's committed offset of each partition, -1 for none."""
        consumer = Consumer({**self.kafka, "group.id": self.group, "isolation.level": "read_committed"})
        try:
            asked = [TopicPartition(self.prefix + topic, n) for n in range(self.partitions)]
            return [max(tp.offset, -1) for tp in consumer.committed(asked, 20)]
        except KafkaException:  # its coordinator is being elected
            return [-1] * self.partitions
        finally:
            consumer.close()

    def ends(self, topic: str = "in.v1") -> list[int]:
        """The end offset of each partition."""
        consumer = Consumer({**self.kafka, "group.id": "test-reader"})
        try:
            asked = [TopicPartition(self.prefix + topic, n) for n in range(self.partitions)]
            return [int(consumer.get_watermark_offsets(tp, 20)[1]) for tp in asked]
        finally:
            consumer.close()

    def consumed(self, topic: str = "in.v1") -> bool:
        """Whether the group has committed everything."""
        return [max(n, 0) for n in self.committed(topic)] == self.ends(topic)

    def wait_consumed(self, topic: str = "in.v1", timeout: float = DEADLINE) -> None:
        until(lambda: self.consumed(topic), f"{topic} is consumed", timeout)

    def outputs(self) -> Counter[str]:
        """How often each id was emitted, in committed transactions."""
        return Counter(m.value().decode() for m in self.read("out.v1"))

    def check_exactly_once(self, beside: Iterable[str] = ()) -> None:
        """Every id written by `add`, and what stands `beside` them, was emitted once; the state is the log's fold."""
        expected = Counter([*(f"{n:016d}" for n in range(self.written)), *beside])
        emitted = self.outputs()
        assert expected - emitted == Counter(), "lost"
        assert emitted - expected == Counter(), "repeated"
        counts: Counter[str] = Counter(
            f"{m.partition()}/{m.key().decode()}" for m in self.read("in.v1") if m.value().startswith(b"add")
        )
        state = {f"{m.partition()}/{m.key().decode()}": int(m.value()) for m in self.read("state.v1")}
        rows = {
            f"{m.partition()}/{m.key()[1:].decode()}": int(m.value())
            for m in self.read("changelog.v1")
            if m.key()[:1] == b"C"
        }
        assert state == dict(counts), "the state is not the fold of the log"
        assert rows == dict(counts), "the changelog is not the fold of the log"


COUNTER, READY = "tests.integration.counter", "shards assigned"


@dataclass
class Member:
    """A process of the counter role, or of another module that takes JSON. It does not survive its `with` block."""

    bench: Bench
    name: str
    folder: Path
    options: dict[str, Any] = field(default_factory=dict)
    module: str = COUNTER
    process: subprocess.Popen[bytes] | None = None
    ready_before: int = 0  # assignments that earlier processes of this name had logged
    log: Path = field(init=False)

    def __post_init__(self) -> None:
        self.log = self.folder / f"{self.name}.log"

    def start(self, **options: Any) -> Member:
        """Start it; returns itself."""
        asked = {
            "bootstrap": self.bench.bootstrap,
            "prefix": self.bench.prefix,
            "group": self.bench.group,
            "instance": self.name,
            "state": str(self.folder / self.name),
            **self.options,
            **options,
        }
        self.ready_before = self.text().count(READY)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", self.module, json.dumps(asked)],
                cwd=ROOT,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONWARNINGS": "ignore"},
            )
        return self

    def _ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def __enter__(self) -> Member:
        return self

    def __exit__(self, *failure: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, timeout: float = DEADLINE) -> int:
        """Its exit code."""
        assert self.process is not None
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {timeout:.0f} s:\n{self.text()[-2000:]}") from None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.send(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL

    def stop(self) -> float:
        """SIGTERM; returns the seconds it took to exit with 0."""
        # Before a process has installed its handlers, the signal ends it at once, and that is not what is tested.
        if self.module == COUNTER:
            until(lambda: self.text().count(READY) > self.ready_before or self._ended(), f"{self.name} is ready")
        started = time.monotonic()
        self.send(signal.SIGTERM)
        code = self.wait()
        assert code == 0, f"{self.name} exited with {code}:\n{self.text()[-2000:]}"
        return time.monotonic() - started

    def text(self) -> str:
        """Its log, without the cursor codes that Faust's worker writes."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return re.sub("\x08|\x1b\\[\\?25[lh]", "", text)

    def wait_for(self, text: str, count: int = 1, timeout: float = DEADLINE) -> None:
        """Until its log says `text` that many times."""

        def said() -> bool:
            assert self.process is not None
            found = self.text().count(text) >= count
            assert found or self.process.poll() is None, f"{self.name} ended early:\n{self.text()[-3000:]}"
            return found

        until(said, f"{self.name} says {text!r}", timeout)

    def wait_stopped(self) -> None:
        """Until it has stopped itself (state T)."""
        assert self.process is not None
        stat = Path(f"/proc/{self.process.pid}/stat")
        until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T", f"{self.name} has stopped itself")
