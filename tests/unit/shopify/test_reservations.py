"""Stock that the open lines of an order hold."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from connectors.kit.contract import Mapped
from connectors.kit.errors import Invalid
from schemas.entities import EntityType, Op
from tests.unit.shopify.support import NOON, TRIGGERED_NANOS, body, mapped, one, webhook

SOLD = "quantity", "current_quantity", "fulfillable_quantity", "fulfillment_status"


def records(file: str = "orders_partly_shipped", /, topic: str = "orders/updated", **changes: Any) -> list[Mapped]:
    return mapped(webhook(topic, body(file, **changes)))


def held(*args: Any, **changes: Any) -> dict[str, Decimal | None]:
    """Units by line id; None for a deletion."""
    found = [each for each in records(*args, **changes) if each.type is EntityType.RESERVATION]
    return {each.fields["line"]: each.fields["quantity"] if each.op is Op.UPSERT else None for each in found}


def lines_without(*names: str) -> list[dict[str, Any]]:
    """The lines as of a webhook that was trimmed to other fields."""
    full = orjson.loads(body("orders_partly_shipped"))["line_items"]
    return [{name: value for name, value in line.items() if name not in names} for line in full]


def test_an_open_line_holds_its_units_at_the_first_location_of_the_settings() -> None:
    order, record = records("orders_updated")
    assert order.type is EntityType.ORDER
    assert (record.type, record.op, record.remote_id) == (EntityType.RESERVATION, Op.UPSERT, "5551000111222/1")
    assert record.link.golden_id == "TEE-M~BER~shop-1~5551000111222~1"
    assert record.fields == {
        "sku": "TEE-M",
        "location": "BER",
        "order": order.link.golden_id,
        "line": "1",
        "quantity": Decimal(1),
        "fulfilled": Decimal(0),
        "placed_at": NOON - 117_000_000,
        "extra": {},
    }
    assert record.comparable == ("1",)
    assert (record.clock, record.clock_id, record.sequence) == (order.clock, order.clock_id, TRIGGERED_NANOS)
    assert (record.source_time_text, record.resolution) == (order.source_time_text, order.resolution)


def test_another_first_location_is_another_stock() -> None:
    envelope = webhook("orders/updated", body("orders_updated"))
    record = one(mapped(envelope, locations="655441492=MUC, 655441491=BER"), EntityType.RESERVATION)
    assert (record.fields["location"], record.link.golden_id) == ("MUC", "TEE-M~MUC~shop-1~5551000111222~1")


def test_orders_of_an_account_without_locations_hold_nothing() -> None:
    (only,) = mapped(webhook("orders/updated", body("orders_updated")), locations="")
    assert only.type is EntityType.ORDER


def test_a_line_holds_what_is_neither_shipped_nor_refunded() -> None:
    assert held() == {"11": Decimal(2), "12": Decimal(1), "13": None, "14": None}


@pytest.mark.parametrize(
    "names",
    [
        ("fulfillable_quantity",),
        ("fulfillable_quantity", "current_quantity"),
        ("fulfillable_quantity", "fulfillment_status"),
        SOLD[1:],
    ],
    ids=", ".join,
)
def test_a_payload_that_was_trimmed_says_the_same_by_its_refunds_and_fulfilments(names: tuple[str, ...]) -> None:
    assert held(line_items=lines_without(*names)) == held()


def test_a_line_removed_by_an_edit_of_the_order_holds_nothing() -> None:
    line = {"id": 1, "sku": "TEE-M", "quantity": 2, "current_quantity": 0}
    assert held(line_items=[line], refunds=[], fulfillments=[]) == {"1": None}
    assert held(line_items=[{**line, "fulfillable_quantity": 0}]) == {"1": None}


def test_a_line_reduced_to_nothing_is_a_deletion_and_not_left_out() -> None:
    assert held(line_items=[{"id": 1, "sku": "TEE-M", "quantity": 0}]) == {"1": None}


def test_no_more_is_held_than_was_ordered() -> None:
    assert held(line_items=[{"id": 1, "sku": "A", "quantity": 2, "fulfillable_quantity": 9}]) == {"1": Decimal(2)}


def test_a_line_that_calls_itself_fulfilled_holds_nothing_whatever_else_was_trimmed() -> None:
    line = {"id": 1, "sku": "TEE-M", "quantity": 2, "fulfillment_status": "fulfilled"}
    assert held(line_items=[line], fulfillments=None, refunds=None) == {"1": None}


def test_what_came_back_after_shipping_opens_nothing_again() -> None:
    line = {"id": 1, "sku": "TEE-M", "quantity": 2}
    shipped = [{"status": "success", "line_items": [{"id": 1, "quantity": 2}]}]
    back = [{"refund_line_items": [{"line_item_id": 1, "quantity": 1, "restock_type": "return"}]}]
    assert held(line_items=[line], fulfillments=shipped, refunds=back) == {"1": None}
    assert held(line_items=[{**line, "quantity": 5}], fulfillments=shipped, refunds=back) == {"1": Decimal(3)}


def test_units_in_a_fulfilment_that_failed_are_still_open() -> None:
    line = {"id": 1, "sku": "TEE-M", "quantity": 2}
    failed = [
        {"status": state, "line_items": [{"id": 1, "quantity": 2}]} for state in ("cancelled", "error", "failure")
    ]
    assert held(line_items=[line], fulfillments=failed, refunds=[]) == {"1": Decimal(2)}


def test_money_that_was_paid_back_alone_frees_nothing() -> None:
    line = {"id": 1, "sku": "TEE-M", "quantity": 2}
    paid = [{"refund_line_items": [{"line_item_id": 1, "quantity": 1, "restock_type": "no_restock"}]}]
    assert held(line_items=[line], fulfillments=[], refunds=paid) == {"1": Decimal(2)}


def test_a_line_without_sku_is_left_out() -> None:
    assert "15" not in held()
    assert held(line_items=[{"id": 1, "sku": "\u200b ", "quantity": 2}]) == {}


def test_a_cancelled_order_holds_nothing() -> None:
    assert held("orders_cancelled", topic="orders/cancelled") == {"866550311766439020": None}
    assert set(held(cancelled_at="2026-03-02T09:00:00+01:00").values()) == {None}


def test_a_closed_and_a_fulfilled_order_hold_nothing() -> None:
    assert set(held(closed_at="2026-03-02T09:00:00+01:00").values()) == {None}
    assert set(held(topic="orders/fulfilled", fulfillment_status="fulfilled").values()) == {None}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"line_items": [{"id": 1, "quantity": 1, "fulfillable_quantity": "all"}]}, r"\[0\]\.fulfillable_quantity"),
        ({"refunds": [{"refund_line_items": [{"restock_type": "cancel"}]}]}, r"refund_line_items\[0\]\.line_item_id"),
        ({"fulfillments": [{"status": "success", "line_items": [{"id": 12}]}]}, r"\.line_items\[0\]\.quantity"),
    ],
)
def test_what_cannot_be_counted_is_named(change: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid, match=path):
        records(**{"line_items": lines_without(*SOLD[1:]), **change})
