"""Stops useless calls to what is away or too slow, probes whether it is back, and resumes gently. Pure.

One breaker per account and endpoint class, so that a broken endpoint does not stop the others, and one per account for
what concerns all of them. While it is open nothing is lost: rows wait and coalesce.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

THRESHOLD = 5  # failures in a row; at 1 % random failures that is one false trip in 10^10 calls
RATE, FEWEST, SPAN = 0.5, 20, 30.0  # ... or this share of at least so many calls within about so many seconds
BASE = 1.0  # in seconds
CAP = 3.5  # in seconds: what is back is in use again within 5 s, and a probe that often is no load
JITTER = 0.2  # of the wait, so that the probes of many accounts do not meet
FIRST_SHARE, RAMP = 0.1, 2.0  # of the places, when it closes; seconds until all of them


@dataclass(slots=True)
class Breaker:
    """Closed until `THRESHOLD` failures in a row, too high a rate of them, or a `trip`; then open until a time, then
    one probe at a time until one succeeds; then closed, with a share of the places that grows. Times in seconds of any
    clock that never goes back."""

    failures: int = 0  # in a row
    open_until: float = 0.0
    reason: str = ""
    _closed_at: float = -math.inf
    _since: float = -math.inf  # begin of the span that is counted
    _calls: tuple[int, int] = (0, 0)  # of the last whole span, of this one
    _failed: tuple[int, int] = (0, 0)

    @property
    def closed(self) -> bool:
        """Whether work runs freely."""
        return not self.reason

    def opens_at(self, now: float, running: int) -> float:
        """When the next piece of work may start; infinite while a probe is running."""
        if self.closed:
            return now
        if now < self.open_until:
            return self.open_until
        return math.inf if running else now

    def places(self, now: float, places: int) -> int:
        """How many of `places` may be taken: few after it has closed, all of them `RAMP` seconds later."""
        passed = now - self._closed_at
        if passed >= RAMP:
            return places
        return max(1, math.ceil(places * (FIRST_SHARE + (1.0 - FIRST_SHARE) * max(0.0, passed) / RAMP)))

    def succeeded(self, now: float) -> None:
        """The destination answered in time."""
        self._count(now, failed=False)
        if not self.closed:
            self._closed_at = now
            self._calls = self._failed = (0, 0)
        self.failures, self.open_until, self.reason = 0, 0.0, ""

    def failed(self, now: float, jitter: float, reason: str) -> None:
        """The destination was away, or too slow. `jitter`: random in [0, 1)."""
        self.failures += 1
        self._count(now, failed=True)
        step = self.failures - THRESHOLD
        if step >= 0 or not self.closed or self._too_many():
            wait = min(CAP, BASE * 2.0 ** min(max(0, step), 10))
            self.trip(now + wait * (1.0 - JITTER * jitter), reason)

    def trip(self, until: float, reason: str) -> None:
        """Open until then, whatever the count."""
        self.open_until, self.reason = max(self.open_until, until), reason

    def _count(self, now: float, *, failed: bool) -> None:
        if now - self._since >= SPAN:
            recent = now - self._since < 2.0 * SPAN
            self._calls = (self._calls[1] if recent else 0, 0)
            self._failed = (self._failed[1] if recent else 0, 0)
            self._since = now
        self._calls = (self._calls[0], self._calls[1] + 1)
        self._failed = (self._failed[0], self._failed[1] + failed)

    def _too_many(self) -> bool:
        calls = sum(self._calls)
        return calls >= FEWEST and sum(self._failed) >= RATE * calls
