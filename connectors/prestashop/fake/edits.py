"""Edits in the shop's back office, as JSON: what other processes post to /_fake/edit."""

from __future__ import annotations

from typing import Any

from connectors.kit.fakeshop import WRONG_VALUE, BadEdit, Edits, Values, carry_out
from connectors.prestashop.fake.store import Shop

__all__ = ["BadEdit", "edit"]


def edit(shop: Shop, values: Any) -> dict[str, Any]:
    """Carry out {"do": name, ...}. Returns {"sequence": of the last accepted write} and ids of what was created.

    Raises BadEdit and NotThere.
    """
    return carry_out(_EDITS, shop, values, wrong=(*WRONG_VALUE, ValueError))


def _create_product(shop: Shop, values: Values) -> Values:
    return {"product_id": shop.create_product(values["title"], values["variants"], values.get("stock", 0))["id"]}


def _add_combination(shop: Shop, values: Values) -> Values:
    made = shop.add_combination(int(values["product_id"]), values["sku"], values["price"], values.get("stock", 0))
    return {"combination_id": made["id"]}


def _update_product(shop: Shop, values: Values) -> None:
    fields = {name: str(value) for name, value in values.items() if name not in ("do", "product_id")}
    shop.update_product(int(values["product_id"]), **fields)


def _set_title(shop: Shop, values: Values) -> None:
    shop.update_product(int(values["product_id"]), name=values["title"])


def _create_order(shop: Shop, values: Values) -> Values:
    return {
        "order_id": shop.create_order(values["lines"], values.get("state", 2), values.get("customer_id") or 0)["id"]
    }


_EDITS: Edits[Shop] = {
    "create_product": _create_product,
    "add_combination": _add_combination,
    "delete_product": lambda shop, values: shop.delete_product(int(values["product_id"])),
    "delete_combination": lambda shop, values: shop.delete_combination(values["sku"]),
    "update_product": _update_product,
    "set_title": _set_title,
    "set_price": lambda shop, values: shop.set_price(values["sku"], values["price"]),
    "set_available": lambda shop, values: shop.set_available(values["sku"], int(values["available"])),
    "create_order": _create_order,
    "update_order": lambda shop, values: shop.update_order(int(values["order_id"]), int(values["state"])),
}
