"""calls: how many calls per second one courier process makes where no quota holds it back, and what one costs.

A backlog of prices of several accounts, each one write of one call with its intent committed before it. The rate
is that of the shops' journal between its first and last tenth; CPU is user + system of the courier's process tree over
the same calls.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.couriers import Couriers, couriers, faults, names

ACCOUNTS = 24
_LOOK = 0.1  # seconds


def run(bootstrap: str, registry: str, writes: int) -> dict[str, Any]:
    """One run of about so many writes."""
    each = writes // ACCOUNTS
    with couriers(bootstrap, registry, names("shop", ACCOUNTS)) as running:
        asked = set[str]()
        for account in running.accounts:
            running.link(account, range(each))
            asked.update(running.ask(account, number) for number in range(each))
        running.desk.flush()
        running.start()
        measured = _measured(running, len(asked))
        found = faults(running.journal(), asked)
    told = {"workload": "calls", "writes": len(asked), "accounts": ACCOUNTS, **found}
    told["oracle"] = "fail" if any(found.values()) else "pass"
    return {**told, **measured} if told["oracle"] == "pass" else told


def _measured(running: Couriers, writes: int) -> dict[str, Any]:
    marks: list[tuple[float, float, int]] = []

    def looked() -> bool:
        done = sum(running.calls().values())
        marks.append((time.monotonic(), running.used().cpu, done))
        time.sleep(_LOOK)
        return done >= writes and len(running.journal()) >= writes

    running.wait(looked, "all writes are accepted")
    first = next(mark for mark in marks if mark[2] >= writes // 10)
    last = next(mark for mark in marks if mark[2] >= writes - writes // 10)
    calls = last[2] - first[2]
    return {
        "calls_per_s": round(calls / (last[0] - first[0])),
        "cpu_us_per_call": round((last[1] - first[1]) / calls * 1e6),
        "cpu_s_per_s": round((last[1] - first[1]) / (last[0] - first[0]), 2),
        "shops_cpu_us_per_call": round(running.used("shops").cpu / writes * 1e6),
        "rss_mib": round(running.used().rss_mib),
    }
