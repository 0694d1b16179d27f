"""What the tests of this platform share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

from connectors.kit.contract import Account, Envelope, Mapped, Observation, Write
from connectors.threepl import PLATFORM
from schemas.entities import Channel, EntityType, Op

NOON = 1_772_362_800_000_000  # 2026-03-01T11:00:00Z
SHIPMENT: dict[str, Any] = {
    "id": "SHP-7",
    "order_id": "ORD-3",
    "order_reference": "shop-1:1001",
    "status": "shipped",
    "lines": [{"line_id": "11", "sku": " tee-m", "quantity": 2}, {"line_id": None, "sku": "CAP", "quantity": 1}],
    "carrier": "DHL",
    "tracking": [{"number": "JJD1", "url": "https://track.example/JJD1"}, {"number": "JJD2", "url": None}],
    "shipped_at": "2026-03-01T11:00:00.250Z",
    "delivered_at": None,
    "version": 3,
    "updated_at": "2026-03-01T12:00:00.250+01:00",
}
STOCK: dict[str, Any] = {
    "id": "STK-1",
    "sku": "tee-m",
    "warehouse": "HAM1",
    "on_hand": 9,
    "reserved": 2,
    "available": 7,
    "version": 12,
    "updated_at": "2026-03-01T11:00:00Z",
}


def account(**settings: str) -> Account:
    """A warehouse with one site."""
    secrets = {"api_token": ["token"], "webhook": ["secret"]}
    return Account("t1", "warehouse", "threepl", "https://wms.example", settings, secrets)


def envelope(topic: str, record: dict[str, Any], channel: Channel = Channel.POLL, op: Op = Op.UPSERT) -> Envelope:
    """A record as raw holds it."""
    started = None if channel is Channel.WEBHOOK else NOON + 9
    return Envelope(
        "warehouse", channel, topic, "d1", orjson.dumps(record), {}, NOON + 10, str(record.get("id")), started, 4, op
    )


def mapped(topic: str, record: dict[str, Any], **settings: str) -> list[Mapped]:
    """The records of one body."""
    found = PLATFORM.mapping.map(account(**settings), envelope(topic, record))
    assert isinstance(found, list), found
    return found


def line(number: str, sku: str | None, quantity: str = "1") -> dict[str, Any]:
    """A line of a canonical order."""
    return {"line_id": number, "sku": sku, "quantity": Decimal(quantity)}


def order(*lines: dict[str, Any], version: int = 1, op_id: str = "op-1", op: Op = Op.UPSERT, **fields: Any) -> Write:
    """The command that hands an order over."""
    record = {
        "number": "#1001",
        "status": "OPEN",
        "fulfilment_status": "UNFULFILLED",
        "lines": list(lines or (line("11", "TEE-M", "2"),)),
        "placed_at": NOON,
        **fields,
    }
    return Write(EntityType.ORDER, op, "t1|order|shop-1:1001", version, "", {}, record, (), op_id)


def a_shipment(**values: Any) -> dict[str, Any]:
    """The shipment with other values."""
    return {**SHIPMENT, **values}


def seen(topic: str, record: dict[str, Any]) -> Observation:
    """A read of a record."""
    return Observation(topic, str(record["id"]), orjson.dumps(record))
