"""The load of W4: every entity once, then updates of random ones at a steady rate, with their truth."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Producer

from benchmarks.workload import ACCOUNT, TENANT, VALUE_BYTES, header, value
from schemas import headers, identity
from schemas.entities import EntityType
from schemas.topics import INBOUND, Profile

_TURN = 0.02  # seconds between two portions of a trickle


class Load:
    """Entities and their sequences. `records` counts what was acknowledged or is on its way."""

    def __init__(self, kafka: Mapping[str, Any], prefix: str, profile: Profile, entities: int, seed: int) -> None:
        names = [identity.join(TENANT, EntityType.INVENTORY_LEVEL.value, f"SKU{n}~MAIN") for n in range(entities)]
        self._places = [identity.golden_partition(name, profile.shard) for name in names]
        self._names = [name.encode() for name in names]
        self._sequences = [0] * entities
        self._topic = prefix + INBOUND
        self._chance = random.Random(seed)
        self._account = identity.account_hash(TENANT, ACCOUNT)
        self._filler = self._chance.randbytes(VALUE_BYTES // 2 - 7).hex().encode()
        self._producer = Producer(
            {**kafka, "linger.ms": 20, "compression.type": "lz4", "enable.idempotence": True,
             "queue.buffering.max.messages": 2_000_000, "queue.buffering.max.kbytes": 1_000_000}
        )  # fmt: skip
        self.records = 0

    @property
    def winners(self) -> dict[bytes, int]:
        """Golden key -> highest sequence."""
        return dict(zip(self._names, self._sequences, strict=True))

    def everything(self) -> None:
        """One record of each entity, acknowledged."""
        for number in range(len(self._names)):
            self._write(number)
            if number % 5_000 == 0:
                self._producer.poll(0)
        self.flush()

    def some(self, count: int) -> None:
        """One more record of so many random entities."""
        for _ in range(count):
            self._write(self._chance.randrange(len(self._names)))
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until all is acknowledged. Raises RuntimeError when something is not."""
        if self._producer.flush(60):
            raise RuntimeError("the broker does not take the load")

    def _write(self, number: int) -> None:
        self._sequences[number] = sequence = self._sequences[number] + 1
        self.records += 1
        facts = header(self.records, number, sequence, self._account)
        self._producer.produce(
            self._topic, value(sequence, self._filler), self._names[number], self._places[number],
            headers=[(headers.NAME, facts)],
        )  # fmt: skip


class Trickle:
    """Writes at `rate` records per second while its block runs, in a thread of its own."""

    def __init__(self, load: Load, rate: int) -> None:
        self._load = load
        self._rate = rate
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="trickle", daemon=True)

    def __enter__(self) -> Trickle:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self._thread.join()
        self._load.flush()

    def _run(self) -> None:
        began, written = time.monotonic(), 0
        while not self._over.wait(_TURN):
            due = int((time.monotonic() - began) * self._rate)
            self._load.some(due - written)
            written = due
