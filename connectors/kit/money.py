"""How finely a currency is counted, for destinations that keep no more digits than its coins have. Pure.

Source: ISO 4217, minor units; currencies that are not named here have two digits.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

_DIGITS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
                     "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}  # fmt: skip


def in_minor_units(amount: Decimal, currency: str) -> Decimal:
    """The amount as such a destination stores it: rounded half up to the currency's digits."""
    return amount.quantize(Decimal(1).scaleb(-_DIGITS.get(currency, 2)), ROUND_HALF_UP)
