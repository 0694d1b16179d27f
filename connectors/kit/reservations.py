"""Open order lines as records of their own, so that the stock they hold is counted where the stock is. Pure.

A platform maps its order and says how many units of each line are still to be shipped; the rest is the same for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from connectors.kit import golden
from connectors.kit.contract import Json, Link, Mapped
from schemas.entities import EntityType, Op

TOO_MANY = Decimal(10) ** 12  # units: more than any stock, and less than the schema's decimal(20, 6) holds
_NOTHING = Decimal(0)


def of_order(order: Mapped, account: str, location: str, unshipped: Sequence[Decimal]) -> list[Mapped]:
    """One reservation per line that has a SKU, under the clock and the sequence of its order.

    `order`: an order as mapped; `location`: code of the location its stock is taken from; `unshipped`: units of each
    line, in the order of the lines, that are neither shipped nor cancelled, removed or refunded.

    A line of which nothing is open, be it shipped, removed or reduced to nothing, and every line of an order that holds
    no stock are deletions and not left out: an older delivery that comes later would open them again. Lines without a
    SKU hold nothing that is counted anywhere, and are left out.
    """
    held = _holds_stock(order)
    lines = zip(order.fields["lines"], unshipped, strict=True)
    return [
        _reservation(order, account, location, line, units if held else _NOTHING)
        for line, units in lines
        if line["sku"]
    ]


def _holds_stock(order: Mapped) -> bool:
    """Whether it is neither cancelled, closed nor wholly fulfilled. An order of unknown status holds its stock: holding
    too much for a while is better than selling twice."""
    return order.fields["status"] not in ("CANCELLED", "CLOSED") and order.fields["fulfilment_status"] != "FULFILLED"


def _shipped(order: Mapped, line: Json, held: Decimal) -> Decimal:
    """What is ordered and not open any more counts as shipped, unless the order was cancelled: counting a removed unit
    as shipped tells a channel of it later, the other way round it would be sold twice."""
    return _NOTHING if order.fields["status"] == "CANCELLED" else max(_NOTHING, line["quantity"] - held)


def _reservation(order: Mapped, account: str, location: str, line: Json, units: Decimal) -> Mapped:
    sku, line_id, held = line["sku"], line["line_id"], max(_NOTHING, units)
    return replace(
        order,
        type=EntityType.RESERVATION,
        remote_id=f"{order.remote_id}/{line_id}",
        link=Link(golden.reservation(sku, location, account, order.remote_id, line_id)),
        fields={
            "sku": sku,
            "location": location,
            "order": golden.order(account, order.remote_id),
            "line": line_id,
            "quantity": held,
            "fulfilled": _shipped(order, line, held),
            "placed_at": order.fields["placed_at"],
            "extra": {},
        },
        comparable=golden.comparable_reservation(held),
        op=Op.UPSERT if held else Op.DELETE,
    )
