"""How far an API's clock is ahead of ours, from the `Date` of its replies. Pure.

`Date` names a whole second in which the reply was made, and that was between our sending the request and our receiving
the reply. Each reply so bounds the difference of the clocks from both sides; the bounds of many replies leave less than
a tenth of a second, although each of them leaves more than a second. Bounds are forgotten after some minutes, as clocks
drift, and at once when a reply contradicts them, as clocks are set. Source: RFC 9110, sections 5.6.7 and 6.6.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

MICROS = 1_000_000
_SECOND = 1.0  # of which `Date` tells no fraction
_WINDOW = 300.0  # seconds; bounds are kept for one to two of them


class Offset(NamedTuple):
    """Seconds the other clock is ahead of ours, and by how many it may be more or less."""

    seconds: float
    error: float


class _Bounds(NamedTuple):
    least: float = -math.inf
    most: float = math.inf

    def within(self, other: _Bounds) -> _Bounds:
        return _Bounds(max(self.least, other.least), min(self.most, other.most))


@dataclass(slots=True)
class ClockSkew:
    """Of one API. Times in microseconds UTC of our clock, in the order of receipt."""

    _bounds: _Bounds = field(default_factory=_Bounds)
    _before: _Bounds = field(default_factory=_Bounds)  # of the window before
    _since: int = 0

    @property
    def offset(self) -> Offset | None:
        """What is known; None before the first reply with a date."""
        least, most = self._bounds.within(self._before)
        return Offset((least + most) / 2, (most - least) / 2) if math.isfinite(most - least) else None

    def replied(self, date: str, started_at: int, received_at: int) -> None:
        """A reply with this `Date` came; one that is no date says nothing."""
        told = parse_date(date)
        if told is None or received_at < started_at:
            return
        if received_at - self._since > _WINDOW * MICROS:
            self._before, self._bounds, self._since = self._bounds, _Bounds(), received_at
        new = _Bounds(told - received_at / MICROS, told + _SECOND - started_at / MICROS)
        known = self._bounds.within(self._before).within(new)
        if known.least > known.most:
            self._before, self._bounds, self._since = _Bounds(), new, received_at
        else:
            self._bounds = self._bounds.within(new)


def parse_date(text: str) -> float | None:
    """Seconds UTC of an HTTP-date; None for what is none."""
    try:
        moment = parsedate_to_datetime(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
