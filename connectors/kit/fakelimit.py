"""A fake vendor's limit on requests, and what an oracle wants to know of it."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import Protocol

from connectors.kit.clock import Clock


class RateOptions(Protocol):
    """`rate`: requests per second, 0 for no limit; `burst`: at once; `rival`: per second that somebody else takes."""

    rate: float
    burst: float
    rival: float


@dataclass
class LimitStats:
    """`max_rate`: the most requests of any one second, let through or not."""

    accepted: int = 0
    throttled: int = 0
    max_rate: int = 0


class Limit:
    """A token bucket. Rate, burst and rival are read from the options at every step, so a quota can change."""

    def __init__(self, options: RateOptions, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._level, self._at = options.burst, clock.monotonic()
        self._recent: deque[float] = deque()
        self.stats = LimitStats()

    def take(self) -> float:
        """0 when the request may pass, else the seconds to wait."""
        self._count()
        options = self._options
        if options.rate <= 0:
            self.stats.accepted += 1
            return 0.0
        if (level := self._refilled()) < 1:
            self.stats.throttled += 1
            return (1 - level) / options.rate
        self._level -= 1
        self.stats.accepted += 1
        return 0.0

    @property
    def level(self) -> float:
        """Requests that may pass now; the burst when there is no limit."""
        return self._refilled() if self._options.rate > 0 else self._options.burst

    def report(self) -> dict[str, float]:
        """The statistics as JSON."""
        return {"level": self.level, **asdict(self.stats)}

    def _refilled(self) -> float:
        now = self._clock.monotonic()
        gained = (now - self._at) * (self._options.rate - self._options.rival)
        self._at = now
        self._level = max(0.0, min(self._options.burst, self._level + gained))
        return self._level

    def _count(self) -> None:
        now = self._clock.monotonic()
        self._recent.append(now)
        while self._recent[0] <= now - 1.0:
            self._recent.popleft()
        self.stats.max_rate = max(self.stats.max_rate, len(self._recent))
