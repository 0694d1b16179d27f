"""W2a: one resolver process works off a backlog of the W2 workload; dedupe, LWW, changelog, transactions.

The figure is CPU (user + system) of the resolver's process tree from the first to the last committed source offset,
as the peers are measured; the whole from the start of the process, imports and restore in it, stands beside it.
Nothing is reported for a wrong answer: the oracle compares the last state per key with the truth, and looks for
regressions, losses and repeats.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.measure import listener, per_million, usage
from benchmarks.process import role
from benchmarks.workload import ACCOUNT, TENANT, Workload, produce, sequence_of
from schemas import topics
from schemas.entities import EntityType
from schemas.headers import EventFacts, Header
from schemas.topics import INBOUND, PROFILES
from streams.runtime.topicreader import Seen, TopicReader
from streams.testing.prepare import prepare

CONFIG = """
tenants:
  {tenant}:
    accounts:
      {account}: {{platform: shopify, base_url: "http://127.0.0.1:1"}}
policies: {{revision: 1, inventory_level: {{kind: lww}}}}
ordering: {{default: {{mode: {mode}, lateness: 0.5}}}}
"""
DEADLINE = 600.0  # seconds
GROUP = "resolver"
_LOADING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
}


def run(bootstrap: str, registry: str, events: int, keys: int, seed: int, mode: str) -> dict[str, Any]:
    """One run; `mode` is the ordering of events: none (state only), arrival, time."""
    kafka = {"bootstrap.servers": bootstrap}
    prefix = f"w2a-{mode}-{int(time.time())}."
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        place = Path(folder)
        config = place / "sluice.yaml"
        config.write_text(CONFIG.format(tenant=TENANT, account=ACCOUNT, mode=mode))
        prepare(bootstrap, registry, prefix, PROFILES["development"])
        workload = produce(kafka, prefix, PROFILES["development"], events, keys, seed)
        environment = {
            "SLUICE_BOOTSTRAP": bootstrap, "SLUICE_REGISTRY": registry, "SLUICE_TOPIC_PREFIX": prefix,
            "SLUICE_CONFIG_FILE": str(config), "SLUICE_STATE_DIR": str(place / "state"),
            "SLUICE_SCHEMA_CACHE": str(place / "schemas"), "SLUICE_INSTANCE_ID": "bench",
            "SLUICE_HEALTH_PORT_BASE": "0",
        }  # fmt: skip
        with role("resolver", place, environment) as pid:
            measured = _until_committed(kafka, prefix, pid, workload.records, bootstrap)
        checked = oracle(kafka, prefix, workload, mode)
    verdict = {"workload": "W2a", "mode": mode, "events": workload.records, "keys": keys, "seed": seed, **checked}
    return {**verdict, **measured} if checked["oracle"] == "pass" else verdict


def _until_committed(kafka: dict[str, Any], prefix: str, pid: int, records: int, bootstrap: str) -> dict[str, Any]:
    """Watch the group's committed offsets until they reach the end; CPU of the second half is given apart."""
    group = Consumer({**kafka, "group.id": f"{prefix}{GROUP}"})
    partitions = [TopicPartition(prefix + INBOUND, n) for n in range(PROFILES["development"].shard)]
    broker = listener(int(bootstrap.rsplit(":", 1)[-1]))
    broker_before = usage(broker).cpu if broker else 0.0
    began, first, half, peak = time.monotonic(), None, None, 0.0
    while True:
        done = committed(group, partitions)
        now, used = time.monotonic(), usage(pid)
        peak = max(peak, used.rss_mib)
        if not used.rss_mib:
            raise RuntimeError("the resolver ended; SLUICE_BENCH_LOGS=1 shows its log")
        if done and first is None:
            first = (now, used.cpu, done)
        if half is None and done >= records // 2:
            half = (used.cpu, done)
        if done >= records:
            break
        if now - began > DEADLINE:
            raise TimeoutError(f"{done} of {records} committed after {DEADLINE:.0f} s")
        time.sleep(0.05)
    group.close()
    assert first is not None
    assert half is not None
    return {
        "cpu_s_per_million": per_million(used.cpu - first[1], max(1, records - first[2])),
        "cpu_s_per_million_with_start": per_million(used.cpu, records),
        "second_half_cpu_s_per_million": per_million(used.cpu - half[0], max(1, records - half[1])),
        "broker_cpu_s_per_million": per_million(usage(broker).cpu - broker_before, records) if broker else None,
        "wall_rate": round((records - first[2]) / max(1e-9, now - first[0])),
        "wall_rate_with_start": round(records / (now - began)),
        "rss_mib": round(peak),
    }


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


def oracle(kafka: dict[str, Any], prefix: str, workload: Workload, mode: str) -> dict[str, Any]:
    """What `state` and, unless `mode` is none, `events` hold against the truth: what is wrong, and a verdict."""
    reader = TopicReader(kafka, prefix)
    regressions, last = folded(reader.read(topics.state(EntityType.INVENTORY_LEVEL)))
    wrong = sum(last.get(key) != sequence for key, sequence in workload.winners.items())
    result = {"wrong_final": wrong, "regressions": regressions, "lost": 0, "duplicates": 0}
    if mode != "none":
        wanted = {Header.unpack(record.headers[0][1]).event_id for record in reader.read(INBOUND)}
        found = [
            EventFacts.unpack(record.headers[0][1]).event_id
            for record in reader.read(topics.events(EntityType.INVENTORY_LEVEL))
        ]
        result |= {"lost": len(wanted - set(found)), "duplicates": len(found) - len(set(found))}
    reader.close()
    return {**result, "oracle": "fail" if any(result.values()) else "pass"}
