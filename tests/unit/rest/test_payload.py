"""Fields are read as what they are meant to be, or named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.errors import Invalid
from connectors.rest.payload import Node, iso

READERS = ("child", "children", "id", "text", "count", "decimal", "optional_decimal", "moment", "optional_moment")


@given(st.integers(0, 4_102_444_800_000), st.integers(-840, 840))
def test_a_moment_is_read_back_from_any_zone(milliseconds: int, minutes: int) -> None:
    at = milliseconds * 1000
    text = (
        (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at))
        .astimezone(timezone(timedelta(minutes=minutes)))
        .isoformat()
    )
    assert Node("$", {"t": text}).moment("t").micros == at
    assert Node("$", {"t": iso(at)}).moment("t").micros == at
    assert iso(datetime.fromisoformat(text)) == iso(at)


@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()))
def test_a_value_of_another_kind_is_named_and_nothing_else_is_raised(value: Any) -> None:
    for name in READERS:
        try:
            getattr(Node("$.order", {"field": value}), name)("field")
        except Invalid as error:
            assert "$.order.field" in str(error)  # noqa: PT017 - whether it is raised depends on the value


@pytest.mark.parametrize(
    ("reader", "value", "read"),
    [
        ("id", 7, "7"),
        ("id", " a ", "a"),
        ("text", "  ", None),
        ("count", 3, 3),
        ("decimal", "2.50", Decimal("2.5")),
        ("decimal", 1e-6, Decimal("0.000001")),
        ("optional_decimal", None, None),
        ("optional_moment", None, None),
        ("children", None, []),
    ],
)
def test_what_is_written_in_one_of_several_ways_is_read(reader: str, value: Any, read: Any) -> None:
    assert getattr(Node("$", {"x": value}), reader)("x") == read


@pytest.mark.parametrize(
    ("reader", "value"),
    [("id", True), ("count", True), ("count", -1), ("count", "3"), ("decimal", "1e20"), ("decimal", "0.0000001"),
     ("decimal", "NaN"), ("moment", "2026-03-01T12:00:00"), ("moment", "1969-12-31T23:59:59Z"), ("children", {})],
)  # fmt: skip
def test_what_would_be_guessed_is_refused(reader: str, value: Any) -> None:
    with pytest.raises(Invalid):
        getattr(Node("$", {"x": value}), reader)("x")
