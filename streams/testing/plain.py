"""Records from and to plain values: canonical events as a mapper would write them, and outputs as dicts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from connectors.kit import golden
from connectors.kit.contract import Account, Envelope, Link, Mapped
from schemas import headers, topics
from schemas.codec import Codec
from schemas.entities import Channel, Completeness, EntityType, Op
from schemas.headers import EventFacts, Header
from schemas.identity import GoldenKey
from streams.mapper import records
from streams.runtime.raw import ANSWER
from streams.testing.memoryhost import Record

REVISION = 1  # of the mapping that no platform has
_EVENTS = {topics.events(kind) for kind in EntityType}


@dataclass(frozen=True, slots=True)
class Said:
    """What one account says of one entity. `fields`: those of the type's schema, None for a deletion; required ones
    that are left out are blank. `clock`: microseconds UTC or a version number; `source_time`: microseconds UTC.
    `delivery`: its id, equal for what was delivered twice. `comparable`: the values whose hash is the fingerprint.
    `answer`: it is what the account said to a write of ours. `read`: resource and remote id by which it is read. `op`:
    for a deletion that says something all the same."""

    account: Account
    type: EntityType
    golden_id: str
    fields: Mapping[str, Any] | None
    clock: int
    source_time: int
    received_at: int
    delivery: str
    sequence: int = 0
    channel: Channel = Channel.WEBHOOK
    completeness: Completeness = Completeness.FULL
    comparable: Sequence[str] | None = None
    answer: bool = False
    read: tuple[str, str] | None = None
    op: Op | None = None

    @property
    def key(self) -> GoldenKey:
        """The entity."""
        return GoldenKey(self.account.tenant, self.type, self.golden_id)


def event(codec: Codec, said: Said) -> tuple[bytes, bytes, list[tuple[str, bytes]]]:
    """Key, value and headers of its record in `inbound`. Raises CodecError for fields that do not fit the schema."""
    envelope, mapped = _envelope(said), _mapped(said)
    facts = records.header(said.account, envelope, mapped, REVISION)
    record = {**_filled(said, envelope, mapped, facts), "meta": _meta(said, envelope, mapped, facts)}
    value = codec.encode(said.type.value, record)
    return str(said.key).encode(), value, [(headers.NAME, facts.pack())]


def _envelope(said: Said) -> Envelope:
    """As of a delivery; a read starts when it is received, and is therefore unsettled within a second of a change."""
    read = said.channel in (Channel.POLL, Channel.FETCH)
    return Envelope(
        account=said.account.id,
        channel=said.channel,
        topic="",
        delivery_id=said.delivery,
        body=b"",
        headers={ANSWER: "true"} if said.answer else {},
        received_at=said.received_at,
        read_started_at=said.received_at if read else None,
    )


def _mapped(said: Said) -> Mapped:
    fields = said.fields or {}
    return Mapped(
        type=said.type,
        remote_id=said.golden_id,
        link=Link(said.golden_id),
        clock=said.clock,
        clock_id="updated_at",
        fields=fields,
        comparable=comparable(said.type, fields) if said.comparable is None else said.comparable,
        sequence=said.sequence,
        source_time=said.source_time,
        op=said.op or (Op.DELETE if said.fields is None else Op.UPSERT),
        completeness=said.completeness,
        fetch=said.read,
    )


def _meta(said: Said, envelope: Envelope, mapped: Mapped, facts: Header) -> Any:
    return records.canonical(said.account, envelope, mapped, said.key, facts)["meta"]


def _filled(said: Said, envelope: Envelope, mapped: Mapped, facts: Header) -> dict[str, Any]:
    """A deletion's record has a value for every required field, and what the key says of SKU and location."""
    return records.canonical(said.account, envelope, replace(mapped, op=Op.DELETE), said.key, facts)


def comparable(kind: EntityType, fields: Mapping[str, Any]) -> Sequence[str]:
    """The values that every mapping compares of a type; all fields of a type or a record that lacks one of those."""
    known = _COMPARED.get(kind)
    if known is None or not all(name in fields for name in known[0]):
        return golden.comparable_order(fields)
    made: Sequence[str] = known[1](fields)
    return made


def _price(fields: Mapping[str, Any]) -> tuple[str, ...]:
    money = fields["amount"]
    return golden.comparable_price(Decimal(money["amount"]), money["currency"], money.get("tax", "UNKNOWN"))


_COMPARED: Mapping[EntityType, tuple[tuple[str, ...], Any]] = {
    EntityType.PRICE: (("amount",), _price),
    EntityType.INVENTORY_LEVEL: (("available",), lambda f: golden.comparable_inventory_level(f["available"])),
    EntityType.VARIANT: (("sku",), lambda f: golden.comparable_variant(f["sku"], f.get("barcode"))),
    EntityType.PRODUCT: (("title", "status"), lambda f: golden.comparable_product(f["title"], f["status"])),
}


def decoded(codec: Codec, topic: str, record: Record) -> dict[str, Any]:
    """A record of a topic as `offset`, `key` as text and `value` decoded, None for a tombstone; the record in a push
    task is decoded as well, and `events` have `shard_seq`, `late` and `unchanged`. Raises CodecError."""
    value = None if record.value is None else codec.decode(record.value)
    plain: dict[str, Any] = {"offset": record.offset, "key": (record.key or b"").decode(), "value": value}
    if topic in _EVENTS:
        facts = EventFacts.unpack(headers.find(record.headers))
        plain |= {"shard_seq": facts.shard_seq, "late": facts.late, "unchanged": facts.unchanged}
    if value is not None and topics.CATALOGUE[topic].schemas == ("push_task",):
        plain["value"] = {**value, "record": codec.decode(value["record"]) if value["record"] else None}
    return plain
