"""Orders out of webhook payloads. Pure.

Of the customer only the id is taken: canonical records hold no personal data.
"""

from __future__ import annotations

from typing import Any

from connectors.kit import golden
from connectors.kit.contract import Link, Mapped
from connectors.shopify.context import Context, sku_or_none
from connectors.shopify.payload import Node
from schemas.entities import EntityType
from schemas.identity import normalise_sku

_FINANCIAL = {
    "pending": "PENDING",
    "authorized": "PENDING",
    "partially_paid": "PARTIALLY_PAID",
    "paid": "PAID",
    "partially_refunded": "PARTIALLY_REFUNDED",
    "refunded": "REFUNDED",
    "voided": "VOIDED",
}
_FULFILMENT = {"": "UNFULFILLED", "unfulfilled": "UNFULFILLED", "partial": "PARTIAL", "fulfilled": "FULFILLED"}


def webhook_order(context: Context, node: Node) -> list[Mapped]:
    """An `orders/*` payload: one order with its lines."""
    remote_id = node.id("id")
    fields = _fields(context, node)
    link = Link(golden.order(context.account.id, remote_id))
    updated = node.moment("updated_at")
    return [context.upsert(EntityType.ORDER, remote_id, link, updated, fields, golden.comparable_order(fields))]


def _fields(context: Context, node: Node) -> dict[str, Any]:
    number = node.text("name")
    if not number:
        raise node.wrong("name", "the number the customer sees")
    financial, fulfilment = node.text("financial_status"), node.text("fulfillment_status")
    placed, cancelled = node.optional_moment("created_at"), node.optional_moment("cancelled_at")
    customer, currency = node.child("customer"), node.text("currency") or ""
    return {
        "number": number,
        "status": _status(node),
        "status_raw": None,
        "financial_status": _FINANCIAL.get(financial or "", "UNKNOWN"),
        "financial_status_raw": financial,
        "fulfilment_status": _FULFILMENT.get(fulfilment or "", "UNKNOWN"),
        "fulfilment_status_raw": fulfilment,
        # What the customer pays has tax in it whatever the basis of the prices is.
        "total": context.priced(node.decimal("total_price"), currency, "INCLUDED"),
        "lines": [_line(context, line, currency, _basis(node)) for line in node.children("line_items")],
        "customer_remote_id": customer.optional_id("id") if customer else None,
        "placed_at": placed.micros if placed else None,
        "cancelled_at": cancelled.micros if cancelled else None,
        "extra": {},
    }


def _status(node: Node) -> str:
    if node.optional_moment("cancelled_at"):
        return "CANCELLED"
    return "CLOSED" if node.optional_moment("closed_at") else "OPEN"


def _basis(node: Node) -> str:
    """Tax basis of the line prices; the empty text where the order does not say and the setting counts."""
    included = node.flag("taxes_included")
    return "" if included is None else "INCLUDED" if included else "EXCLUDED"


def _line(context: Context, node: Node, currency: str, basis: str) -> dict[str, Any]:
    sku, price = sku_or_none(node), node.optional_decimal("price")
    return {
        "line_id": node.id("id"),
        "sku": normalise_sku(sku) if sku else None,
        "variant_remote_id": node.optional_id("variant_id"),
        "quantity": node.decimal("quantity"),
        "unit_price": None if price is None else context.priced(price, currency, basis),
    }
