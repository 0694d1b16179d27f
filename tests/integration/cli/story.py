"""Two shops change one price; a real resolver decides; what it wrote stands on a real broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from connectors.kit.clock import ManualClock
from connectors.kit.golden import comparable_price, content_fingerprint
from schemas import headers, identity, topics
from schemas.codec import Codec
from schemas.entities import Channel, Completeness, EntityType, Op, Rank
from schemas.headers import Header, Version
from schemas.registry import open_codec
from schemas.topics import PLATFORMS, PROFILES
from streams.resolver.processor import Resolver
from streams.resolver.role import routes_of
from streams.runtime.config import load
from streams.shard.memory import MemoryShard
from streams.stack import Endpoints
from streams.testing.prepare import prepare

NOW = 1_772_366_400_000_000  # 2026-03-01 12:00
PROFILE = PROFILES["development"]
FILE = """
tenants:
  acme:
    accounts:
      shop: {platform: shopify, base_url: "http://s", priority: 10, secrets: {webhook: "env:NOBODY_SETS_THIS"}}
      presta: {platform: prestashop, base_url: "http://p", priority: 20}
policies: {revision: 7, price: {kind: lww}}
ordering: {default: {mode: arrival}}
flows:
  prices: {entity: price, to: [shop, presta], fields: [amount]}
"""


@dataclass
class Incoming:
    """A record of inbound."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int


@dataclass
class Story:
    """One installation under a prefix of its own."""

    where: Endpoints
    folder: Path
    prefix: str
    codec: Codec = field(init=False)
    between: datetime = field(init=False)  # a moment within it, for those who ask what was then

    def __post_init__(self) -> None:
        self.file = self.folder / "sluice.yaml"
        self.file.write_text(FILE)
        prepare(self.where.bootstrap, self.where.registry, self.prefix, PROFILE)
        self.codec = open_codec(self.where.registry, self.folder / "schemas")
        self._config = load(self.file, PLATFORMS, with_secrets=False)

    @property
    def environ(self) -> dict[str, str]:
        """The settings of a process of this installation."""
        return {
            "SLUICE_BOOTSTRAP": self.where.bootstrap,
            "SLUICE_REGISTRY": self.where.registry,
            "SLUICE_TOPIC_PREFIX": self.prefix,
            "SLUICE_CONFIG_FILE": str(self.file),
            "SLUICE_SCHEMA_CACHE": str(self.folder / "schemas"),
        }

    def price(self, offset: int, account: str, amount: str, at: int, sku: str = "SKU-1") -> Incoming:
        """The price as one shop tells it; `at`: seconds after NOW."""
        key = identity.join("acme", "price", f"{sku}~default~EUR")
        clock = NOW + at * 1_000_000
        content = content_fingerprint(Op.UPSERT, comparable_price(Decimal(amount), "EUR", "INCLUDED"))
        version = Version(clock, Rank.PUSH, offset, 1, content)
        id_ = identity.event_id("acme", account, f"d-{sku}-{offset}", 1)
        header = Header(
            id_, version, clock, identity.account_hash("acme", account), clock, EntityType.PRICE, Op.UPSERT,
            Completeness.FULL, Channel.WEBHOOK,
        )  # fmt: skip
        time = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=clock)
        meta = {
            "event_id": id_, "ce_id": f"d-{offset}/price/1", "delivery_id": f"d-{offset}", "tenant": "acme",
            "account": account, "platform": "shopify", "golden_key": key, "source_key": f"acme|price|{account}|1",
            "op": "UPSERT", "clock_id": "updated_at", "source_time": time, "source_time_text": "",
            "corrected_time": time, "version": {
                "clock": clock, "rank": 1, "sequence": offset, "mapping_revision": 1, "fingerprint": content,
            }, "completeness": "FULL", "fields": [], "channel": "WEBHOOK", "received_at": time,
        }  # fmt: skip
        money = {"amount": Decimal(amount), "currency": "EUR", "tax": "INCLUDED"}
        record = {"meta": meta, "sku": sku, "price_list": "default", "amount": money, "compare_at": None, "extra": {}}
        packed = [(headers.NAME, header.pack())]
        return Incoming(offset, key.encode(), self.codec.encode("price", record), packed, clock // 1000)

    def resolve(self, *records: Incoming) -> None:
        """Let a resolver work them off and write its outputs and rows, as its shard would."""
        number = identity.golden_partition((records[0].key or b"").decode(), PROFILE.shard)
        shard = MemoryShard(number)
        clock = ManualClock(NOW)
        resolver = Resolver(routes_of(self._config), self.codec, PROFILE, now=clock.now)
        resolver.open(shard)
        for record in records:
            clock.advance(record.timestamp / 1000 + 0.001 - clock.now() / 1_000_000)
            resolver.process(shard, topics.INBOUND, [record])
        shard.flush()
        producer: Any = Producer({"bootstrap.servers": self.where.bootstrap})
        for one in shard.committed:
            producer.produce(self.prefix + one.topic, one.value, one.key, one.partition, headers=one.headers)
        assert producer.flush(30) == 0
        self.write(*((topics.RESOLVE_CHANGELOG, number, key, row) for key, row in shard.rows.data.items()))

    def called(self, key: str, version: int) -> None:
        """The courier has written that version at presta."""
        record = {
            "at": NOW, "tenant": "acme", "account": "presta", "platform": "prestashop", "bucket": "acme|presta",
            "lane": "normal", "operation": "write_product", "op_id": f"presta|{key}|{version}", "method": "PUT",
            "endpoint": "/api/products/{id}", "status": 200, "outcome": "success", "cost": 1.0, "level": None,
            "limit": None, "latency_ms": 24.0, "attempt": 1, "retry_after_ms": None, "golden_version": version,
        }  # fmt: skip
        partition = identity.account_partition("acme", "presta", PROFILE.shard)
        self.write((topics.CALLS, partition, b"acme|presta", self.codec.encode("api_call", record)))

    def write(self, *records: tuple[str, int, bytes | None, bytes | None]) -> None:
        """Topic, partition, key and value, acknowledged."""
        producer: Any = Producer({"bootstrap.servers": self.where.bootstrap})
        for topic, partition, key, value in records:
            producer.produce(self.prefix + topic, value, key, partition)
        assert producer.flush(30) == 0

    def remove(self) -> None:
        """Delete its topics: the whole catalogue is much to leave on a broker that was lent."""
        admin: Any = AdminClient({"bootstrap.servers": self.where.bootstrap})
        for done in admin.delete_topics([self.prefix + name for name in topics.CATALOGUE]).values():
            done.result(30)
