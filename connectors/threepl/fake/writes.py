"""The writes of the API: what is checked before the warehouse takes it."""

from __future__ import annotations

from typing import Any

import orjson

from connectors.threepl.fake.errors import ApiError
from connectors.threepl.fake.records import Order
from connectors.threepl.fake.store import Shop


def create(shop: Shop, body: bytes, key: str) -> Order:
    """A new order. Raises ApiError."""
    order = _order(body)
    if shop.options.unique_references and any(one.reference == order["reference"] for one in shop.orders.values()):
        raise ApiError(409, "reference_exists", f"There is an order {order['reference']!r} already")
    return shop.create_order(order, key)


def amend(shop: Shop, one: Order, body: bytes, key: str) -> Order:
    """Other lines for an order that nobody has begun to pick. Raises ApiError."""
    order = _order(body)
    if order["reference"] != one.reference:
        raise ApiError(422, "reference_changed", "The reference of an order stands")
    if one.status != "received":
        raise ApiError(409, "order_not_open", f"Order {one.id} is {one.status}")
    return shop.amend_order(one, order, key)


def cancel(shop: Shop, one: Order, body: bytes, key: str) -> Order:
    """Cancel an order that has not left; a cancelled one stays as it is. Raises ApiError."""
    if one.status == "cancelled":
        return one
    if one.status == "shipped" or any(
        each.order is one and each.status == "packed" for each in shop.shipments.values()
    ):
        raise ApiError(409, "order_not_open", f"Order {one.id} is {one.status}")
    return shop.cancel_order(one, _object(body), key)


def _order(body: bytes) -> dict[str, Any]:
    order = _object(body)
    if not isinstance(order.get("reference"), str) or not order["reference"]:
        raise ApiError(422, "invalid_reference", "reference must be text")
    lines = order.get("lines")
    if not isinstance(lines, list) or not lines:
        raise ApiError(422, "invalid_lines", "lines must not be empty")
    for line in lines:
        if not isinstance(line, dict) or not line.get("sku") or not isinstance(line["sku"], str):
            raise ApiError(422, "invalid_lines", "Every line needs a sku")
        if type(line.get("quantity")) is not int or line["quantity"] < 1:
            raise ApiError(422, "invalid_lines", f"The quantity of {line['sku']} must be a whole number above 0")
    return order


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise ApiError(400, "invalid_body", "The body must be a JSON object")
    return value
