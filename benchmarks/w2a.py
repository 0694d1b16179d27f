"""W2a: one resolver process works off a backlog of the W2 workload; dedupe, LWW, changelog, transactions.

The figure is CPU (user + system) of the resolver's process tree from the first to the last committed source offset,
as the peers are measured; the whole from the start of the process, imports and restore in it, stands beside it.
Nothing is reported for a wrong answer: the oracle compares the last state per key with the truth, and looks for
regressions, losses and repeats.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.backlog import work_off
from benchmarks.resolvers import CONFIG, PROFILE, Resolvers, folded
from benchmarks.workload import ACCOUNT, TENANT, Workload, produce
from schemas import topics
from schemas.entities import EntityType
from schemas.headers import EventFacts, Header
from schemas.topics import INBOUND
from streams.runtime.topicreader import TopicReader


def run(bootstrap: str, registry: str, events: int, keys: int, seed: int, mode: str) -> dict[str, Any]:
    """One run; `mode` is the ordering of events: none (state only), arrival, time."""
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        rules = CONFIG.format(tenant=TENANT, account=ACCOUNT, mode=mode)
        running = Resolvers(bootstrap, registry, f"w2a-{mode}", Path(folder), rules, alone=True)
        workload = produce(running.kafka, running.prefix, PROFILE, events, keys, seed)
        running.fleet.join("bench")
        try:
            measured = work_off(running, workload.records, bootstrap)
        finally:
            running.stop()
        checked = oracle(running.kafka, running.prefix, workload, mode)
    verdict = {"workload": "W2a", "mode": mode, "events": workload.records, "keys": keys, "seed": seed, **checked}
    return {**verdict, **measured} if checked["oracle"] == "pass" else verdict


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
