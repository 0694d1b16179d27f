"""Time as a parameter: what needs a clock is given one, and tests advance theirs by hand."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for durations. Never mix the two."""

    def now(self) -> int:
        """Microseconds UTC since 1970."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> int:
        """Microseconds UTC since 1970."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is advanced. `start`: microseconds UTC."""

    def __init__(self, start: int = 1_772_366_400_000_000) -> None:
        self._start = start
        self._passed = 0

    def now(self) -> int:
        """Microseconds UTC since 1970."""
        return self._start + self._passed

    def monotonic(self) -> float:
        """Seconds this clock was advanced."""
        return self._passed / 1_000_000

    def advance(self, seconds: float) -> None:
        """Let time pass. Raises ValueError for a negative duration."""
        if seconds < 0:
            raise ValueError(f"a clock never goes back: {seconds} s")
        self._passed += round(seconds * 1_000_000)
