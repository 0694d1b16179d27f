"""Orders as GraphQL sees them. Nested records are callables, so only what is asked for is built."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.shopify.fake import render
from connectors.shopify.fake.connection import page
from connectors.shopify.fake.records import Order, Variant
from connectors.shopify.fake.store import Shop

Node = dict[str, Any]
_FULFILMENT = {None: "UNFULFILLED", "partial": "PARTIALLY_FULFILLED", "fulfilled": "FULFILLED"}


def of_order(one: Order, shop: Shop) -> Node:
    """Order."""
    total = sum((price * quantity for _, _, quantity, price in one.lines), Decimal(0))

    def lines(info: Any, first: int | None = None, after: str | None = None) -> Node:
        return page(one.lines, lambda line: (line[0],), lambda line: _line(one, line, shop), first, after)

    return {
        "id": f"gid://shopify/Order/{one.id}",
        "legacyResourceId": str(one.id),
        "name": f"#{one.number}",
        "createdAt": render.utc(one.created_at),
        "updatedAt": render.utc(one.updated_at),
        "cancelledAt": None if one.cancelled_at is None else render.utc(one.cancelled_at),
        "closedAt": None,
        "currencyCode": shop.options.currency,
        "taxesIncluded": shop.options.taxes_included,
        "displayFinancialStatus": one.financial_status.upper(),
        "displayFulfillmentStatus": _FULFILMENT[one.fulfillment_status],
        "totalPriceSet": _money(total, shop),
        "customer": {"id": f"gid://shopify/Customer/{one.customer_id}"} if one.customer_id else None,
        "lineItems": lines,
    }


def _line(order: Order, line: tuple[int, Variant, int, Decimal], shop: Shop) -> Node:
    line_id, variant, quantity, price = line
    there = variant.id in shop.variants
    return {
        "id": f"gid://shopify/LineItem/{line_id}",
        "name": variant.option,
        "sku": variant.sku,
        "quantity": quantity,
        "currentQuantity": quantity,
        "unfulfilledQuantity": 0 if order.fulfillment_status == "fulfilled" else order.remaining()[line_id],
        "variant": {"id": f"gid://shopify/ProductVariant/{variant.id}"} if there else None,
        "originalUnitPriceSet": _money(price, shop),
    }


def _money(amount: Decimal, shop: Shop) -> Node:
    return {"shopMoney": {"amount": render.money(amount), "currencyCode": shop.options.currency}}
