"""W4: a resolver with a million entities is killed with -9 in mid-run: how long until it answers again, and rightly?

Twice: with its disk kept, as a container restart leaves it, and with its disk deleted, as a lost volume does. Measured
from the start of the new process: the first output that readers of committed data see, and the first of every shard.
The rebuild rate is changelog rows over the time from the assignment to the last open shard, fencing and seen ids
included. Updates keep coming all the time; the oracle compares the last state per entity with the truth and looks for
regressions.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from benchmarks.measure import usage
from benchmarks.resolvers import CONFIG, GROUP, committed, folded
from benchmarks.trickle import Load, Trickle
from benchmarks.workload import ACCOUNT, TENANT
from schemas import topics
from schemas.entities import EntityType
from schemas.topics import INBOUND, PROFILES
from streams.runtime.supervise import Child, Supervisor
from streams.runtime.topicreader import TopicReader
from streams.testing.prepare import prepare

PROFILE = PROFILES["development"]
STATE = topics.state(EntityType.INVENTORY_LEVEL)
RATE = 2_000  # updates per second while the resolver is killed
SETTLE = 3.0  # seconds of ordinary work before a kill
DEADLINE = 600.0  # seconds


class Resolver:
    """The role as a process that is killed and started again."""

    def __init__(self, place: Path, bootstrap: str, registry: str, prefix: str) -> None:
        config = place / "sluice.yaml"
        config.write_text(CONFIG.format(tenant=TENANT, account=ACCOUNT, mode="none"))
        self.state = place / "state"
        self._environment = {
            "SLUICE_BOOTSTRAP": bootstrap, "SLUICE_REGISTRY": registry, "SLUICE_TOPIC_PREFIX": prefix,
            "SLUICE_CONFIG_FILE": str(config), "SLUICE_STATE_DIR": str(self.state),
            "SLUICE_SCHEMA_CACHE": str(place / "schemas"), "SLUICE_INSTANCE_ID": "bench",
            "SLUICE_HEALTH_PORT_BASE": "0", "SLUICE_LOG_FORMAT": "json",
        }  # fmt: skip
        self._tree = Supervisor(place / "logs")
        self._child: Child | None = None
        self._told = 0

    def start(self) -> None:
        command = [sys.executable, "-m", "streams.cli.main", "run", "resolver"]
        self._child = self._tree.start("resolver", command, self._environment)

    @property
    def pid(self) -> int:
        assert self._child is not None
        assert self._child.process is not None
        if not self._child.alive:
            raise RuntimeError(f"the resolver ended: {self._child.log.read_text()[-2000:]}")
        return self._child.process.pid

    def kill(self) -> None:
        """kill -9."""
        assert self._child is not None
        self._tree.kill("resolver")
        self._told = len(self._lines())

    def told(self, event: str) -> list[dict[str, Any]]:
        """What this process has logged of an event."""
        return [line for line in self._lines()[self._told :] if line.get("event") == event]

    def stop(self) -> None:
        self._tree.stop()

    def _lines(self) -> list[dict[str, Any]]:
        assert self._child is not None
        return [json.loads(line) for line in self._child.log.read_text().splitlines() if line.startswith("{")]


def run(bootstrap: str, registry: str, entities: int, seed: int) -> dict[str, Any]:
    """One run over so many entities."""
    kafka = {"bootstrap.servers": bootstrap}
    prefix = f"w4-{int(time.time())}."
    prepare(bootstrap, registry, prefix, PROFILE)
    load = Load(kafka, prefix, PROFILE, entities, seed)
    load.everything()
    with (
        tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder,
        _running(Resolver(Path(folder), bootstrap, registry, prefix)) as resolver,
    ):
        _until_committed(kafka, prefix, resolver, load)
        with Trickle(load, RATE):
            kept = _killed(kafka, prefix, resolver)
            deleted = _killed(kafka, prefix, resolver, lose_disk=True) | _rebuilt(resolver)
            time.sleep(SETTLE)
        _until_committed(kafka, prefix, resolver, load)
        rss = round(usage(resolver.pid).rss_mib)
    checked = _oracle(kafka, prefix, load.winners)
    verdict = {"workload": "W4", "entities": entities, "records": load.records, "seed": seed, **checked}
    measured = {"disk_kept": kept, "disk_deleted": deleted, "rss_mib": rss}
    return {**verdict, **measured} if checked["oracle"] == "pass" else verdict


@contextmanager
def _running(resolver: Resolver) -> Iterator[Resolver]:
    resolver.start()
    try:
        yield resolver
    finally:
        resolver.stop()


def _until_committed(kafka: Mapping[str, Any], prefix: str, resolver: Resolver, load: Load) -> None:
    group = Consumer({**kafka, "group.id": f"{prefix}{GROUP}"})
    partitions = [TopicPartition(prefix + INBOUND, n) for n in range(PROFILE.shard)]
    deadline = time.monotonic() + DEADLINE
    while (done := committed(group, partitions)) < load.records:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{done} of {load.records} committed after {DEADLINE:.0f} s")
        assert resolver.pid
        time.sleep(0.2)
    group.close()


def _killed(kafka: Mapping[str, Any], prefix: str, resolver: Resolver, *, lose_disk: bool = False) -> dict[str, Any]:
    """Kill it in mid-run, start it again, and wait for an output of every shard."""
    time.sleep(SETTLE)
    resolver.kill()
    if lose_disk:
        shutil.rmtree(resolver.state)
    tail = _tail(kafka, prefix)
    started = time.monotonic()
    resolver.start()
    first: dict[int, float] = {}
    while len(first) < PROFILE.shard:
        message = tail.poll(0.05)
        now = time.monotonic() - started
        if now > DEADLINE:
            raise TimeoutError(f"only shards {sorted(first)} answered within {DEADLINE:.0f} s")
        if message is not None and message.error() is None:
            first.setdefault(message.partition(), now)
        assert resolver.pid
    tail.close()
    return {"first_output_s": round(min(first.values()), 2), "all_shards_s": round(max(first.values()), 2)}


def _tail(kafka: Mapping[str, Any], prefix: str) -> Consumer:
    """A reader of what is committed to the state topic from now on; its owner is dead, so all of it is new."""
    options = {"group.id": "w4", "enable.auto.commit": False, "isolation.level": "read_committed"}
    tail = Consumer({**kafka, **options, "fetch.wait.max.ms": 5})
    probe = Consumer({**kafka, "group.id": "w4", "isolation.level": "read_uncommitted"})
    parts = [TopicPartition(prefix + STATE, n) for n in range(PROFILE.shard)]
    tail.assign([TopicPartition(p.topic, p.partition, probe.get_watermark_offsets(p, 10)[1]) for p in parts])
    probe.close()
    return tail


def _rebuilt(resolver: Resolver) -> dict[str, Any]:
    """Rows per second of the restore that the process has just done, by its own log."""
    opened = resolver.told("shard opened")
    began = min(_at(line) - line["seconds"] for line in opened)
    rows = sum(line["rows_read"] for line in opened)
    seconds = max(map(_at, opened)) - began
    return {"rows": rows, "rebuild_s": round(seconds, 2), "rows_per_s": round(rows / seconds)}


def _at(line: Mapping[str, Any]) -> float:
    return datetime.fromisoformat(str(line["timestamp"])).timestamp()


def _oracle(kafka: dict[str, Any], prefix: str, winners: Mapping[bytes, int]) -> dict[str, Any]:
    reader = TopicReader(kafka, prefix)
    regressions, last = folded(reader.read(STATE))
    reader.close()
    wrong = sum(last.get(key) != sequence for key, sequence in winners.items())
    return {
        "wrong_final": wrong,
        "regressions": regressions,
        "oracle": "fail" if wrong or regressions or len(last) != len(winners) else "pass",
    }
