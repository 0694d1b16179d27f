"""Raw envelopes: between `Envelope` and the record of schemas/avro/raw_envelope.avsc. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.kit.contract import Account, Envelope
from schemas.entities import Channel, Op

ANSWER = "sluice-answer"  # header of what an account said to a write of ours: how it stores what it was asked to hold
ACKNOWLEDGE_ONLY = "sluice-acknowledge-only"  # kept header of a delivery that is to be stored and never mapped
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)
_OPS = {"upsert": Op.UPSERT, "delete": Op.DELETE}


class StrangeEnvelope(ValueError):
    """A decoded record that is not a raw envelope this version understands."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """An envelope and whose it is."""

    tenant: str
    platform: str
    envelope: Envelope


def micros(at: Any) -> int:
    """Microseconds UTC of what the codec reads for a timestamp-micros: an aware datetime, exact to the microsecond."""
    return at if isinstance(at, int) else (at - _EPOCH) // _MICRO


def to_record(account: Account, envelope: Envelope) -> dict[str, Any]:
    """The record of an envelope, ready for `Codec.encode("raw_envelope", ...)`."""
    return {
        "tenant": account.tenant,
        "account": account.id,
        "platform": account.platform,
        "channel": envelope.channel.value,
        "topic": envelope.topic,
        "delivery_id": envelope.delivery_id,
        "resource_id": envelope.resource_id or None,
        "body": envelope.body,
        "headers": envelope.headers,
        "received_at": envelope.received_at,
        "read_started_at": envelope.read_started_at,
        "read_sequence": envelope.read_sequence,
        "op": envelope.op.name.lower(),
    }


def from_record(record: Mapping[str, Any]) -> RawRecord:
    """The inverse. Raises StrangeEnvelope for a missing field, an unknown channel or an unknown op."""
    try:
        started = record["read_started_at"]
        envelope = Envelope(
            account=record["account"],
            channel=Channel(record["channel"]),
            topic=record["topic"],
            delivery_id=record["delivery_id"],
            body=record["body"],
            headers=record["headers"],
            received_at=micros(record["received_at"]),
            resource_id=record["resource_id"] or "",
            read_started_at=None if started is None else micros(started),
            read_sequence=record["read_sequence"],
            op=_OPS[record["op"]],
        )
        return RawRecord(record["tenant"], record["platform"], envelope)
    except (KeyError, ValueError, TypeError) as error:
        raise StrangeEnvelope(
            f"not a raw envelope this version understands: {type(error).__name__}: {error}"
        ) from error
