"""What a modelled API has to give: a token bucket with rivals and changes, and the integral of its supply. Pure.

Everything between two requests is linear, so the integral is exact and does not depend on how often it is looked at.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_ROUNDING = 1e-6  # units; a client that waits for exactly enough must not be refused for an error of addition


@dataclass(frozen=True, slots=True)
class Quota:
    """From `at` on (seconds), the bucket holds `capacity` units and gains `refill` units per second."""

    refill: float
    capacity: float
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Rival:
    """Another client of the same bucket: takes `rate` units per second while there are any."""

    rate: float
    start: float = 0.0
    end: float = math.inf


@dataclass(frozen=True, slots=True)
class Closure:
    """From `start` to `end` nothing is admitted; the bucket fills meanwhile. `outage`: nobody answers at all, else it
    is refused with a Retry-After until the end."""

    start: float
    end: float
    outage: bool = False


class Bucket:
    """Times in seconds of one clock that starts at 0. `supply`: units that were there for us so far: what was in the
    bucket at first and what flowed in since, overflow included, less what rivals took and what a cut of the capacity
    destroyed. While closed, overflow is nobody's loss and does not count. `overshoot`: the most by which we asked,
    refused requests included, for more than the whole bucket could have given in any window, as a share of it."""

    def __init__(self, quotas: Sequence[Quota], rivals: Sequence[Rival] = (), closures: Sequence[Closure] = ()) -> None:
        self._changes = sorted(quotas, key=lambda one: one.at)
        self.quota = self._changes.pop(0)
        self._rivals = tuple(rivals)
        self._closures = tuple(closures)
        spans = [(one.start, one.end) for one in rivals] + [(one.start, one.end) for one in closures]
        self._edges = sorted({edge for span in spans for edge in span})
        self.at = 0.0
        self.level = self.supply = self.quota.capacity
        self.spilled = 0.0
        self.overshoot = 0.0
        self._own = self.quota.capacity  # level of a bucket that only we use and that never refuses

    def advance(self, now: float) -> None:
        """Let time pass; going back has no effect."""
        while self.at < now:
            until = min(
                [now, *(one.at for one in self._changes[:1]), *(edge for edge in self._edges if edge > self.at)]
            )
            self._flow(until)
            if self._changes and self._changes[0].at <= self.at:
                self._change(self._changes.pop(0))

    def closed(self) -> Closure | None:
        """The closure that holds now."""
        return next((one for one in self._closures if one.start <= self.at < one.end), None)

    def ask(self, now: float, cost: float) -> bool:
        """A request of ours arrives: whether it is admitted. It is charged only then."""
        self.advance(now)
        self._own -= cost
        if self._own < -_ROUNDING:
            self.overshoot = max(self.overshoot, -self._own / self.quota.capacity)
        if self.level + _ROUNDING < cost or self.closed() is not None:
            return False
        self.level -= cost
        return True

    def _flow(self, until: float) -> None:
        passed, refill = until - self.at, self.quota.refill
        taken = sum(one.rate for one in self._rivals if one.start <= self.at < one.end)
        net = refill - taken
        gained = net * passed if net >= 0 else max(net * passed, -self.level)
        kept = min(gained, self.quota.capacity - self.level)
        self.level += kept
        if self.closed() is not None:
            gained = kept
        self.supply += gained
        self.spilled += gained - kept
        self._own = min(self.quota.capacity, self._own + refill * passed)
        self.at = until

    def _change(self, quota: Quota) -> None:
        lost = max(0.0, self.level - quota.capacity)
        self.quota = quota
        self.level -= lost
        self.supply -= lost
        self._own = min(self._own, quota.capacity)
