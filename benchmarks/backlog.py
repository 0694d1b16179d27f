"""Working off a backlog: what it costs, from the first to the last committed source offset."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from benchmarks.measure import listener, per_million, usage
from benchmarks.resolvers import DEADLINE, GROUP, PROFILE, Resolvers, committed
from schemas.topics import INBOUND

Mark = tuple[float, float, int]  # seconds, CPU-seconds used, records committed


def work_off(running: Resolvers, records: int, bootstrap: str) -> dict[str, Any]:
    """Watch the group's offsets until they reach the end; the second half is given apart. Raises TimeoutError."""
    group = Consumer({**running.kafka, "group.id": f"{running.prefix}{GROUP}"})
    partitions = [TopicPartition(running.prefix + INBOUND, number) for number in range(PROFILE.shard)]
    broker = listener(int(bootstrap.rsplit(":", 1)[-1]))
    broker_before = usage(broker).cpu if broker else 0.0
    began, peak, marks = time.monotonic(), 0.0, list[Mark]()
    while True:
        done, used, now = committed(group, partitions), running.used(), time.monotonic()
        peak = max(peak, used.rss_mib)
        if done and (not marks or (len(marks) == 1 and done >= records // 2) or done >= records):
            marks.append((now, used.cpu, done))
        if done >= records:
            break
        if now - began > DEADLINE:
            raise TimeoutError(f"{done} of {records} committed after {DEADLINE:.0f} s")
        time.sleep(0.05)
    group.close()
    first, last = marks[0], marks[-1]
    return {
        "cpu_s_per_million": per_million(last[1] - first[1], last[2] - first[2]),
        "cpu_s_per_million_with_start": per_million(last[1], records),
        "second_half_cpu_s_per_million": second_half(marks),
        "broker_cpu_s_per_million": per_million(usage(broker).cpu - broker_before, records) if broker else None,
        "wall_rate": round((last[2] - first[2]) / max(1e-9, last[0] - first[0])),
        "rss_mib": round(peak),
    }


def second_half(marks: Sequence[Mark]) -> float | None:
    """CPU-seconds per million from the half to the end; None when one look passed from before the half to the end."""
    if len(marks) < 3:
        return None
    (_, used_then, done_then), (_, used, done) = marks[-2:]
    return per_million(used - used_then, done - done_then)
