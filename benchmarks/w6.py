"""W6: four resolvers are restarted one after the other under load: how long does no shard answer?

Every shard has a probe entity that is written every 100 ms. A reader of committed records watches `state` from outside:
a shard's pause is the longest time between two of its probe's records. Each member gets SIGTERM and is started again
when it is gone, as a rolling update does; the next one follows when every shard answers.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from benchmarks.resolvers import DEADLINE, PROFILE, STATE, Resolvers, resolvers
from benchmarks.trickle import Load, Trickle
from benchmarks.workload import ACCOUNT, TENANT, header, sequence_of, value
from schemas import headers, identity
from schemas.entities import EntityType
from schemas.topics import INBOUND

MEMBERS = ("member-0", "member-1", "member-2", "member-3")
RATE = 2_000  # events per second
EVERY = 0.1  # seconds between two probe events of a shard
SETTLE = 5.0  # seconds of ordinary work before and after each restart


class Probe:
    """Writes to one entity per shard and watches them come out, while its block runs. `longest`: seconds by shard."""

    def __init__(self, kafka: Mapping[str, Any], prefix: str) -> None:
        self._topic = prefix + INBOUND
        self._names = [_name(shard) for shard in range(PROFILE.shard)]
        self._keys = {name.encode(): shard for shard, name in enumerate(self._names)}
        self._account = identity.account_hash(TENANT, ACCOUNT)
        self._producer = Producer({**kafka, "linger.ms": 0, "enable.idempotence": True})
        options = {"group.id": "w6", "enable.auto.commit": False, "isolation.level": "read_committed"}
        self._tail = Consumer({**kafka, **options, "fetch.wait.max.ms": 5, "auto.offset.reset": "latest"})
        self._tail.assign([TopicPartition(prefix + STATE, number, -1) for number in range(PROFILE.shard)])
        self._sent: dict[tuple[int, int], float] = {}
        self._last: dict[int, float] = {}
        self._seen: dict[int, int] = {}
        self.longest: dict[int, float] = {}
        self.longest_wait = 0.0  # seconds from a probe event to its record in `state`
        self.records = 0
        self._over = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._write, self._watch)]

    def __enter__(self) -> Probe:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()
        self._producer.flush(30)
        self._tail.close()

    def forget(self) -> dict[int, float]:
        """Begin to measure anew; returns what was the longest so far."""
        longest, self.longest = self.longest, {}
        return longest

    def answers(self, since: float) -> bool:
        """Whether every shard has answered since a moment."""
        return len(self._last) == PROFILE.shard and min(self._last.values()) > since

    def _write(self) -> None:
        for sequence in itertools.count(1):
            for shard, name in enumerate(self._names):
                facts = header(sequence, -1 - shard, sequence, self._account)
                self._sent[shard, sequence] = time.monotonic()
                self._producer.produce(
                    self._topic, value(sequence, b""), name, shard, headers=[(headers.NAME, facts)]
                )  # fmt: skip
                self.records += 1
            self._producer.poll(0)
            if self._over.wait(EVERY):
                return

    def _watch(self) -> None:
        while not self._over.is_set():
            for message in self._tail.consume(500, 0.02):
                shard = self._keys.get(message.key())
                if shard is not None and message.error() is None:
                    self._came(shard, sequence_of(message.value()), time.monotonic())

    def _came(self, shard: int, sequence: int, now: float) -> None:
        self.longest[shard] = max(self.longest.get(shard, 0.0), now - self._last.get(shard, now))
        oldest = self._sent.get((shard, self._seen.get(shard, sequence) + 1), now)  # newer ones may stand for it
        self.longest_wait = max(self.longest_wait, now - oldest)
        self._last[shard], self._seen[shard] = now, sequence


def _name(shard: int) -> str:
    """An entity of this shard."""
    names = (identity.join(TENANT, EntityType.INVENTORY_LEVEL.value, f"PROBE{n}~MAIN") for n in itertools.count())
    return next(name for name in names if identity.golden_partition(name, PROFILE.shard) == shard)


def run(bootstrap: str, registry: str, entities: int, seed: int) -> dict[str, Any]:
    """One rolling restart over so many entities."""
    with resolvers(bootstrap, registry, "w6", MEMBERS) as running:
        load = Load(running.kafka, running.prefix, PROFILE, entities, seed)
        load.everything()
        with Trickle(load, RATE), Probe(running.kafka, running.prefix) as probe:
            _wait(probe, running)
            time.sleep(2 * SETTLE)
            probe.forget()
            time.sleep(SETTLE)
            undisturbed, probe.longest_wait = probe.forget(), 0.0
            took = [_restart(name, probe, running) for name in MEMBERS]
            pauses, wait = probe.forget(), probe.longest_wait
        running.work_off(load.records + probe.records)
        verdict = running.judge(load.winners)
        codes = [code for _, code in running.fleet.exits]
    told = {"workload": "W6", "entities": entities, "members": len(MEMBERS), "seed": seed, **verdict}
    measured = {
        "longest_pause_s": round(max(pauses.values()), 2),
        "pause_s_by_shard": {shard: round(pauses[shard], 2) for shard in sorted(pauses)},
        "longest_wait_s": round(wait, 2),
        "undisturbed_pause_s": round(max(undisturbed.values()), 2),
        "restarts": took,
        "exit_codes": codes,
    }
    return {**told, **measured} if verdict["oracle"] == "pass" else told


def _restart(name: str, probe: Probe, running: Resolvers) -> dict[str, float]:
    """SIGTERM, and a new process as soon as it is gone. Returns the seconds it took to go, and from then until every
    shard answered again."""
    began = time.monotonic()
    running.fleet.leave(name)
    while name in running.fleet.leaving:
        running.fleet.watch()
        time.sleep(0.02)
    gone = time.monotonic()
    running.fleet.join(name)
    _wait(probe, running)
    back = time.monotonic()
    time.sleep(SETTLE)
    return {"stop_s": round(gone - began, 2), "back_s": round(back - gone, 2)}


def _wait(probe: Probe, running: Resolvers) -> None:
    """Until every shard answers from now on."""
    began = time.monotonic()
    while not probe.answers(began):
        if time.monotonic() - began > DEADLINE:
            raise TimeoutError(f"not every shard answers within {DEADLINE:.0f} s")
        running.used()
        time.sleep(0.05)
