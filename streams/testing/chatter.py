"""Two accounts that talk about the same prices, straight into `inbound`, and the truth of what they said.

Some records come twice, some out of order, some are deletions; all of it is decided by the seed but for the moments.
"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from confluent_kafka import Producer

from connectors.kit.contract import Account
from schemas import identity
from schemas.codec import Codec
from schemas.entities import EntityType
from schemas.topics import INBOUND, Profile
from streams.testing import plain

TENANT = "acme"
ACCOUNTS = (Account(TENANT, "shop", "shopify", "", priority=10), Account(TENANT, "erp", "shopify", "", priority=20))
KIND = EntityType.PRICE
_TURN = 0.02  # seconds between two portions


@dataclass(frozen=True, slots=True)
class Manners:
    """How they talk. Ratios in 0..1; `apart`: by how many records a record may be displaced, or its copy follow."""

    rate: float = 300.0
    entities: int = 120
    duplicates: float = 0.10
    disorder: float = 0.20
    deletes: float = 0.03
    apart: int = 60


class Chatter:
    """Talks while its block runs, in a thread of its own; everything is acknowledged at its end.

    `records` counts what was written; `truth`: golden key -> amount, None for a deleted one: the last writer's word.
    """

    def __init__(
        self, kafka: Mapping[str, Any], codec: Codec, prefix: str, profile: Profile, manners: Manners, seed: int
    ) -> None:
        self._codec = codec
        self._topic = prefix + INBOUND
        self._profile = profile
        self._manners = manners
        self._chance = random.Random(seed)
        self._producer = Producer({**kafka, "linger.ms": 5, "compression.type": "lz4", "enable.idempotence": True})
        self._due: list[tuple[int, int, tuple[Any, ...]]] = []
        self._numbers = itertools.count()
        self._said = 0
        self._clock = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chatter", daemon=True)
        self.records = 0
        self.truth: dict[str, Decimal | None] = {}

    def __enter__(self) -> Chatter:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self._thread.join()
        self._write(self._said + 2 * self._manners.apart)
        if self._producer.flush(60):
            raise RuntimeError("the broker does not take what was said")

    def _run(self) -> None:
        began = time.monotonic()
        while not self._over.wait(_TURN):
            for _ in range(int((time.monotonic() - began) * self._manners.rate) - self._said):
                self._say()
            self._write(self._said)
            self._producer.poll(0)

    def _say(self) -> None:
        """One more word of one account; when it is written is another matter."""
        manners, chance = self._manners, self._chance
        self._said += 1
        self._clock = max(time.time_ns() // 1_000, self._clock + 1)  # never the same twice, so the last is one
        account = chance.choice(ACCOUNTS)
        amount = None if chance.random() < manners.deletes else Decimal(chance.randrange(100, 99_999)) / 100
        said = plain.Said(
            account, KIND, f"SKU-{chance.randrange(manners.entities)}~default~EUR", _fields(amount), self._clock,
            self._clock, self._clock, f"d-{self._said}",
        )  # fmt: skip
        record = plain.event(self._codec, said)
        self.truth[str(said.key)] = amount
        late = chance.randrange(manners.apart) if chance.random() < manners.disorder else 0
        self._schedule(late, record)
        if chance.random() < manners.duplicates:
            self._schedule(late + chance.randrange(manners.apart), record)

    def _schedule(self, later: int, record: tuple[Any, ...]) -> None:
        heapq.heappush(self._due, (self._said + later, next(self._numbers), record))

    def _write(self, upto: int) -> None:
        for key, value, headers in self._take(upto):
            partition = identity.golden_partition(key.decode(), self._profile.shard)
            self._producer.produce(self._topic, value, key, partition, headers=headers)
            self.records += 1

    def _take(self, upto: int) -> Iterator[tuple[Any, ...]]:
        while self._due and self._due[0][0] <= upto:
            yield heapq.heappop(self._due)[2]


def _fields(amount: Decimal | None) -> dict[str, Any] | None:
    return None if amount is None else {"amount": {"amount": amount, "currency": "EUR", "tax": "INCLUDED"}}
