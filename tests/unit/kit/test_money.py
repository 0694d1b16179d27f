"""How finely currencies are counted."""

from __future__ import annotations

from decimal import Decimal

import pytest

from connectors.kit.money import in_minor_units


@pytest.mark.parametrize(
    ("amount", "currency", "stored"),
    [
        ("12.345", "EUR", "12.35"),
        ("12.5", "JPY", "13"),
        ("12.3455", "BHD", "12.346"),
        ("-0.005", "USD", "-0.01"),
        ("12", "EUR", "12"),
    ],
)
def test_amounts_are_rounded_half_up_to_the_currencys_digits(amount: str, currency: str, stored: str) -> None:
    assert in_minor_units(Decimal(amount), currency) == Decimal(stored)
