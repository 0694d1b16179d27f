"""Edits in the shop's admin, as JSON: what other processes post to /_fake/edit."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.kit.fakeshop import BadEdit, Edits, Values, carry_out
from connectors.shopify.fake.store import Shop

__all__ = ["BadEdit", "edit"]


def edit(shop: Shop, values: Any) -> dict[str, Any]:
    """Carry out {"do": name, ...}. Returns {"sequence": of the last accepted write} and ids of what was created.

    Raises BadEdit and NotThere.
    """
    return carry_out(_EDITS, shop, values)


def _create_product(shop: Shop, values: Values) -> Values:
    product = shop.create_product(values["title"], values["variants"], values.get("stock", 0))
    return {"product_id": product.id}


def _delete_product(shop: Shop, values: Values) -> None:
    shop.delete_product(int(values["product_id"]))


def _set_title(shop: Shop, values: Values) -> None:
    shop.set_title(int(values["product_id"]), values["title"])


def _set_price(shop: Shop, values: Values) -> None:
    shop.set_price(shop.by_sku(values["sku"]), Decimal(values["price"]))


def _set_available(shop: Shop, values: Values) -> None:
    shop.set_available(shop.by_sku(values["sku"]), _location(shop, values), int(values["available"]))


def _set_tracked(shop: Shop, values: Values) -> None:
    shop.set_tracked(shop.by_sku(values["sku"]), bool(values["tracked"]))


def _connect(shop: Shop, values: Values) -> None:
    shop.connect(shop.by_sku(values["sku"]), _location(shop, values))


def _disconnect(shop: Shop, values: Values) -> None:
    shop.disconnect(shop.by_sku(values["sku"]), _location(shop, values))


def _create_order(shop: Shop, values: Values) -> Values:
    return {"order_id": shop.create_order(values["lines"], values.get("customer_id")).id}


def _update_order(shop: Shop, values: Values) -> None:
    statuses = {name: values[name] for name in ("financial_status", "fulfillment_status") if name in values}
    shop.update_order(int(values["order_id"]), cancel=bool(values.get("cancel")), **statuses)


def _location(shop: Shop, values: Values) -> int:
    """By code or by id."""
    wanted = str(values["location"])
    for place, code in shop.locations.items():
        if wanted in {code, str(place)}:
            return place
    raise BadEdit(f"no location {wanted!r}; known: {', '.join(shop.locations.values())}")


_EDITS: Edits[Shop] = {
    "create_product": _create_product,
    "delete_product": _delete_product,
    "set_title": _set_title,
    "set_price": _set_price,
    "set_available": _set_available,
    "set_tracked": _set_tracked,
    "connect": _connect,
    "disconnect": _disconnect,
    "create_order": _create_order,
    "update_order": _update_order,
}
