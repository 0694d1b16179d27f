"""From a mapped record to the canonical one: version, header, meta, fields. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any
from urllib.parse import unquote

from connectors.kit import golden
from connectors.kit.contract import Account, Envelope, Mapped
from schemas import codec, identity
from schemas.entities import Completeness, EntityType, Op, Rank
from schemas.headers import Header, Version
from schemas.identity import GoldenKey, SourceKey
from streams.runtime.raw import ANSWER

READ_SEQUENCE = "read_sequence"  # clock id of records without a usable time
_BLANKS: Mapping[str, Any] = {
    "string": "", "bytes": b"", "boolean": False, "int": 0, "long": 0, "float": 0.0, "double": 0.0,
}  # fmt: skip


def is_time(record: Mapped) -> bool:
    """Whether the record's clock counts microseconds UTC and not changes or reads."""
    return record.clock_id != READ_SEQUENCE and record.resolution > 0


def offset_micros(account: Account) -> int:
    """How far the account's clock is ahead of ours, in microseconds."""
    return round(account.clock_offset * 1_000_000)


def newest_claim(account: Account, record: Mapped) -> int:
    """The latest time the record claims to be of, on our clock, in microseconds UTC; 0 when it claims none."""
    claims = [record.source_time] if record.source_time else []
    if is_time(record):
        claims.append(record.clock)
    return max(claims) - offset_micros(account) if claims else 0


def ce_id(envelope: Envelope, record: Mapped) -> str:
    """<delivery id>/<type>/<remote id>: one delivery fans out to several events."""
    return f"{envelope.delivery_id}/{record.type.value}/{record.remote_id}"


def rank(account: Account, envelope: Envelope, record: Mapped) -> Rank:
    """A push beats an unsettled read, a settled read beats a push.

    A read that was started within the clock's resolution of the change may have missed a second change of the same
    clock value; clocks that count have no such doubt.
    """
    if envelope.read_started_at is None:
        return Rank.PUSH
    if not is_time(record):
        return Rank.SETTLED_READ
    age = envelope.read_started_at - (record.clock - offset_micros(account))
    return Rank.SETTLED_READ if age >= record.resolution else Rank.UNSETTLED_READ


def version(account: Account, envelope: Envelope, record: Mapped, revision: int) -> Version:
    """What decides between two observations of this record."""
    return Version(
        clock=record.clock,
        rank=rank(account, envelope, record),
        sequence=record.sequence or envelope.read_sequence or 0,
        mapping_revision=revision,
        fingerprint=golden.content_fingerprint(record.op, record.comparable),
    )


def times(account: Account, envelope: Envelope, record: Mapped) -> tuple[int, int]:
    """(source time, corrected time) in microseconds UTC. A record without a time is as old as its read."""
    source = record.source_time or (record.clock if is_time(record) else 0)
    if source:
        return source, source - offset_micros(account)
    seen = envelope.received_at if envelope.read_started_at is None else envelope.read_started_at
    return seen, seen


def header(account: Account, envelope: Envelope, record: Mapped, revision: int) -> Header:
    """The packed header's facts."""
    name = ce_id(envelope, record)
    return Header(
        event_id=identity.event_id(account.tenant, account.id, name, revision),
        version=version(account, envelope, record, revision),
        corrected_time=times(account, envelope, record)[1],
        account=identity.account_hash(account.tenant, account.id),
        received_at=envelope.received_at,
        type=record.type,
        op=record.op,
        completeness=record.completeness,
        channel=envelope.channel,
        answer=ANSWER in envelope.headers,
    )


def canonical(account: Account, envelope: Envelope, record: Mapped, key: GoldenKey, facts: Header) -> dict[str, Any]:
    """The record of the type's schema, `meta` first; says what `facts` say."""
    return {"meta": _meta(account, envelope, record, key, facts), **_fields(record, key)}


def _meta(account: Account, envelope: Envelope, record: Mapped, key: GoldenKey, facts: Header) -> dict[str, Any]:
    decides = facts.version
    return {
        "event_id": facts.event_id,
        "ce_id": ce_id(envelope, record),
        "delivery_id": envelope.delivery_id,
        "tenant": account.tenant,
        "account": account.id,
        "platform": account.platform,
        "golden_key": str(key),
        "source_key": str(SourceKey(account.tenant, record.type, account.id, record.remote_id)),
        "op": record.op.name,
        "clock_id": record.clock_id,
        "source_time": times(account, envelope, record)[0],
        "source_time_text": record.source_time_text,
        "corrected_time": facts.corrected_time,
        "version": {
            "clock": decides.clock,
            "rank": int(decides.rank),
            "sequence": decides.sequence,
            "mapping_revision": decides.mapping_revision,
            "fingerprint": decides.fingerprint,
        },
        "completeness": record.completeness.name,
        "fields": sorted(record.fields) if record.completeness is Completeness.PARTIAL else [],
        "channel": envelope.channel.name,
        "received_at": envelope.received_at,
        "read": identity.join(*record.fetch) if record.fetch and all(record.fetch) else "",
    }


def _fields(record: Mapped, key: GoldenKey) -> dict[str, Any]:
    """The mapping's fields; of a deletion what the schema demands; and the SKU and location that the link found."""
    fields = dict(record.fields)
    if record.op is Op.DELETE:
        fields = {**_blank(record.type.value), **fields}
    for name, value in _identifying(key).items():
        if fields.get(name) == "":
            fields[name] = value
    return fields


def _identifying(key: GoldenKey) -> dict[str, str]:
    if key.type not in {EntityType.VARIANT, EntityType.PRICE, EntityType.INVENTORY_LEVEL}:
        return {}
    parts = [unquote(part) for part in key.golden_id.split(identity.COMPONENT)]
    located = key.type is EntityType.INVENTORY_LEVEL and len(parts) > 1
    return {"sku": parts[0], **({"location": parts[1]} if located else {})}


@cache
def _blank(name: str) -> dict[str, Any]:
    """A value for every field without a default: a deletion carries no values, but its record has the same schema."""
    required = [field for field in codec.load(name)["fields"] if "default" not in field and field["name"] != "meta"]
    return {field["name"]: _blank_value(field["type"]) for field in required}


def _blank_value(kind: Any) -> Any:
    if isinstance(kind, list):
        return None if "null" in kind else _blank_value(kind[0])
    if isinstance(kind, str):
        return _BLANKS[kind] if kind in _BLANKS else _blank_value(codec.load("money"))
    if kind["type"] == "record":
        return {field["name"]: _blank_value(field["type"]) for field in kind["fields"]}
    if kind["type"] in {"array", "map"}:
        return [] if kind["type"] == "array" else {}
    if kind["type"] == "enum":
        return kind["default"]
    return Decimal(0) if kind.get("logicalType") == "decimal" else _BLANKS[kind["type"]]
