"""soak and memory: what a resolver with a million entities has resident, at once and after a long time.

memory: every entity once; resident size when all is committed, at its peak, and of the next process that restores it.
soak: updates at a steady rate on top of that, the resident size every 10 s and its slope over the second half.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from benchmarks.resolvers import PROFILE, Resolvers, resolvers
from benchmarks.trickle import Load, Trickle

NAME = "bench"
RATE = 2_000  # events per second
EVERY = 10.0  # seconds between two looks
SETTLE = 5.0  # seconds after which nothing is on its way any more


def memory(bootstrap: str, registry: str, entities: int, seed: int) -> dict[str, Any]:
    """One run over so many entities."""
    with resolvers(bootstrap, registry, "memory", (NAME,)) as running:
        load = _loaded(running, entities, seed)
        taken_in = {"rss_mib": round(running.used().rss_mib), "peak_mib": running.peak_mib(NAME)}
        restored = _restarted(running)
        with Trickle(load, RATE):
            time.sleep(EVERY)
        running.work_off(load.records)
        restored["rss_mib_working"] = round(running.used().rss_mib)
        verdict = running.judge(load.winners)
    told = {"workload": "memory", "entities": entities, "seed": seed, **verdict}
    return {**told, **taken_in, "restarted": restored} if verdict["oracle"] == "pass" else told


def soak(bootstrap: str, registry: str, entities: int, seconds: int, seed: int) -> dict[str, Any]:
    """One run of so many seconds over so many entities."""
    with resolvers(bootstrap, registry, "soak", (NAME,)) as running:
        load = _loaded(running, entities, seed)
        began, samples = time.monotonic(), list[tuple[float, float]]()
        with Trickle(load, RATE):
            while (passed := time.monotonic() - began) < seconds:
                samples.append((passed, running.used().rss_mib))
                time.sleep(EVERY)
        running.work_off(load.records)
        peak = running.peak_mib(NAME)
        verdict = running.judge(load.winners)
    told = {"workload": "soak", "entities": entities, "seconds": seconds, "rate": RATE, "seed": seed, **verdict}
    measured = {
        "slope_mib_per_hour": round(slope(samples[len(samples) // 2 :]) * 3_600, 1),
        "peak_mib": peak,
        "rss_mib": [round(rss) for _, rss in samples],
    }
    return {**told, **measured} if verdict["oracle"] == "pass" else told


def _loaded(running: Resolvers, entities: int, seed: int) -> Load:
    """Every entity once, committed."""
    load = Load(running.kafka, running.prefix, PROFILE, entities, seed)
    load.everything()
    running.work_off(load.records)
    time.sleep(SETTLE)
    return load


def _restarted(running: Resolvers) -> dict[str, int]:
    """The same member again, with the disk it left: it reads back what it needs."""
    running.fleet.leave(NAME)
    while running.fleet.leaving:
        running.fleet.watch()
        time.sleep(0.1)
    running.fleet.join(NAME)
    while not running.fleet.child(NAME).log.read_text().count("shard opened") >= 2 * PROFILE.shard:
        running.used()
        time.sleep(0.1)
    time.sleep(SETTLE)
    return {"rss_mib": round(running.used().rss_mib), "peak_mib": running.peak_mib(NAME)}


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """Least squares over (seconds, MiB): MiB per second; 0 for fewer than two samples."""
    count = len(samples)
    if count < 2:
        return 0.0
    mean_at, mean = sum(at for at, _ in samples) / count, sum(value for _, value in samples) / count
    spread = sum((at - mean_at) ** 2 for at, _ in samples)
    return sum((at - mean_at) * (value - mean) for at, value in samples) / spread
