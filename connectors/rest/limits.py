"""What a reply's headers say of the rate. Pure; malformed headers are as good as none.

Sources: RFC 9110, section 10.2.3 (Retry-After); draft-ietf-httpapi-ratelimit-headers-06 for RateLimit-Limit,
-Remaining and -Reset, and the X- spelling that preceded them.
"""

from __future__ import annotations

import math
from datetime import UTC
from email.utils import parsedate_to_datetime

from connectors.kit.contract import Feedback, Response

_FAMILIES = ("x-ratelimit-", "ratelimit-")
_EPOCH_FROM = 1e9  # a reset above it is a time and not a wait
_LONGEST_WAIT = 86_400.0  # seconds


def feedback(response: Response, *, throttled: bool) -> Feedback:
    """Level and limit of the vendor's bucket, and how long to wait: as Retry-After says, else, of a refusal, until the
    reset."""
    wait = retry_after(response)
    if wait is None and throttled:
        wait = _reset(response)
    return Feedback(
        level=_number(response, "remaining"), limit=_number(response, "limit"), retry_after=wait, throttled=throttled
    )


def retry_after(response: Response) -> float | None:
    """Seconds to wait, from whole or decimal seconds or a date; None when the header is missing or malformed."""
    text = response.headers.get("retry-after", "").strip()
    seconds = _finite(text)
    if seconds is not None:
        return _bounded(seconds)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    until = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return _bounded(until.timestamp() - response.received_at / 1_000_000)


def _reset(response: Response) -> float | None:
    """Seconds until the reset, which is written as a wait or as a time in epoch seconds."""
    value = _number(response, "reset")
    if value is None:
        return None
    return _bounded(value - response.received_at / 1_000_000 if value > _EPOCH_FROM else value)


def _number(response: Response, name: str) -> float | None:
    found = (_finite(response.headers.get(family + name, "").strip()) for family in _FAMILIES)
    return next((value for value in found if value is not None), None)


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _bounded(seconds: float) -> float:
    return min(_LONGEST_WAIT, max(0.0, seconds))
