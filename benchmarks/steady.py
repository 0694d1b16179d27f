"""steady: one resolver under 5,000 events per second: CPU-seconds per second, and how long its commits take.

Updates of random entities of one account, 545-byte values, in portions every 20 ms; `state` with changelog and
transactions. CPU is user + system of the resolver's process tree between two moments, after a warm-up.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.resolvers import PROFILE, quantile, resolvers
from benchmarks.trickle import Load, Trickle

RATE = 5_000  # events per second
WARM_UP = 10.0  # seconds


def run(bootstrap: str, registry: str, entities: int, seconds: int, seed: int, mode: str) -> dict[str, Any]:
    """One run of so many seconds over so many entities."""
    with resolvers(bootstrap, registry, "steady", mode=mode) as running:
        load = Load(running.kafka, running.prefix, PROFILE, entities, seed)
        load.everything()
        running.work_off(load.records)
        with Trickle(load, RATE):
            time.sleep(WARM_UP)
            measured = _measured(running, load, seconds)
        running.work_off(load.records)
        verdict = running.judge(load.winners)
    told = {"workload": "steady", "mode": mode, "entities": entities, "seconds": seconds, "seed": seed, **verdict}
    return {**told, **measured} if verdict["oracle"] == "pass" else told


def _measured(running: Any, load: Load, seconds: int) -> dict[str, Any]:
    began, before, written, commits = time.monotonic(), running.used(), load.records, running.commits()
    time.sleep(seconds)
    after, passed = running.used(), time.monotonic() - began
    now, events = running.commits(), load.records - written
    transactions = max(now.values()) - max(commits.values(), default=0.0)
    return {
        "events_per_s": round(events / passed),
        "cpu_s_per_s": round((after.cpu - before.cpu) / passed, 4),
        "cpu_s_per_million": round((after.cpu - before.cpu) / events * 1e6, 2),
        "commits_per_s": round(transactions / passed, 1),
        "commit_p50_ms": round(quantile(commits, now, 0.50) * 1_000, 1),
        "commit_p99_ms": round(quantile(commits, now, 0.99) * 1_000, 1),
        "rss_mib": round(after.rss_mib),
    }
