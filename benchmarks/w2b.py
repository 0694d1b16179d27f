"""W2b: as W2a with entities that are put together: field groups, two accounts, a decision for nearly every event.

CPU is that of the resolver's process tree from the first to the last committed source offset. The oracle compares
title, tags and vendor of every product in `state` with the truth, and looks for regressions.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks import merged
from benchmarks.backlog import work_off
from benchmarks.merged import CONFIG, KIND, Truth
from benchmarks.resolvers import PROFILE, Resolvers
from schemas import topics
from schemas.codec import Codec
from schemas.registry import open_codec
from streams.runtime.topicreader import TopicReader


def run(bootstrap: str, registry: str, events: int, keys: int, seed: int) -> dict[str, Any]:
    """One run."""
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        running = Resolvers(bootstrap, registry, "w2b", Path(folder), CONFIG, alone=True)
        codec = open_codec(registry, Path(folder) / "schemas")
        truth = merged.produce(running.kafka, codec, running.prefix, PROFILE, events, keys, seed)
        running.fleet.join("bench")
        try:
            measured = work_off(running, truth.records, bootstrap)
        finally:
            running.stop()
        checked = _judge(running.kafka, codec, running.prefix, truth)
    verdict = {"workload": "W2b", "events": truth.records, "keys": keys, "seed": seed, **checked}
    return {**verdict, **measured} if checked["oracle"] == "pass" else verdict


def _judge(kafka: Mapping[str, Any], codec: Codec, prefix: str, truth: Truth) -> dict[str, Any]:
    reader, back = TopicReader(kafka, prefix), 0
    held: dict[str, dict[str, Any]] = {}
    clocks: dict[tuple[str, str], int] = {}
    for record in reader.scan(topics.state(KIND), range(PROFILE.shard)):
        key, value = (record.key or b"").decode(), codec.decode(record.value or b"")
        source, clock = (key, value["meta"]["account"]), value["meta"]["version"]["clock"]
        back += clock < clocks.get(source, clock)
        clocks[source] = clock
        held[key] = {name: value[name] for name in ("title", "tags", "vendor")}
    reader.close()
    wrong = sum(held.get(key) != truth.expected(key) for key in truth.newest)
    return {"wrong_final": wrong, "regressions": back, "oracle": "fail" if wrong or back else "pass"}
