"""A role for tests: counts records per key, holds some back, and breaks at exactly the moment it is told to.

Records are text: `add <16 digits>` counts and emits the id; `hold <16 digits>` counts and keeps the id back until a
`free` record comes. `boom` raises, `die` kills the interpreter. Run it with
`python -m tests.integration.counter '<json>'`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import structlog
from confluent_kafka import Producer

from streams.shard import changelog, restore, transaction
from streams.shard.api import Incoming, Shard
from streams.shard.host import Host
from streams.shard.plan import Plan
from streams.worker.app import Membership, make_app, run
from streams.worker.exits import die

TOPICS = ("in.v1", "bulk.v1")


class Counter:
    """The processor. `lines` collects what it was given, for tests in the same process."""

    def __init__(self) -> None:
        self.held: dict[str, dict[int, Incoming]] = {}
        self.applied: dict[str, int] = {}
        self.lines: list[tuple[str, int]] = []

    def open(self, shard: Shard) -> None:
        self.held = {topic: {} for topic in TOPICS}
        self.applied = {key[1:].decode(): int(value) for key, value in shard.rows.scan(b"P")}

    def close(self, shard: Shard) -> None:
        return

    def tick(self, shard: Shard) -> dict[str, int | None]:
        return {}

    def process(self, shard: Shard, topic: str, records: Sequence[Incoming]) -> int | None:
        for record in records:
            self.lines.append((topic, record.offset))
            self._one(shard, topic, record, again=record.offset < self.applied.get(topic, 0))
        applied = max(self.applied.get(topic, 0), records[-1].offset + 1)
        self.applied[topic] = applied
        shard.rows.put(b"P" + topic.encode(), b"%d" % applied)
        return min(self.held[topic], default=None)

    def _one(self, shard: Shard, topic: str, record: Incoming, *, again: bool) -> None:
        verb, _, name = (record.value or b"").partition(b" ")
        if verb == b"boom":
            raise RuntimeError("boom")
        if verb == b"die":
            os._exit(13)
        if verb == b"free":
            for held in self.held[topic].values():
                self._out(shard, held)
            self.held[topic].clear()
        elif verb == b"hold" and not shard.seen(name):
            self.held[topic][record.offset] = record
        elif verb == b"add" and not again:
            key = record.key or b""
            count = b"%d" % (int(shard.rows.get(b"C" + key) or 0) + 1)
            shard.rows.put(b"C" + key, count)
            shard.emit_latest("state.v1", key, count)
            self._out(shard, record)

    def divert(self, shard: Shard, topic: str, record: Incoming, deaths: int) -> int | None:
        applied = self.applied[topic] = max(self.applied.get(topic, 0), record.offset + 1)
        shard.rows.put(b"P" + topic.encode(), b"%d" % applied)
        shard.emit("out.v1", shard.number, record.key, b"diverted %d after %d" % (record.offset, deaths))
        return min(self.held[topic], default=None)

    def _out(self, shard: Shard, record: Incoming) -> None:
        name = (record.value or b"").partition(b" ")[2]
        shard.emit("out.v1", shard.number, record.key, name)
        shard.saw(name)


class FaultyProducer(Producer):  # type: ignore[misc] # the client ships no types
    """Stops or kills its process around the n-th commit of the process: when a crash hurts most."""

    fault = ""
    countdown = 0

    def commit_transaction(self, *args: Any) -> None:
        FaultyProducer.countdown -= 1
        if FaultyProducer.countdown != 0:
            super().commit_transaction(*args)
            return
        if self.fault == "kill-after-commit":
            super().commit_transaction(*args)
            os.kill(os.getpid(), signal.SIGKILL)
        self.flush(10)  # so that the open transaction is really in the log
        os.kill(os.getpid(), signal.SIGSTOP if self.fault == "stop-before-commit" else signal.SIGKILL)
        super().commit_transaction(*args)


def plan(asked: dict[str, Any], processor: Any = Counter) -> Plan:
    """The shards of a counter role."""
    return Plan(
        group=asked["group"],
        prefix=asked["prefix"],
        topics=TOPICS,
        changelog="changelog.v1",
        seen="seen.v1",
        state_dir=Path(asked["state"]),
        kafka={"bootstrap.servers": asked["bootstrap"]},
        processor=processor,
        transaction_timeout_ms=asked.get("transaction_timeout_ms", 10_000),
        row_cache=asked.get("row_cache", 1_000),
        offsets_lost=asked.get("offsets_lost", "stop"),
    )


def slowly(seconds: dict[str, float]) -> None:
    """Make the changelogs of these shards take so many seconds before the first row is read."""
    read = changelog.read_to_end

    def read_to_end(config: Any, topic: str, partition: int, start: int, sink: Any, bounds: Any) -> None:
        end = time.monotonic() + (seconds.get(str(partition), 0) if "changelog" in topic else 0)
        while time.monotonic() < end:
            sink([], start)
            time.sleep(0.02)
        read(config, topic, partition, start, sink, bounds)

    vars(restore)["read_to_end"] = read_to_end


def main(asked: dict[str, Any]) -> None:
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(sys.stderr))
    FaultyProducer.fault, _, count = asked.get("fault", "").partition(":")
    FaultyProducer.countdown = int(count or 0)
    vars(transaction)["Producer"] = FaultyProducer
    slowly(asked.get("slow", {}))
    host = Host(plan(asked), die)
    member = Membership(asked["bootstrap"], asked["group"], asked["instance"], asked.get("session", 6.0))
    run(make_app(member, tuple(asked["prefix"] + topic for topic in TOPICS), host))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
