"""Orders of the webservice to the canonical order. Pure."""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType
from typing import Any

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
    reference, price = row.text("product_reference"), row.optional_decimal("unit_price_tax_incl")
    product = row.optional_id("product_id")
    attribute = row.optional_id("product_attribute_id") or "0"
    return {
        "line_id": row.id("id"),
        "sku": identity.normalise_sku(reference) if reference else None,
        "variant_remote_id": records.variant_id(product, attribute) if product else None,
        "quantity": scaled(row.integer("product_quantity")),
        "unit_price": None if price is None else _money(price, currency),
    }


def _placed_at(order: Node, settings: Settings) -> int | None:
    text = order.text("date_add")
    if not text:
        return None
    try:
        return times.micros(text, settings.zone)
    except ValueError:
        raise order.wrong("date_add", "a time such as 2026-03-01 12:00:00") from None
