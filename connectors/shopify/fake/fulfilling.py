"""Orders as GraphQL sees them, and the fulfilments that are created of them.

Sources: shopify.dev, fulfillmentCreate, FulfillmentOrder. It has no key: whoever sends it twice ships twice, as long as
units remain.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from connectors.shopify.fake import render
from connectors.shopify.fake.connection import page
from connectors.shopify.fake.nodes import Node, number
from connectors.shopify.fake.order_nodes import of_order
from connectors.shopify.fake.records import Fulfillment, Order
from connectors.shopify.fake.store import API, Shop

_LineUnits = tuple[int, int]  # line id, units


class Orders:
    """Views of the orders of one shop."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    def order(self, info: Any, id: str) -> Node | None:
        """Query.order."""
        found = self._shop.orders.get(number(id))
        return self._order(found) if found else None

    def fulfillment(self, order: Order, one: Fulfillment) -> Node:
        """Fulfillment."""
        tracking = [
            {"company": one.company, "number": each, "url": one.urls[at] if at < len(one.urls) else None}
            for at, each in enumerate(one.numbers)
        ]

        def lines(info: Any, first: int | None = None, after: str | None = None) -> Node:
            return self._lines(order, one.lines.items(), "FulfillmentLineItem", "quantity", first, after)

        return {
            "id": f"gid://shopify/Fulfillment/{one.id}",
            "legacyResourceId": str(one.id),
            "status": one.status.upper(),
            "createdAt": render.utc(one.created_at),
            "updatedAt": render.utc(one.updated_at),
            "trackingInfo": lambda info, first=None: tracking[:first],
            "fulfillmentLineItems": lines,
        }

    def _order(self, one: Order) -> Node:
        def groups(info: Any, first: int | None = None, after: str | None = None) -> Node:
            return page([one], lambda order: (order.id,), self._group, first, after)

        return {
            **of_order(one, self._shop),
            "fulfillments": lambda info, first=None: [self.fulfillment(one, each) for each in one.fulfillments][:first],
            "fulfillmentOrders": groups,
        }

    def _group(self, one: Order) -> Node:
        remaining = one.remaining()

        def lines(info: Any, first: int | None = None, after: str | None = None) -> Node:
            kind, name = "FulfillmentOrderLineItem", "remainingQuantity"
            return self._lines(one, remaining.items(), kind, name, first, after)

        place = {"id": f"gid://shopify/Location/{min(self._shop.locations)}"}
        status = "CANCELLED" if one.cancelled_at else "OPEN" if any(remaining.values()) else "CLOSED"
        return {
            "id": f"gid://shopify/FulfillmentOrder/{one.id}",
            "status": status,
            "assignedLocation": {"location": place},
            "lineItems": lines,
        }

    def _lines(
        self, order: Order, units: Iterable[_LineUnits], kind: str, name: str, first: int | None, after: str | None
    ) -> Node:
        ordered = {line: (variant, total) for line, variant, total, _ in order.lines}

        def node(one: _Line) -> Node:
            variant, total = ordered[one.id]
            return {
                "id": f"gid://shopify/{kind}/{one.id}",
                "sku": variant.sku,
                "totalQuantity": total,
                name: one.units,
                "lineItem": {
                    "id": f"gid://shopify/LineItem/{one.id}",
                    "name": variant.option,
                    "sku": variant.sku,
                    "quantity": total,
                },
            }

        rows = [_Line(line, count, order.updated_at) for line, count in units]
        return page(rows, lambda one: (one.id,), node, first, after)


class _Line:
    """Units of a line."""

    def __init__(self, id: int, units: int, updated_at: int) -> None:
        self.id, self.units, self.updated_at = id, units, updated_at


class Fulfilling:
    """The write, with the vendor's checks. `request_id`: from the x-request-id header."""

    def __init__(self, shop: Shop, request_id: str) -> None:
        self._shop, self._request_id = shop, request_id

    def create(self, info: Any, fulfillment: dict[str, Any], message: str | None = None) -> Node:
        """Mutation.fulfillmentCreate."""
        groups = fulfillment["lineItemsByFulfillmentOrder"]
        orders = [self._shop.orders.get(number(each["fulfillmentOrderId"])) for each in groups]
        order = orders[0] if orders else None
        if order is None or any(each is not order for each in orders):
            return _refused("fulfillmentOrderId", "Fulfillment order does not exist.")
        remaining = order.remaining()
        asked = [item for each in groups for item in each.get("fulfillmentOrderLineItems") or ()]
        everything = {line: units for line, units in remaining.items() if units}
        lines = {number(item["id"]): int(item["quantity"]) for item in asked} or everything
        if not lines:
            return _refused("fulfillmentOrderId", "Fulfillment order has no line items to fulfill.")
        if any(not 0 < units <= remaining.get(line, 0) for line, units in lines.items()):
            return _refused("fulfillmentOrderLineItems", "Invalid fulfillment order line item quantity requested.")
        told = fulfillment.get("trackingInfo") or {}
        made = self._shop.fulfil(
            order, lines, API, self._request_id,
            numbers=_several(told, "number"), urls=_several(told, "url"), company=told.get("company"),
        )  # fmt: skip
        return {"fulfillment": Orders(self._shop).fulfillment(order, made), "userErrors": []}


def _several(told: dict[str, Any], name: str) -> list[str]:
    """One value, or several under the plural."""
    return list(told.get(f"{name}s") or ([told[name]] if told.get(name) else []))


def _refused(field: str, message: str) -> Node:
    return {"fulfillment": None, "userErrors": [{"field": ["fulfillment", field], "message": message}]}
