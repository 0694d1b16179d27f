"""What a condition makes of a record."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from streams.core.condition import ALWAYS, Comparison, Condition, Operand, Operator

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
RECORD: dict[str, Any] = {
    "status": "OPEN",
    "number": "#1001",
    "tracked": True,
    "total": {"amount": Decimal("10.00"), "currency": "EUR"},
    "unit_price": None,
    "lines": [],
    "tracking": [{"number": "T1"}],
    "placed_at": NOON,
    "cancelled_at": None,
}


def holds(path: str, operator: Operator, operand: Operand) -> bool:
    return Comparison(tuple(path.split(".")), operator, operand).holds(RECORD)


@pytest.mark.parametrize(
    ("path", "operator", "operand", "expected"),
    [
        ("status", Operator.IN, ("OPEN", "CLOSED"), True),
        ("status", Operator.IN, ("CLOSED",), False),
        ("status", Operator.NOT_IN, ("CLOSED",), True),
        ("status", Operator.NOT_IN, ("OPEN",), False),
        ("tracked", Operator.IN, ("true",), True),
        ("total.currency", Operator.IN, ("EUR",), True),
        ("total.amount", Operator.AT_LEAST, Decimal(10), True),
        ("total.amount", Operator.AT_LEAST, Decimal("10.01"), False),
        ("total.amount", Operator.AT_MOST, Decimal(10), True),
        ("total.amount", Operator.AT_MOST, Decimal("9.99"), False),
        ("placed_at", Operator.AFTER, NOON.replace(hour=11), True),
        ("placed_at", Operator.AFTER, NOON, False),
        ("placed_at", Operator.BEFORE, NOON.replace(hour=13), True),
        ("placed_at", Operator.BEFORE, NOON, False),
        ("tracking", Operator.EXISTS, True, True),
        ("lines", Operator.EXISTS, True, False),
        ("lines", Operator.EXISTS, False, True),
        ("placed_at", Operator.EXISTS, True, True),
    ],
)
def test_a_field_is_compared_by_its_kind(path: str, operator: Operator, operand: Operand, expected: bool) -> None:
    assert holds(path, operator, operand) is expected


@pytest.mark.parametrize("path", ["cancelled_at", "unit_price.amount", "nowhere", "status.deeper"])
def test_a_field_without_a_value_compares_with_nothing(path: str) -> None:
    for operator, operand in (
        (Operator.IN, ("None",)),
        (Operator.AT_LEAST, Decimal(0)),
        (Operator.AFTER, NOON),
        (Operator.EXISTS, True),
    ):
        assert not holds(path, operator, operand)
    assert holds(path, Operator.NOT_IN, ("OPEN",))
    assert holds(path, Operator.EXISTS, False)


def test_all_comparisons_must_hold_and_none_always_does() -> None:
    is_open = Comparison(("status",), Operator.IN, ("OPEN",))
    cheap = Comparison(("total", "amount"), Operator.AT_MOST, Decimal(5))
    assert Condition((is_open,)).holds(RECORD)
    assert not Condition((is_open, cheap)).holds(RECORD)
    assert ALWAYS.holds(RECORD)
    assert not ALWAYS


def test_a_condition_is_told_in_words() -> None:
    one = Condition(
        (
            Comparison(("status",), Operator.IN, ("OPEN", "CLOSED")),
            Comparison(("lines",), Operator.EXISTS, True),
            Comparison(("placed_at",), Operator.AFTER, NOON),
        )
    )
    assert str(one) == "status in OPEN, CLOSED and lines exists true and placed_at after 2026-11-21T12:00:00+00:00"
    assert str(ALWAYS) == "always"
