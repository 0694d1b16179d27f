"""One event in its two forms, for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from schemas.entities import Channel, Completeness, EntityType, Op, Rank
from schemas.headers import Header, Version
from schemas.identity import account_hash, event_id

CHANGED = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
RECEIVED = datetime(2026, 3, 1, 12, 30, 16, 654321, tzinfo=UTC)
FINGERPRINT = bytes(range(8))
EVENT_ID = event_id("acme", "shop-1", "delivery-9/price/77", 3)


def micros(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000 + time.microsecond


def a_meta(**facts: Any) -> dict[str, Any]:
    """The `meta` of a price."""
    meta = {
        "event_id": EVENT_ID,
        "ce_id": "delivery-9/price/77",
        "delivery_id": "delivery-9",
        "tenant": "acme",
        "account": "shop-1",
        "platform": "shopify",
        "golden_key": "acme|price|SKU-1~default~EUR",
        "source_key": "acme|price|shop-1|77",
        "op": "UPSERT",
        "clock_id": "updated_at",
        "source_time": CHANGED,
        "source_time_text": "2026-03-01T12:30:15.123456Z",
        "corrected_time": CHANGED,
        "version": {
            "clock": micros(CHANGED),
            "rank": 2,
            "sequence": 41,
            "mapping_revision": 3,
            "fingerprint": FINGERPRINT,
        },
        "completeness": "PARTIAL",
        "fields": ["amount"],
        "channel": "FETCH",
        "received_at": RECEIVED,
        "read": "",
    }
    return meta | facts


def a_header() -> Header:
    """The packed header of the same price."""
    return Header(
        event_id=EVENT_ID,
        version=Version(micros(CHANGED), Rank.SETTLED_READ, 41, 3, FINGERPRINT),
        corrected_time=micros(CHANGED),
        account=account_hash("acme", "shop-1"),
        received_at=micros(RECEIVED),
        type=EntityType.PRICE,
        op=Op.UPSERT,
        completeness=Completeness.PARTIAL,
        channel=Channel.FETCH,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


def a_price(**fields: Any) -> dict[str, Any]:
    price = {
        "meta": a_meta(),
        "sku": "SKU-1",
        "price_list": "default",
        "amount": {"amount": Decimal("12.500000"), "currency": "EUR", "tax": "INCLUDED"},
        "compare_at": None,
        "extra": {"vendor": "Größe"},
    }
    return price | fields
