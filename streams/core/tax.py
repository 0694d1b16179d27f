"""Prices from one tax basis to another, where a flow says by which rate. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from streams.core.policy import Tax

INCLUDED, EXCLUDED = "INCLUDED", "EXCLUDED"


def converted(money: Mapping[str, Any], basis: str, rule: Tax) -> dict[str, Any]:
    """A Money record as an account with this basis holds it, rounded half up to the rule's step. One that is in the
    basis already, or whose basis nobody knows, stays as it is: what is not converted is not rounded either."""
    if money["tax"] == basis or {money["tax"], basis} != {INCLUDED, EXCLUDED}:
        return dict(money)
    whole = 1 + rule.rate
    amount = money["amount"] * whole if basis == INCLUDED else money["amount"] / whole
    return {**money, "amount": rounded(amount, rule.step), "tax": basis}


def rounded(amount: Decimal, step: Decimal) -> Decimal:
    """The nearest multiple of `step`; of two the one further from zero."""
    return (amount / step).quantize(Decimal(1), ROUND_HALF_UP) * step
