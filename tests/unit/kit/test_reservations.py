"""What an order line holds of the stock, whichever platform the order is from."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.kit import golden, reservations
from connectors.kit.contract import Link, Mapped
from schemas.entities import EntityType, Op


def line(number: str, sku: str | None) -> dict[str, Any]:
    return {"line_id": number, "sku": sku, "variant_remote_id": None, "quantity": Decimal(5), "unit_price": None}


def order(*lines: dict[str, Any], **fields: Any) -> Mapped:
    known = {"status": "OPEN", "fulfilment_status": "UNFULFILLED", "placed_at": 5, "lines": list(lines), **fields}
    link = Link(golden.order("shop", "42"))
    return Mapped(EntityType.ORDER, "42", link, 9_000_000, "updated_at", known, ("x",), 7, 8_000_000, "noon", 1_000_000)


def held(one: Mapped, *units: int) -> list[tuple[str, Op, int]]:
    found = reservations.of_order(one, "shop", "BER", [Decimal(each) for each in units])
    return [(each.remote_id, each.op, int(each.fields["quantity"])) for each in found]


def test_a_line_holds_its_open_units_under_its_orders_clock() -> None:
    source = order(line("1", "TEE-M"))
    (record,) = reservations.of_order(source, "shop", "BER", [Decimal("2.5")])
    assert record == Mapped(
        EntityType.RESERVATION,
        "42/1",
        Link("TEE-M~BER~shop~42~1"),
        source.clock,
        source.clock_id,
        {
            "sku": "TEE-M",
            "location": "BER",
            "order": "shop:42",
            "line": "1",
            "quantity": Decimal("2.5"),
            "fulfilled": Decimal("2.5"),
            "placed_at": 5,
            "extra": {},
        },
        golden.comparable_reservation(Decimal("2.5")),
        source.sequence,
        source.source_time,
        source.source_time_text,
        source.resolution,
    )


def test_a_line_of_which_nothing_is_open_holds_nothing() -> None:
    assert held(order(line("1", "A"), line("2", "B"), line("3", "C")), 1, 0, -2) == [
        ("42/1", Op.UPSERT, 1),
        ("42/2", Op.DELETE, 0),
        ("42/3", Op.DELETE, 0),
    ]


@pytest.mark.parametrize(
    "done", [{"status": "CANCELLED"}, {"status": "CLOSED"}, {"fulfilment_status": "FULFILLED"}], ids=str
)
def test_an_order_that_is_done_holds_nothing_whatever_its_lines_say(done: dict[str, str]) -> None:
    assert held(order(line("1", "A"), line("2", "B"), **done), 1, 5) == [
        ("42/1", Op.DELETE, 0),
        ("42/2", Op.DELETE, 0),
    ]


@pytest.mark.parametrize("fulfilment", ["UNFULFILLED", "PARTIAL", "UNKNOWN"])
@pytest.mark.parametrize("status", ["OPEN", "UNKNOWN"])
def test_an_order_of_which_nobody_knows_that_it_is_done_holds_its_stock(status: str, fulfilment: str) -> None:
    assert held(order(line("1", "A"), status=status, fulfilment_status=fulfilment), 3) == [("42/1", Op.UPSERT, 3)]


def test_a_line_without_a_sku_is_left_out() -> None:
    assert held(order(line("1", None), line("2", "B")), 4, 3) == [("42/2", Op.UPSERT, 3)]
    assert held(order(line("1", None), status="CANCELLED"), 4) == []


def test_every_line_needs_its_units() -> None:
    with pytest.raises(ValueError, match="shorter"):
        held(order(line("1", "A"), line("2", "B")), 4)


@pytest.mark.parametrize(
    ("fields", "units", "shipped"),
    [({}, 2, 3), ({}, 5, 0), ({"status": "CANCELLED"}, 0, 0), ({"fulfilment_status": "FULFILLED"}, 0, 5)],
    ids=str,
)
def test_what_is_not_open_is_shipped_unless_the_order_was_cancelled(
    fields: dict[str, str], units: int, shipped: int
) -> None:
    (record,) = reservations.of_order(order(line("1", "A"), **fields), "shop", "BER", [Decimal(units)])
    assert record.fields["fulfilled"] == shipped
