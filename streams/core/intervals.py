"""How long a poll waits for its next pass: less while things change, more while they do not or quota is short. Pure.

The first of several words about a change is mostly a webhook's; a poll finds what webhooks lost. So a resource in which
nothing changes is read seldom, and never so seldom that a lost webhook would stay unnoticed for longer than `longest`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

GROW = 1.5  # after a pass without changes
SHRINK = 4.0  # changes in a pass that halve the interval
SHORT_OF = 0.25  # share of the quota below which polls give way ...
MOST_STRETCH = 10.0  # ... by at most this factor
HALF_LIFE = 300.0  # in seconds, of what is known of the rate of hints


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds between two passes: of a busy and of a quiet resource. Raises ValueError when they contradict."""

    shortest: float
    longest: float

    def __post_init__(self) -> None:
        if not 0 < self.shortest <= self.longest:
            raise ValueError(f"intervals from {self.shortest:g} to {self.longest:g} s")

    def clamp(self, interval: float) -> float:
        """The nearest interval within the bounds."""
        return min(max(interval, self.shortest), self.longest)


def following(current: float, bounds: Bounds, *, changes: int, hints: float, quota_left: float) -> float:
    """Seconds to the next pass, after one that found so many `changes`. `current`: the interval before it; `hints`:
    how many a second say that something changed; `quota_left`: share of the bucket, 0 to 1."""
    expected = changes + hints * current
    wanted = current * GROW if expected <= 0 else current / (1 + expected / SHRINK)
    stretch = min(MOST_STRETCH, max(1.0, SHORT_OF / max(quota_left, 1e-9)))
    return bounds.clamp(bounds.clamp(wanted) * stretch)


@dataclass(slots=True)
class HintRate:
    """How often somebody says that a record changed without saying how; halves in HALF_LIFE. Times in seconds."""

    _weight: float = 0.0
    _at: float = 0.0

    def hint(self, now: float) -> None:
        """One more."""
        self._weight, self._at = self._decayed(now) + 1.0, max(now, self._at)

    def per_second(self, now: float) -> float:
        """The estimate: of a steady rate it comes to that rate."""
        return self._decayed(now) * math.log(2) / HALF_LIFE

    def _decayed(self, now: float) -> float:
        return self._weight * math.pow(0.5, max(0.0, now - self._at) / HALF_LIFE)
