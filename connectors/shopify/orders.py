"""Orders out of webhook (REST) and GraphQL payloads, and the stock that their open lines hold. Pure.

A read is put into the webhook's shape first, so that both give equal records. Of the customer only the id is taken:
canonical records hold no personal data.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.kit import golden, reservations
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
_NOTHING = Decimal(0)
_FULFILMENT = {"": "UNFULFILLED", "unfulfilled": "UNFULFILLED", "partial": "PARTIAL", "fulfilled": "FULFILLED"}


def webhook_order(context: Context, node: Node) -> list[Mapped]:
    """An `orders/*` payload: the order with its lines, then a reservation per line with a SKU, at the location that the
    settings list first; none for an account without locations, whose stock is none of our business."""
    remote_id = node.id("id")
    fields = _fields(context, node)
    link = Link(golden.order(context.account.id, remote_id))
    updated = node.moment("updated_at")
    order = context.upsert(EntityType.ORDER, remote_id, link, updated, fields, golden.comparable_order(fields))
    location = context.locations.selling
    if not location:
        return [order]
    return [order, *reservations.of_order(order, context.account.id, location, _unshipped(node))]


def read_order(context: Context, node: Node) -> list[Mapped]:
    """A GraphQL Order node with all its lines: the same records as its webhook gives."""
    return webhook_order(context, Node(node.at, _as_webhook(node)))


def _fields(context: Context, node: Node) -> dict[str, Any]:
    number = node.text("name")
    if not number:
        raise node.wrong("name", "the number the customer sees")
    financial, fulfilment = node.text("financial_status"), node.text("fulfillment_status")
    placed, cancelled = node.optional_moment("created_at"), node.optional_moment("cancelled_at")
    customer, currency = node.optional_child("customer"), node.text("currency") or ""
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
        "quantity": _ordered(node),
        "unit_price": None if price is None else context.priced(price, currency, basis),
    }


def _ordered(line: Node) -> Decimal:
    quantity = line.decimal("quantity")
    if quantity >= reservations.TOO_MANY:
        raise line.wrong("quantity", "a number of units of at most 12 digits before the point")
    return quantity


# ----------------------------------------------------------------------------------------------- what is still open

_SHIPS = ("success", "pending", "open")  # states of a fulfilment that is neither cancelled nor failed


def _unshipped(node: Node) -> list[Decimal]:
    """Units of each line that are still to be shipped: the vendor's fulfillable_quantity, or, where a payload was
    trimmed to do without, what is neither in a fulfilment nor cancelled by a refund.

    Source: shopify.dev, REST Order and Refund: of the restock types only `cancel` lowers fulfillable_quantity; `return`
    is of units that were shipped, `no_restock` of money alone.
    """
    lines = node.children("line_items")
    told = [line.optional_decimal("fulfillable_quantity") for line in lines]
    left = _left(node) if None in told else {}
    return [_open(line, units, left) for line, units in zip(lines, told, strict=True)]


def _open(line: Node, told: Decimal | None, left: Mapping[str, Decimal]) -> Decimal:
    if line.text("fulfillment_status") == "fulfilled":
        return _NOTHING
    ordered, current = _ordered(line), line.optional_decimal("current_quantity")
    if told is not None:
        return min(told, ordered)
    units = ordered - left.get(line.id("id"), _NOTHING)
    # An edit takes units out of an order without a refund, and leaves the quantity as it was.
    return units if current is None else min(units, current)


def _left(node: Node) -> Mapping[str, Decimal]:
    """Units that left the order, shipped or cancelled, by line id."""
    fulfilments = [each for each in node.children("fulfillments") if each.text("status") in _SHIPS]
    refunded = [row for refund in node.children("refunds") for row in refund.children("refund_line_items")]
    shipped = [(row.id("id"), row) for each in fulfilments for row in each.children("line_items")]
    cancelled = [(row.id("line_item_id"), row) for row in refunded if row.text("restock_type") == "cancel"]
    totals: dict[str, Decimal] = {}
    for line_id, row in [*shipped, *cancelled]:
        totals[line_id] = totals.get(line_id, _NOTHING) + row.decimal("quantity")
    return totals


# ----------------------------------------------------------------------------------------------- reads

# Source: shopify.dev, OrderDisplayFulfillmentStatus; REST knows null, partial, fulfilled and restocked.
_SHOWN_FULFILMENT = {"PARTIALLY_FULFILLED": "partial", "FULFILLED": "fulfilled", "RESTOCKED": "restocked"}


def _as_webhook(node: Node) -> dict[str, Any]:
    """The REST names of what a GraphQL Order says."""
    lines, financial = node.optional_child("lineItems"), node.text("displayFinancialStatus")
    return {
        "id": node.value.get("id"),
        "name": node.value.get("name"),
        "created_at": node.value.get("createdAt"),
        "updated_at": node.value.get("updatedAt"),
        "cancelled_at": node.value.get("cancelledAt"),
        "closed_at": node.value.get("closedAt"),
        "currency": node.value.get("currencyCode"),
        "taxes_included": node.value.get("taxesIncluded"),
        "financial_status": financial.lower() if financial else None,
        "fulfillment_status": _SHOWN_FULFILMENT.get(node.text("displayFulfillmentStatus") or ""),
        "total_price": _shop_money(node, "totalPriceSet"),
        "customer": node.value.get("customer"),
        "line_items": [_line_as_webhook(line) for line in lines.children("nodes")] if lines else [],
    }


def _line_as_webhook(line: Node) -> dict[str, Any]:
    variant = line.optional_child("variant")
    current, unfulfilled = line.optional_decimal("currentQuantity"), line.optional_decimal("unfulfilledQuantity")
    known = [units for units in (current, unfulfilled) if units is not None]
    return {
        "id": line.value.get("id"),
        "variant_id": variant.value.get("id") if variant else None,
        "sku": line.value.get("sku"),
        "quantity": line.value.get("quantity"),
        "current_quantity": line.value.get("currentQuantity"),
        # What was removed or refunded is not there to be shipped, whatever stands open.
        "fulfillable_quantity": None if not known else str(min(known)),
        "price": _shop_money(line, "originalUnitPriceSet"),
    }


def _shop_money(node: Node, name: str) -> Any:
    money = node.optional_child(name)
    amount = money.optional_child("shopMoney") if money else None
    return amount.value.get("amount") if amount else None
