"""Records of the warehouse to canonical observations. Pure.

Every record counts its own changes in `version`: that is the clock of both types. `updated_at` only says when.
"""

from __future__ import annotations

from typing import Any

from connectors.kit import golden
from connectors.kit.contract import Ignored, Link, Mapped
from connectors.rest.mapping import Read, RestMapping, Topic
from connectors.rest.payload import Node
from connectors.threepl import settings
from connectors.threepl.api import SHIPMENT_UPDATED, SHIPMENTS, STOCK
from schemas import identity
from schemas.entities import EntityType

VERSION = "version"
_STATUSES = {
    "packed": "PENDING",
    "shipped": "SHIPPED",
    "delivered": "DELIVERED",
    "cancelled": "CANCELLED",
}


def shipment(read: Read) -> list[Mapped] | Ignored:
    """A shipment as the fulfilment of the order that its reference names. Raises Invalid naming the field at fault."""
    reference = read.node.id("order_reference")
    if not _is_ours(reference):
        return Ignored("a shipment of an order that no shop of ours handed over")
    fields = _shipment(read.node, reference)
    remote_id = read.node.id("id")
    return [
        Mapped(
            type=EntityType.FULFILMENT,
            remote_id=remote_id,
            link=Link(golden.fulfilment(reference, read.account.id, remote_id)),
            fields=fields,
            comparable=golden.comparable_fulfilment(fields),
            aliases={"order_id": read.node.id("order_id")},
            **_dated(read.node),
        )
    ]


def stock(read: Read) -> list[Mapped] | Ignored:
    """What the warehouse has of a SKU at one of its sites. Raises Invalid naming the field at fault."""
    node, site = read.node, read.node.id("warehouse")
    sku, location = _sku(node), settings.warehouses(read.account).get(site, site)
    available = node.decimal("available")
    fields: dict[str, Any] = {
        "sku": golden.variant(sku),
        "location": location,
        "on_hand": node.optional_decimal("on_hand"),
        "available": available,
        "committed": node.optional_decimal("reserved"),
        "incoming": node.optional_decimal("incoming"),
        "tracked": True,
        "extra": {},
    }
    return [
        Mapped(
            type=EntityType.INVENTORY_LEVEL,
            remote_id=node.id("id"),
            link=Link(golden.inventory_level(sku, location)),
            fields=fields,
            comparable=golden.comparable_inventory_level(available),
            **_dated(node),
        )
    ]


MAPPING = RestMapping(
    revision=1,
    topics={
        SHIPMENTS.name: Topic(shipment),
        SHIPMENT_UPDATED: Topic(shipment, inside="data"),
        STOCK.name: Topic(stock),
    },
    gone="the warehouse cancels shipments and empties stock, but deletes neither: an absence says nothing",
)


# ----------------------------------------------------------------------------------------------- fields


def _shipment(node: Node, reference: str) -> dict[str, Any]:
    status, shipped, delivered = node.text("status"), *map(node.optional_moment, ("shipped_at", "delivered_at"))
    return {
        "order": reference,
        "status": _STATUSES.get(status or "", "UNKNOWN"),
        "status_raw": status,
        "lines": [_line(line) for line in node.children("lines")],
        "carrier": node.text("carrier"),
        "tracking": [{"number": one.id("number"), "url": one.text("url")} for one in node.children("tracking")],
        "shipped_at": shipped.micros if shipped else None,
        "delivered_at": delivered.micros if delivered else None,
        "extra": {},
    }


def _line(node: Node) -> dict[str, Any]:
    quantity = node.decimal("quantity")
    if quantity < 0:
        raise node.wrong("quantity", "a number of units of at least 0")
    return {"line_id": node.text("line_id"), "sku": identity.normalise_sku(_sku(node)), "quantity": quantity}


def _sku(node: Node) -> str:
    """Text that links something. Raises Invalid otherwise."""
    sku = node.id("sku")
    try:
        identity.normalise_sku(sku)
    except identity.InvalidKey:
        raise node.wrong("sku", "text with a visible character") from None
    return sku


def _dated(node: Node) -> dict[str, Any]:
    changed = node.moment("updated_at")
    return {
        "clock": node.count("version"),
        "clock_id": VERSION,
        "source_time": changed.micros,
        "source_time_text": changed.text,
        "resolution": 0,
    }


def _is_ours(reference: str) -> bool:
    """Whether it has the form of an order's golden id, account:order id in one component."""
    account, colon, remote_id = reference.partition(":")
    return bool(account and colon and remote_id) and identity.COMPONENT not in reference
