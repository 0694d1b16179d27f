"""Times of day at which work that is not critical may run. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from connectors.kit.errors import Misconfigured

DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Hours:
    """Windows of the day as (begin, end) in seconds after midnight; one whose end is not after its begin goes over
    midnight. `zone`: whose clock they are meant by. Without windows every time is open."""

    windows: Sequence[tuple[float, float]] = ()
    zone: tzinfo = UTC

    def __str__(self) -> str:
        return ", ".join(f"{_clock(begin)}-{_clock(end)}" for begin, end in self.windows)

    def opens_at(self, now: float) -> float:
        """`now` (seconds UTC) when it is within a window, else the begin of the next one. Where the clocks change in
        between that is an hour off: ask again then."""
        if not self.windows:
            return now
        time = (now + self._ahead(now)) % DAY
        return now + min(_wait(begin % DAY, end % DAY, time) for begin, end in self.windows)

    def _ahead(self, now: float) -> float:
        """Seconds that the clock of the place is ahead of UTC."""
        if self.zone is UTC:
            return 0.0
        return (datetime.fromtimestamp(now, self.zone).utcoffset() or timedelta()).total_seconds()


ALL_DAY = Hours()


def _wait(begin: float, end: float, time: float) -> float:
    inside = begin <= time < end if begin < end else time >= begin or time < end
    return 0.0 if inside else (begin - time) % DAY


def parse(text: str, zone: tzinfo = UTC) -> Hours:
    """`22:00-06:00, 12:30-13:30`. Raises Misconfigured."""
    windows = [tuple(map(_seconds, part.split("-"))) for part in text.split(",")] if text.strip() else []
    if any(len(window) != 2 or math.isnan(sum(window)) for window in windows):
        raise Misconfigured(f"hours {text!r} cannot be read; write them as 22:00-06:00, 12:30-13:30")
    return Hours(tuple((begin, end) for begin, end in windows), zone)


def _seconds(text: str) -> float:
    hours, _, minutes = text.strip().partition(":")
    if not (hours.isdecimal() and minutes.isdecimal() and int(hours) <= 24 and int(minutes) < 60):
        return math.nan
    return int(hours) * 3600.0 + int(minutes) * 60.0


def _clock(seconds: float) -> str:
    return f"{int(seconds // 3600):02d}:{int(seconds % 3600 // 60):02d}"
