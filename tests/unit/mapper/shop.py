"""A platform small enough to say anything: its JSON names the records outright."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import orjson

from connectors.kit import golden
from connectors.kit.contract import Account, Envelope, Ignored, Link, Mapped, Platform, Poller
from connectors.kit.errors import Invalid
from connectors.kit.metrics import Metrics
from schemas.codec import Codec
from schemas.entities import Channel, Completeness, EntityType, Op
from schemas.registry import MemorySchemas
from schemas.topics import PROFILES
from streams.mapper.processor import Mapper
from streams.runtime.raw import to_record
from streams.runtime.xref import LinkView, MemoryXref
from streams.shard.memory import MemoryShard

NOW = 1_772_366_400_000_000
SECOND = 1_000_000
ACCOUNT = Account("acme", "shop", "shopify", "https://shop.example", clock_offset=0.0)
CODEC = Codec(MemorySchemas())
PROFILE = PROFILES["development"]
TOPIC = "raw.shopify.v1"


@dataclass
class Shop:
    """A CanonicalMapping: the body is a list of records."""

    revision: int = 1

    def map(self, account: Account, envelope: Envelope) -> list[Mapped] | Ignored:
        if envelope.topic == "nothing":
            return Ignored("no canonical entity")
        if envelope.topic == "broken":
            raise KeyError("price")
        if envelope.topic == "refused":
            raise Invalid("$.price: not a number")
        return [mapped(one) for one in orjson.loads(envelope.body)]


def mapped(one: dict[str, Any]) -> Mapped:
    kind = EntityType(one["type"])
    record = Mapped(
        type=kind,
        remote_id=one["id"],
        link=Link(one.get("golden", ""), _via(one), one.get("suffix", "")),
        clock=one.get("clock", NOW - 10 * SECOND),
        clock_id=one.get("clock_id", "updated_at"),
        fields=_FIELDS[kind](one),
        comparable=one.get("comparable", ()),
        source_time=one.get("source_time", one.get("clock", NOW - 10 * SECOND)),
        op=Op[one.get("op", "UPSERT")],
        completeness=Completeness[one.get("completeness", "FULL")],
        aliases=one.get("aliases", {}),
        known_as=one.get("known_as", ()),
        fetch=tuple(one["fetch"]) if "fetch" in one else None,
    )
    return replace(record, fields={}) if record.op is Op.DELETE else record


def _via(one: dict[str, Any]) -> tuple[EntityType, str] | None:
    return (EntityType(one["via"][0]), one["via"][1]) if "via" in one else None


def _variant(one: dict[str, Any]) -> dict[str, Any]:
    return {"sku": one.get("sku", "A")}


def _price(one: dict[str, Any]) -> dict[str, Any]:
    amount = {"amount": Decimal(one.get("amount", "1")), "currency": "EUR", "tax": "INCLUDED"}
    return {"sku": "A", "price_list": "default", "amount": amount}


def _level(one: dict[str, Any]) -> dict[str, Any]:
    return {"sku": "", "location": "main", "available": Decimal(one.get("available", "1"))}


_FIELDS: dict[EntityType, Callable[[dict[str, Any]], dict[str, Any]]] = {
    EntityType.VARIANT: _variant,
    EntityType.PRICE: _price,
    EntityType.INVENTORY_LEVEL: _level,
    EntityType.PRODUCT: lambda one: {"title": "T"},
    EntityType.ORDER: lambda one: {"number": "1", "total": {"amount": Decimal(1), "currency": "EUR"}},
}

VARIANT = {
    "type": "variant", "id": "11", "golden": golden.variant("a"), "comparable": ["A", ""],
    "aliases": {"inventory_item_id": "77"}, "known_as": ["inventory_item:77"],
}  # fmt: skip
PRICE = {"type": "price", "id": "11:EUR", "golden": golden.price("a", "EUR"), "comparable": ["1", "EUR", "INCLUDED"]}
LEVEL = {
    "type": "inventory_level", "id": "77:5", "via": ["variant", "inventory_item:77"], "suffix": "main",
    "comparable": ["1"], "fetch": ["inventory_item", "77"],
}  # fmt: skip


def envelope(*records: dict[str, Any], **changes: Any) -> Envelope:
    base = Envelope("shop", Channel.WEBHOOK, "products/update", "d-1", orjson.dumps(list(records)), {}, NOW)
    return replace(base, **changes)


def fetched(*records: dict[str, Any], **changes: Any) -> Envelope:
    told = {"channel": Channel.FETCH, "delivery_id": "read-1", "read_started_at": NOW, "read_sequence": 7}
    return envelope(*records, **{**told, **changes})


@dataclass
class Raw:
    """A record of the raw topic."""

    offset: int
    value: bytes | None
    key: bytes | None = b"shop|d-1"
    timestamp: int = NOW // 1000
    headers: Sequence[tuple[str, bytes]] = field(default_factory=lambda: [("ce_id", b"d-1")])


@dataclass
class Bench:
    """A mapper over a memory shard."""

    xref: LinkView = field(default_factory=MemoryXref)
    revision: int = 1
    account: Account = ACCOUNT
    shard: MemoryShard = field(default_factory=MemoryShard)
    metrics: Metrics = field(default_factory=Metrics)
    poller: Poller | None = None

    def __post_init__(self) -> None:
        accounts = {("acme", "shop"): self.account}
        platforms = {"shopify": Platform("shopify", Shop(self.revision), poller=self.poller)}
        self.mapper = Mapper(accounts, platforms, CODEC, PROFILE, self.xref, now=lambda: NOW, metrics=self.metrics)
        self.mapper.open(self.shard)
        self.offset = 0

    def feed(self, *envelopes: Envelope, account: Account = ACCOUNT) -> None:
        self.take(*(CODEC.encode("raw_envelope", to_record(account, one)) for one in envelopes))

    def take(self, *values: bytes | None) -> None:
        records = [Raw(self.offset + at, value) for at, value in enumerate(values)]
        self.offset += len(values)
        assert self.mapper.process(self.shard, TOPIC, records) is None
        self.shard.flush()

    def decoded(self, topic: str) -> list[dict[str, Any]]:
        return [CODEC.decode(one.value or b"") for one in self.shard.outputs(topic)]

    def reasons(self) -> list[str]:
        return [letter["reason"] for letter in self.decoded("dead-letters.v1")]


def keys(outputs: Iterable[Any]) -> list[str]:
    return [one.key.decode() for one in outputs]
