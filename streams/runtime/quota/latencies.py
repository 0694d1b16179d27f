"""A distribution of times in bounded memory. Pure."""

from __future__ import annotations

import math

_STEP = 1.05  # width of a class: a quantile is at most 5 % too high
_SHORTEST = 1e-4  # seconds


class Latencies:
    """Counts in classes that grow by 5 %; about 250 of them reach from 0.1 ms to 20 s."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._total = 0

    def add(self, seconds: float) -> None:
        """One more time; less than 0.1 ms counts as 0.1 ms."""
        number = math.ceil(math.log(max(_SHORTEST, seconds) / _SHORTEST, _STEP))
        self._counts[number] = self._counts.get(number, 0) + 1
        self._total += 1

    def quantile(self, share: float) -> float:
        """Seconds that this share of the times do not exceed; 0 when there are none."""
        wanted, seen = share * self._total, 0
        for number in sorted(self._counts):
            seen += self._counts[number]
            if seen >= wanted:
                return _SHORTEST * _STEP**number
        return 0.0
