"""What a request will be charged, learnt from what its kind was charged before. Pure."""

from __future__ import annotations

import math

_WEIGHT = 0.2  # of the newest charge
_FIRST = 5  # charges that are averaged evenly
_MOST = 1000  # kinds remembered


class Costs:
    """A factor per kind of request on what the connector expects, because cost grows with what is asked for.

    A factor rather than a cost: a connector that knows that a page of 250 is dearer than one of 50 stays right.
    """

    def __init__(self) -> None:
        self._factors: dict[str, tuple[float, int]] = {}

    def expected(self, kind: str, guess: float) -> float:
        """The charge to expect where the connector guesses `guess` units."""
        return guess * self._factors.get(kind, (1.0, 0))[0]

    def charged(self, kind: str, guess: float, actual: float | None) -> None:
        """A request was charged `actual` units; None, or anything that is no charge, when the reply did not say."""
        if actual is None or not math.isfinite(actual) or actual <= 0.0 or guess <= 0.0:
            return
        factor, seen = self._factors.get(kind, (1.0, 0))
        if seen or len(self._factors) < _MOST:
            weight = max(_WEIGHT, 1.0 / (seen + 1)) if seen < _FIRST else _WEIGHT
            self._factors[kind] = factor + (actual / guess - factor) * weight, seen + 1
