"""Stops useless calls to a destination that is away, and lets one probe through when it may be back. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.kit import backoff

THRESHOLD = 5  # failures in a row; at 1 % random failures that is one false trip in 10^10 calls
BASE = 1.0  # in seconds
CAP = 60.0  # in seconds


@dataclass(slots=True)
class Breaker:
    """Closed until `THRESHOLD` failures in a row or a `trip`; then open until a time, then one probe at a time until
    one succeeds. Times in seconds of any clock that never goes back."""

    failures: int = 0
    open_until: float = 0.0
    reason: str = ""

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
        return float("inf") if running else now

    def succeeded(self) -> None:
        """The destination answered."""
        self.failures, self.open_until, self.reason = 0, 0.0, ""

    def failed(self, now: float, jitter: float, reason: str) -> None:
        """The destination was away. `jitter`: random in [0, 1)."""
        self.failures += 1
        if self.failures >= THRESHOLD:
            step = self.failures - THRESHOLD
            self.trip(now + BASE / 2 + backoff.delay(step, jitter, BASE, CAP), reason)

    def trip(self, until: float, reason: str) -> None:
        """Open until then, whatever the count."""
        self.open_until, self.reason = max(self.open_until, until), reason
