"""The shop's naive times. Pure.

The platform writes `YYYY-MM-DD HH:MM:SS` in the shop's zone, without saying which. When the clocks go back one hour
of the year comes twice; a text from that hour is read as its first occurrence (fold=0), so the clock of a record
changed in the second hour is up to one hour early. Windows of a poll are widened instead, so nothing is skipped.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_FORMAT = "%Y-%m-%d %H:%M:%S"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NEVER = "0000-00-00"


def micros(text: str, zone: ZoneInfo) -> int | None:
    """Microseconds UTC of a shop time; None for the platform's empty date `0000-00-00 00:00:00` and for one before
    1970. Raises ValueError when it is not a shop time."""
    if text.startswith(_NEVER):
        return None
    moment = datetime.strptime(text, _FORMAT).replace(tzinfo=zone)
    since_epoch = (moment - _EPOCH) // _MICROSECOND
    return since_epoch if since_epoch >= 0 else None


def text(at: int, zone: ZoneInfo) -> str:
    """The shop's text for a moment (microseconds UTC, cut to the second)."""
    return _utc(at).astimezone(zone).strftime(_FORMAT)


def window(since: int, until: int, zone: ZoneInfo) -> tuple[str, str]:
    """The smallest and largest text a record changed within [since, until] (microseconds UTC) may carry.

    Where the clocks go back inside the interval, texts do not grow with time: with the smaller of both offsets the
    lower bound and with the larger the upper one, the interval of texts covers every moment.
    """
    first, last = _utc(since), _utc(until)
    offsets = [_offset(moment, zone) for moment in (first, last)]
    bounds = (first + min(offsets), last + max(offsets))
    return bounds[0].strftime(_FORMAT), bounds[1].strftime(_FORMAT)


def next_second(shop_time: str) -> str:
    """The text one second later on the shop's wall clock. Raises ValueError when it is not a shop time."""
    naive = datetime.strptime(shop_time, _FORMAT).replace(tzinfo=UTC)
    return (naive + timedelta(seconds=1)).strftime(_FORMAT)


def _utc(at: int) -> datetime:
    return _EPOCH + timedelta(microseconds=at)


def _offset(moment: datetime, zone: ZoneInfo) -> timedelta:
    return moment.astimezone(zone).utcoffset() or timedelta()
