"""Reply headers -> what they say about quotas. Pure; a malformed header is ignored, counted and changes nothing else.

A platform's `feedback` calls `read` and adds what only it knows: costs, refusals inside a reply of status 200.

Sources: draft-ietf-httpapi-ratelimit-headers-10 (RateLimit-Policy, RateLimit; its versions up to 07 had one dictionary
and RateLimit-Limit, -Remaining, -Reset), RFC 9110 section 10.2.3 (Retry-After) and 5.6.7 (dates); X-RateLimit-* is
custom, not a standard: GitHub and others send the reset as epoch seconds, others as seconds to go, a few as epoch
milliseconds. Shopify REST: X-Shopify-Shop-Api-Call-Limit "32/40".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from connectors.kit.contract import Feedback, Response
from connectors.kit.skew import parse_date
from connectors.kit.structured import Bare, Item, Malformed, items, pairs

SHOPIFY_DRAIN = 20.0  # seconds in which a REST bucket of any plan drains (2/s of 40, 4/s of 80, 20/s of 400)
_LONGEST = 400 * 86_400.0  # seconds; a reset further away than that is none
_EPOCH, _EPOCH_MS = 1e9, 1e12  # numbers above these are times, not seconds to go
_NUMBER = re.compile(r"\d{1,15}(?:\.\d{1,9})?")
_USED_OF = re.compile(r"(\d{1,9})\s*/\s*(\d{1,9})")
_FAMILIES = ("ratelimit-", "x-ratelimit-", "x-rate-limit-")
_REQUESTS = "requests"
_Number = Callable[[str], float | None]
_Reading = Callable[[Item, Feedback], Feedback | None]


def of(response: Response) -> Feedback:
    """What the headers of a reply say; see `read`."""
    return read(response.headers, response.status, response.received_at / 1e6)


def read(headers: Mapping[str, str], status: int, now: float) -> Feedback:
    """Headers (names in lower case) and status of a reply that came at `now` (seconds UTC).

    One policy speaks of the account's own bucket, several speak of `named` buckets. Status 429 is a refusal, with or
    without a header. The server's own `Date` stands for `now` where there is one, so clocks need not agree.
    """
    reader = _Reader(headers, now)
    families = (reader.policies(), reader.legacy(), reader.shopify())
    found = next((one for one in families if one is not None), Feedback())
    wait = reader.retry_after()
    return replace(found, retry_after=wait, throttled=status == 429, malformed=reader.malformed)


class _Reader:
    """Reads each family of headers once and counts what makes no sense."""

    def __init__(self, headers: Mapping[str, str], now: float) -> None:
        self._headers = headers
        self.malformed = 0
        self._now = now
        if "date" in headers:
            told = parse_date(headers["date"])
            self._now = now if told is None else told

    def retry_after(self) -> float | None:
        """Seconds; a date that has passed is no wait at all."""
        text = self._headers.get("retry-after")
        if text is None:
            return None
        if (seconds := _number(text)) is not None:
            return self._checked(seconds if seconds <= _LONGEST else None)
        until = parse_date(text)
        return self._checked(None if until is None else max(0.0, until - self._now))

    def shopify(self) -> Feedback | None:
        """Used and size of the leaky bucket of the legacy REST API; its rate follows from its size."""
        text = self._headers.get("x-shopify-shop-api-call-limit")
        if text is None:
            return None
        match = _USED_OF.fullmatch(text.strip())
        size = 0.0 if match is None else float(match[2])
        if match is None or size <= 0.0:
            self.malformed += 1
            return None
        return Feedback(level=size - float(match[1]), limit=size, restore_rate=size / SHOPIFY_DRAIN)

    def legacy(self) -> Feedback | None:
        """RateLimit-Limit, -Remaining, -Reset or one of their X- forms; the first family with a usable one counts."""
        families = [self._family(prefix) for prefix in _FAMILIES]
        return next((one for one in families if one is not None), None)

    def _family(self, prefix: str) -> Feedback | None:
        limit, window = self._limit(self._headers.get(f"{prefix}limit"))
        level = self._optional(f"{prefix}remaining", _number)
        resets_after = self._optional(f"{prefix}reset", self._until)
        if limit is None and level is None:
            return None
        return Feedback(level=level, limit=limit, resets_after=resets_after, window=window)

    def policies(self) -> Feedback | None:
        """RateLimit-Policy and RateLimit; None when there are none or they make no sense.

        One quota of requests is the account's own bucket; of several, or of another unit, each is named.
        """
        text, named = self._headers.get("ratelimit"), dict[str, Feedback]()
        quotas = self._items(self._headers.get("ratelimit-policy"))
        if text is not None and not text.lstrip().startswith('"'):
            return self._dictionary(text, quotas)
        for item in quotas:
            self._add(named, item, _policy)
        for item in self._items(text):
            self._add(named, item, _service)
        if not named:
            return None
        only = next(iter(named.values()))
        return only if len(named) == 1 and not only.unit else Feedback(named=named)

    def _items(self, text: str | None) -> list[Item]:
        if text is None:
            return []
        try:
            return items(text)
        except Malformed:
            self.malformed += 1
            return []

    def _add(self, named: dict[str, Feedback], item: Item, reading: _Reading) -> None:
        """One member; those of older drafts (`100;w=60`) have a number for a name and belong to `legacy`."""
        if _whole(item.value) is not None:
            return
        name = item.value if isinstance(item.value, str) else ""
        found = reading(item, named.get(name, Feedback())) if name else None
        if found is None:
            self.malformed += 1
        else:
            named[name] = found

    def _dictionary(self, text: str, quotas: Sequence[Item]) -> Feedback | None:
        """`RateLimit: limit=100, remaining=50, reset=5` of drafts 03 to 07."""
        try:
            found = pairs(text)
        except Malformed:
            found = {}
        limit, level, reset = (_whole(found.get(name)) for name in ("limit", "remaining", "reset"))
        if limit is None or level is None:
            self.malformed += 1
            return None
        window = next((_whole(one.parameters.get("w")) for one in quotas if one.value == limit), None)
        return Feedback(level=level, limit=limit, resets_after=reset, window=window)

    def _limit(self, text: str | None) -> tuple[float | None, float | None]:
        """`100`, or with the quota policies of older drafts `100, 100;w=60, 1000;w=3600`: the first counts."""
        if text is None:
            return None, None
        first, *policies = text.split(",")
        limit = self._checked(_positive(first.partition(";")[0]))
        windows = (part.partition(";w=") for part in (first, *policies))
        return limit, next((_positive(w) for q, _, w in windows if w and _number(q) == limit), None)

    def _optional(self, name: str, reading: _Number) -> float | None:
        text = self._headers.get(name)
        return None if text is None else self._checked(reading(text))

    def _until(self, text: str) -> float | None:
        """Seconds from now: of a number of seconds, an epoch or a date."""
        value = _number(text)
        if value is None:
            value = parse_date(text)
        if value is None:
            return None
        if value >= _EPOCH_MS:
            value /= 1000.0
        seconds = max(0.0, value - self._now) if value >= _EPOCH else value
        return seconds if seconds <= _LONGEST else None

    def _checked(self, value: float | None) -> float | None:
        self.malformed += value is None
        return value


def _policy(item: Item, known: Feedback) -> Feedback | None:
    """q quota, w window in seconds, qu unit; pk names whom the quota is of, which is us."""
    limit, unit = _whole(item.parameters.get("q")), item.parameters.get("qu", _REQUESTS)
    window = _whole(item.parameters.get("w"))
    if not limit or not isinstance(unit, str) or ("w" in item.parameters and not window):
        return None
    return replace(known, limit=limit, window=window, unit="" if unit == _REQUESTS else unit)


def _service(item: Item, known: Feedback) -> Feedback | None:
    """r what is left, t seconds until the quota is whole again."""
    level, resets_after = _whole(item.parameters.get("r")), _whole(item.parameters.get("t"))
    if level is None or ("t" in item.parameters and resets_after is None):
        return None
    return replace(known, level=level, resets_after=resets_after)


def _whole(value: Bare | None) -> float | None:
    """A number that is not negative; the drafts allow integers only."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return float(value)


def _number(text: str) -> float | None:
    """A plain decimal number that is not negative."""
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def _positive(text: str) -> float | None:
    return _number(text) or None
