"""Orders of the webservice to the canonical order and to the stock that its lines hold. Pure.

A row says how many units the order has now: cancelling some of an unpaid order lowers the number. It does not say how
many were refunded or shipped, so a row is open as long as the order's state is. A row that was cancelled whole is not
in the order any more, and nothing tells of it: its reservation stays as it was.
Source: PrestaShop, classes/order/Order.php (`order_rows`) and src/Adapter/Order/OrderProductQuantityUpdater.php.
"""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import Any

from connectors.kit import reservations
from connectors.kit.contract import Mapped
from connectors.prestashop import records, times
from connectors.prestashop.payload import Node, scaled
from connectors.prestashop.settings import Settings
from schemas import identity

# Ids of the states that a fresh shop has, in the order of its installer's data; the setting `order_states` extends
# and overrides them. A state that stands in neither is UNKNOWN, and its id in status_raw says which.
_STATES = MappingProxyType(
    {
        "1": ("OPEN", "PENDING", "UNFULFILLED"),  # awaiting check payment
        "2": ("OPEN", "PAID", "UNFULFILLED"),  # payment accepted
        "3": ("OPEN", "PAID", "UNFULFILLED"),  # processing in progress
        "4": ("OPEN", "PAID", "FULFILLED"),  # shipped
        "5": ("CLOSED", "PAID", "FULFILLED"),  # delivered
        "6": ("CANCELLED", "UNKNOWN", "UNKNOWN"),  # cancelled
        "7": ("CLOSED", "REFUNDED", "UNKNOWN"),  # refunded
        "8": ("OPEN", "PENDING", "UNFULFILLED"),  # payment error
        "9": ("OPEN", "PAID", "UNFULFILLED"),  # on backorder, paid
        "10": ("OPEN", "PENDING", "UNFULFILLED"),  # awaiting bank wire payment
        "11": ("OPEN", "PAID", "UNFULFILLED"),  # remote payment accepted
        "12": ("OPEN", "PENDING", "UNFULFILLED"),  # on backorder, not paid
        "13": ("OPEN", "PENDING", "UNFULFILLED"),  # awaiting cash on delivery
    }
)
_UNKNOWN = ("UNKNOWN", "UNKNOWN", "UNKNOWN")


def fields(order: Node, settings: Settings) -> dict[str, Any]:
    """The record of the order schema without `meta`. Raises Invalid naming the field at fault."""
    state = order.optional_id("current_state") or "0"
    status, financial, fulfilment = settings.order_states.get(state) or _STATES.get(state, _UNKNOWN)
    currency = _currency(order, settings)
    return {
        "number": order.text("reference") or order.id("id"),
        "status": status,
        "status_raw": state,
        "financial_status": financial,
        "financial_status_raw": state,
        "fulfilment_status": fulfilment,
        "fulfilment_status_raw": state,
        "total": _money(_total(order), currency),
        "lines": [_line(row, currency) for row in order.association("order_rows")],
        "customer_remote_id": order.optional_id("id_customer"),
        "placed_at": _placed_at(order, settings),
        "cancelled_at": None,
        "extra": {name: text[:256] for name in ("module", "payment") if (text := order.text(name))},
    }


def state(row: records.Row, settings: Settings) -> tuple[str, ...]:
    """The schema's status, financial status and fulfilment status of an order's row as it was read."""
    name = str(row.get("current_state") or "0")
    return settings.order_states.get(name) or _STATES.get(name, _UNKNOWN)


def held(order: Mapped, account: str, settings: Settings) -> list[Mapped]:
    """A reservation per line of a mapped order that has a SKU, at the location of the settings."""
    units = [line["quantity"] for line in order.fields["lines"]]
    return reservations.of_order(order, account, settings.location, units)


def _currency(order: Node, settings: Settings) -> str:
    """Orders name their currency by an id of the shop; without the setting `currencies` all are in the shop's."""
    if not settings.currencies:
        return settings.currency
    code = settings.currencies.get(order.id("id_currency"))
    if code is None:
        raise order.wrong("id_currency", f"one of the ids in the setting 'currencies': {dict(settings.currencies)}")
    return code


def _total(order: Node) -> Decimal:
    with_tax = order.optional_decimal("total_paid_tax_incl")
    return order.decimal("total_paid") if with_tax is None else with_tax


def _money(amount: Decimal, currency: str) -> dict[str, Any]:
    return {"amount": scaled(amount), "currency": currency, "tax": "INCLUDED"}


def _line(row: Node, currency: str) -> dict[str, Any]:
    product, price = row.optional_id("product_id"), row.optional_decimal("unit_price_tax_incl")
    attribute = row.optional_id("product_attribute_id") or "0"
    return {
        "line_id": row.id("id"),
        "sku": _sku(row),
        "variant_remote_id": records.variant_id(product, attribute) if product else None,
        "quantity": scaled(_units(row)),
        "unit_price": None if price is None else _money(price, currency),
    }


def _sku(row: Node) -> str | None:
    """None for a reference without a visible character: it links nothing."""
    try:
        return identity.normalise_sku(row.text("product_reference"))
    except identity.InvalidKey:
        return None


def _units(row: Node) -> Decimal:
    units = row.integer("product_quantity")
    if units >= reservations.TOO_MANY:
        raise row.wrong("product_quantity", "a number of units of at most 12 digits")
    return units


def _placed_at(order: Node, settings: Settings) -> int | None:
    text = order.text("date_add")
    if not text:
        return None
    try:
        return times.micros(text, settings.zone)
    except ValueError:
        raise order.wrong("date_add", "a time such as 2026-03-01 12:00:00") from None
