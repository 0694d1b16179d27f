"""W7: one account's API is away, hangs or refuses, with a large backlog; do its neighbours notice?

All accounts are of one platform and one shard of one courier. The neighbours' work comes at a steady rate and is
measured from the push task to the acceptance by their shop: first with the neighbour well and idle, then with each of
its moods in turn. Its backlog is there before a mood is measured, and grows with it.
"""

from __future__ import annotations

import time
from typing import Any

from benchmarks.couriers import Couriers, couriers, names
from benchmarks.measure import percentile

HEALTHY = 20
BACKLOG = 5_000  # rows of the account that is ill
RATE = 10.0  # changes per second of all the others together
MOODS = ("away", "hang", "strict")
WARM_UP = 10.0  # seconds
_SETTLE = 3.0


def run(bootstrap: str, registry: str, seconds: int) -> dict[str, Any]:
    """One run; every mood is watched for so many seconds."""
    ill, *healthy = names("shop", HEALTHY + 1, shard=0)
    with couriers(bootstrap, registry, [ill, *healthy]) as running:
        for account in healthy:
            running.link(account, range(1))
        running.link(ill, range(BACKLOG))
        running.desk.flush()
        running.start()
        running.wait(running.opened, "all shards work")
        beside = Beside(running, healthy)
        beside.work(WARM_UP)
        phases = {"well": beside.work(seconds)}
        for version, mood in enumerate(MOODS, start=1):
            running.mood(ill, mood)
            for number in range(BACKLOG):
                running.ask(ill, number, version)
            running.desk.flush()
            time.sleep(_SETTLE)
            phases[mood] = beside.work(seconds)
        found = beside.faults()
        touched = sum(account == ill for account, _, _ in running.journal())
    told = {"workload": "W7", "accounts": HEALTHY + 1, "backlog": BACKLOG, "seconds": seconds, **found}
    told["accepted_by_the_ill"] = touched
    told["oracle"] = "fail" if any(found.values()) or touched else "pass"
    return {**told, "neighbours": phases} if told["oracle"] == "pass" else told


class Beside:
    """The work of the healthy accounts, one SKU each whose version rises."""

    def __init__(self, running: Couriers, accounts: list[str]) -> None:
        self._running = running
        self._accounts = accounts
        self._asked: dict[str, int] = {}  # operation id -> microseconds UTC
        self._versions = 0

    def work(self, seconds: float) -> dict[str, float]:
        """Ask at the rate for so long, wait until all is applied. Milliseconds until it was."""
        began, number, mine = time.monotonic(), 0, set[str]()
        while (passed := time.monotonic() - began) < seconds:
            if passed * RATE < number:
                time.sleep(0.005)
                continue
            self._versions += 1
            at = time.time_ns() // 1000
            op_id = self._running.ask(self._accounts[number % HEALTHY], 0, self._versions)
            self._running.desk.flush()
            self._asked[op_id] = at
            mine.add(op_id)
            number += 1
        self._running.wait(lambda: not self._missing(), "the neighbours' work is applied", 60.0)
        waits = [(at - self._asked[op_id]) / 1000 for _, op_id, at in self._running.journal() if op_id in mine]
        return {"p50_ms": percentile(waits, 0.5), "p99_ms": percentile(waits, 0.99), "writes": len(waits)}

    def faults(self) -> dict[str, int]:
        """What the healthy shops accepted twice or never."""
        accepted = [op_id for _, op_id, _ in self._running.journal() if op_id in self._asked]
        return {"missing": len(self._missing()), "repeated": len(accepted) - len(set(accepted))}

    def _missing(self) -> set[str]:
        return self._asked.keys() - {op_id for _, op_id, _ in self._running.journal()}
