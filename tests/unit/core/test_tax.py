"""Prices between tax bases."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.policy import Tax
from streams.core.tax import EXCLUDED, INCLUDED, converted, rounded

RULE = Tax(Decimal("0.19"), {})


def money(amount: str, tax: str = EXCLUDED) -> dict[str, object]:
    return {"amount": Decimal(amount), "currency": "EUR", "tax": tax}


def test_tax_is_added_and_taken_out_and_the_result_is_rounded() -> None:
    assert converted(money("9.99"), INCLUDED, RULE) == money("11.89", INCLUDED)
    assert converted(money("11.89", INCLUDED), EXCLUDED, RULE) == money("9.99")


@pytest.mark.parametrize(("tax", "basis"), [(INCLUDED, INCLUDED), ("UNKNOWN", INCLUDED), (EXCLUDED, "")])
def test_what_is_not_converted_is_not_rounded(tax: str, basis: str) -> None:
    assert converted(money("9.999", tax), basis, RULE) == money("9.999", tax)


def test_half_a_step_is_rounded_away_from_zero() -> None:
    assert rounded(Decimal("1.005"), Decimal("0.01")) == Decimal("1.01")
    assert rounded(Decimal("1.025"), Decimal("0.05")) == Decimal("1.05")


@given(st.decimals("0.05", "99999", places=2), st.decimals("0", "0.3", places=3))
def test_there_and_back_gives_the_same_amount(amount: Decimal, rate: Decimal) -> None:
    rule = Tax(rate, {})
    there = converted({"amount": amount, "currency": "EUR", "tax": EXCLUDED}, INCLUDED, rule)
    assert converted(there, EXCLUDED, rule)["amount"] == amount
