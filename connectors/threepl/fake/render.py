"""Records as the API writes them. Pure."""

from __future__ import annotations

from typing import Any

from connectors.rest.payload import iso
from connectors.threepl.fake.records import Line, Order, Shipment, Stock


def order(one: Order) -> dict[str, Any]:
    """An order."""
    return {
        "id": one.id,
        "reference": one.reference,
        "number": one.number,
        "status": one.status,
        "warehouse": one.warehouse,
        "lines": lines(one),
        "metadata": one.metadata,
        "version": one.version,
        "etag": one.etag,
        "created_at": iso(one.created_at),
    }


def lines(one: Order | Shipment) -> list[dict[str, Any]]:
    """Its lines."""
    return [_line(line) for line in one.lines]


def shipment(one: Shipment) -> dict[str, Any]:
    """A shipment."""
    return {
        "id": one.id,
        "order_id": one.order.id,
        "order_reference": one.order.reference,
        "status": one.status,
        "lines": lines(one),
        "carrier": one.carrier or None,
        "tracking": one.tracking,
        "shipped_at": None if one.shipped_at is None else iso(one.shipped_at),
        "delivered_at": None if one.delivered_at is None else iso(one.delivered_at),
        "version": one.version,
        "updated_at": iso(one.updated_at),
    }


def stock(one: Stock) -> dict[str, Any]:
    """What there is of a SKU."""
    return {
        "id": one.id,
        "sku": one.sku,
        "warehouse": one.warehouse,
        "on_hand": one.on_hand,
        "reserved": one.reserved,
        "available": one.available,
        "version": one.version,
        "updated_at": iso(one.updated_at),
    }


def _line(line: Line) -> dict[str, Any]:
    return {"line_id": line.line_id or None, "sku": line.sku, "quantity": line.quantity}
