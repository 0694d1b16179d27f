"""What people in the warehouse do, as JSON: what other processes post to /_fake/edit."""

from __future__ import annotations

from typing import Any

from connectors.kit.fakeshop import BadEdit, Edits, Values, carry_out
from connectors.threepl.fake import render
from connectors.threepl.fake.store import ADMIN, Shop

__all__ = ["BadEdit", "edit"]


def edit(shop: Shop, values: Any) -> dict[str, Any]:
    """Carry out {"do": name, ...}. Returns {"sequence": of the last accepted write} and ids of what was created.

    Raises BadEdit and NotThere.
    """
    return carry_out(_EDITS, shop, values)


def _pack(shop: Shop, values: Values) -> Values:
    return {"shipment_id": shop.pack(values["order"], values.get("units")).id}


def _ship(shop: Shop, values: Values) -> Values:
    """Pack and ship in one go."""
    return {"shipment_id": shop.advance(shop.pack(values["order"], values.get("units")).id).id}


def _advance(shop: Shop, values: Values) -> None:
    shop.advance(values["shipment_id"], values.get("carrier", "DHL"))


def _cancel_shipment(shop: Shop, values: Values) -> None:
    shop.cancel_shipment(values["shipment_id"])


def _set_stock(shop: Shop, values: Values) -> Values:
    return {"stock_id": shop.set_stock(values["sku"], int(values["on_hand"])).id}


def _create_order(shop: Shop, values: Values) -> Values:
    """By hand, for a customer who is no shop of ours."""
    lines = [{"sku": sku, "quantity": units} for sku, units in values["lines"].items()]
    return {"order_id": shop.create_order({"reference": values["reference"], "lines": lines}, actor=ADMIN).id}


def _amend_order(shop: Shop, values: Values) -> None:
    """So many units of some SKUs, by hand, while nobody picks them."""
    one = shop.order(values["order"])
    if one.status != "received":
        raise BadEdit(f"order {one.id} is {one.status}")
    lines = [{**line, "quantity": values["units"].get(line["sku"], line["quantity"])} for line in render.lines(one)]
    shop.amend_order(one, {"lines": lines}, actor=ADMIN)


def _cancel_order(shop: Shop, values: Values) -> None:
    shop.cancel_order(shop.order(values["order"]), {}, actor=ADMIN)


_EDITS: Edits[Shop] = {
    "pack": _pack,
    "ship": _ship,
    "advance": _advance,
    "cancel_shipment": _cancel_shipment,
    "set_stock": _set_stock,
    "create_order": _create_order,
    "amend_order": _amend_order,
    "cancel_order": _cancel_order,
}
