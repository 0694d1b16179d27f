"""Stock that the open rows of an order hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.kit.contract import Mapped
from connectors.prestashop import records
from schemas.entities import Channel, EntityType, Op
from tests.unit.prestashop.support import NOON, changed, mapped, rows

PAID, SHIPPED, DELIVERED, CANCELLED, REFUNDED = "2", "4", "5", "6", "7"


def row(number: str, reference: str, units: str) -> dict[str, Any]:
    return {"id": number, "product_id": "4", "product_reference": reference, "product_quantity": units}


def of(state: str = PAID, *order_rows: dict[str, Any], **settings: str) -> list[Mapped]:
    """What an order in that state is mapped to, with the documented rows or others."""
    order = changed(rows("orders")[0], current_state=state)
    if order_rows:
        order["associations"] = {"order_rows": list(order_rows)}
    return mapped(records.order(order), Channel.POLL, **settings)


def held(found: list[Mapped]) -> dict[str, Decimal | None]:
    """Units by row id; None for a deletion."""
    taken = [each for each in found if each.type is EntityType.RESERVATION]
    return {each.fields["line"]: each.fields["quantity"] if each.op is Op.UPSERT else None for each in taken}


def test_the_documented_order_holds_the_row_that_has_a_reference() -> None:
    order, record = of()
    assert (record.type, record.op, record.remote_id) == (EntityType.RESERVATION, Op.UPSERT, "37/61")
    assert record.link.golden_id == "POSTER-40X60~MAIN~shop-2~37~61"
    assert record.fields == {
        "sku": "POSTER-40X60",
        "location": "MAIN",
        "order": order.link.golden_id,
        "line": "61",
        "quantity": Decimal(1),
        "fulfilled": Decimal(0),
        "placed_at": NOON - 117_000_000,
        "extra": {},
    }
    assert record.comparable == ("1",)
    assert (record.clock, record.clock_id, record.sequence) == (NOON, "date_upd", 7)


def test_the_location_of_the_setting_is_where_the_stock_is_held() -> None:
    assert of(location="BER")[1].link.golden_id == "POSTER-40X60~BER~shop-2~37~61"


@pytest.mark.parametrize("state", ["1", PAID, "3", "8", "10", "13"])
def test_an_order_holds_stock_while_it_is_open(state: str) -> None:
    assert held(of(state, row("61", "a", "3"), row("62", "b", "2"))) == {"61": Decimal(3), "62": Decimal(2)}


@pytest.mark.parametrize("state", [SHIPPED, DELIVERED, CANCELLED, REFUNDED])
def test_an_order_that_was_shipped_cancelled_or_refunded_holds_nothing(state: str) -> None:
    assert held(of(state, row("61", "a", "3"), row("62", "b", "2"))) == {"61": None, "62": None}


def test_a_state_of_the_merchants_own_holds_stock_until_a_setting_says_otherwise() -> None:
    assert held(of("42")) == {"61": Decimal(1)}
    assert held(of("42", order_states="42=OPEN/PAID/FULFILLED")) == {"61": None}
    assert held(of("42", order_states="42=OPEN/PAID/PARTIAL")) == {"61": Decimal(1)}


def test_fewer_units_in_a_row_hold_fewer_and_none_hold_nothing() -> None:
    assert held(of(PAID, row("61", "a", "2"), row("62", "b", "0"))) == {"61": Decimal(2), "62": None}


@pytest.mark.parametrize("reference", ["", " ", "\u200b"])
def test_a_row_without_a_reference_is_left_out_and_kept_in_the_order(reference: str) -> None:
    found = of(PAID, row("61", reference, "3"))
    assert held(found) == {}
    assert [(line["line_id"], line["sku"]) for line in found[0].fields["lines"]] == [("61", None)]


def test_a_row_that_was_taken_out_of_the_order_is_not_heard_of_any_more() -> None:
    """A limit of the vendor's resource: nothing in it tells of the row."""
    assert held(of(PAID, row("62", "b", "2"))) == {"62": Decimal(2)}
