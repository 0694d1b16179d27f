"""Resolvers as processes over topics of their own: what the workloads over a running resolver share."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.measure import Usage, usage
from benchmarks.workload import ACCOUNT, TENANT, sequence_of
from schemas import topics
from schemas.entities import EntityType
from schemas.topics import INBOUND, PROFILES
from streams.runtime.topicreader import Seen, TopicReader
from streams.stack.ports import free_ports
from streams.testing.fleet import Fleet
from streams.testing.prepare import prepare

CONFIG = """
tenants:
  {tenant}:
    accounts:
      {account}: {{platform: shopify, base_url: "http://127.0.0.1:1"}}
policies: {{revision: 1, inventory_level: {{kind: lww}}}}
ordering: {{default: {{mode: {mode}, lateness: 0.5}}}}
"""
PROFILE = PROFILES["development"]
STATE = topics.state(EntityType.INVENTORY_LEVEL)
DEADLINE = 600.0  # seconds
GROUP = "resolver"
_BUCKET = re.compile(r'^sluice_shard_commit_seconds_bucket\{le="([^"]+)",role="resolver"\} (\S+)', re.MULTILINE)
_LOADING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}

Buckets = Mapping[float, float]  # upper bound in seconds -> commits up to it


class Resolvers:
    """Members of one group. `kafka`: librdkafka's configuration; `prefix`: of all their topics; `alone`: there will be
    one member, which can serve its metrics; several would meet at one port."""

    def __init__(self, bootstrap: str, registry: str, name: str, place: Path, rules: str, *, alone: bool) -> None:
        self.kafka = {"bootstrap.servers": bootstrap}
        self.place = place
        self.prefix = f"{name}-{int(time.time())}."
        prepare(bootstrap, registry, self.prefix, PROFILE)
        config = place / "sluice.yaml"
        config.write_text(rules)
        self._base = free_ports(1)[0] - 1
        environment = {
            "SLUICE_BOOTSTRAP": bootstrap, "SLUICE_REGISTRY": registry, "SLUICE_TOPIC_PREFIX": self.prefix,
            "SLUICE_CONFIG_FILE": str(config), "SLUICE_SCHEMA_CACHE": str(place / "schemas"),
            "SLUICE_HTTP_HOST": "127.0.0.1", "SLUICE_HEALTH_PORT_BASE": str(self._base if alone else 0),
        }  # fmt: skip
        self.fleet = Fleet(place, ["resolver"], environment)

    def stop(self) -> None:
        """All members leave; their logs are shown when SLUICE_BENCH_LOGS is set."""
        self.fleet.stop()
        if os.environ.get("SLUICE_BENCH_LOGS"):
            for log in sorted(self.place.glob("logs/*.log")):
                sys.stderr.write(f"--- {log.name}\n{log.read_text()}")

    def used(self) -> Usage:
        """By all members now. Raises RuntimeError when one ended on its own."""
        self.fleet.watch()
        if self.fleet.ended:
            raise RuntimeError(f"members ended on their own: {self.fleet.ended}; SLUICE_BENCH_LOGS=1 shows their logs")
        processes = [self.fleet.child(name).process for name in self.fleet.working]
        found = [usage(process.pid) for process in processes if process is not None]
        return Usage(sum(one.cpu for one in found), sum(one.rss_mib for one in found))

    def peak_mib(self, name: str) -> int:
        """The most a member has ever had resident."""
        process = self.fleet.child(name).process
        assert process is not None
        found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{process.pid}/status").read_text(), re.MULTILINE)
        assert found is not None
        return int(found.group(1)) >> 10

    def work_off(self, records: int) -> None:
        """Wait until so many records are committed. Raises TimeoutError."""
        group = Consumer({**self.kafka, "group.id": f"{self.prefix}{GROUP}"})
        partitions = [TopicPartition(self.prefix + INBOUND, number) for number in range(PROFILE.shard)]
        deadline = time.monotonic() + DEADLINE
        while (done := committed(group, partitions)) < records:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{done} of {records} committed after {DEADLINE:.0f} s")
            self.used()
            time.sleep(0.2)
        group.close()

    def commits(self) -> Buckets:
        """The histogram of commit times of the only member."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self._base + 1}/metrics", timeout=5) as reply:
            text = reply.read().decode()
        return {float(bound): float(count) for bound, count in _BUCKET.findall(text)}

    def judge(self, winners: Mapping[bytes, int]) -> dict[str, Any]:
        """The last state of every entity against the truth, and whether any ever went back."""
        reader = TopicReader(self.kafka, self.prefix)
        regressions, last = folded(reader.scan(STATE, range(PROFILE.shard)))
        reader.close()
        wrong = sum(last.get(key) != sequence for key, sequence in winners.items())
        return {
            "wrong_final": wrong,
            "regressions": regressions,
            "oracle": "fail" if wrong or regressions else "pass",
        }


@contextmanager
def resolvers(
    bootstrap: str, registry: str, name: str, members: Sequence[str] = ("bench",), mode: str = "none"
) -> Iterator[Resolvers]:
    """Topics are made, members started, and stopped at the end. `mode`: the ordering of `events`."""
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        rules = CONFIG.format(tenant=TENANT, account=ACCOUNT, mode=mode)
        running = Resolvers(bootstrap, registry, name, Path(folder), rules, alone=len(members) == 1)
        try:
            for member in members:
                running.fleet.join(member)
            yield running
        finally:
            running.stop()


def quantile(before: Buckets, after: Buckets, q: float) -> float:
    """Of what was observed between two looks at a histogram, in seconds, evenly spread within a bucket; the bound
    before the last when it lies beyond all bounds."""
    counts = {bound: count - before.get(bound, 0.0) for bound, count in sorted(after.items())}
    wanted, low, below = q * max(counts.values(), default=0.0), 0.0, 0.0
    for bound, count in counts.items():
        if count >= wanted and count > below:
            return low if bound == float("inf") else low + (bound - low) * (wanted - below) / (count - below)
        low, below = bound, count
    return 0.0


def committed(group: Consumer, partitions: list[TopicPartition]) -> int:
    """Records the group has committed; 0 as long as a broker that has just started loads its groups."""
    try:
        return sum(max(0, tp.offset) for tp in group.committed(partitions, 10))
    except KafkaException as error:
        if error.args[0].code() in _LOADING:
            return 0
        raise


def folded(states: Iterable[Seen]) -> tuple[int, dict[bytes, int]]:
    """How often `state` went back or said the same again, and the highest sequence per key."""
    regressions, last = 0, dict[bytes, int]()
    for record in states:
        key, sequence = record.key or b"", sequence_of(record.value or bytes(13))
        regressions += sequence <= last.get(key, 0)
        last[key] = max(sequence, last.get(key, 0))
    return regressions, last
