"""Reading vendor JSON: every getter checks the type and names the JSON path at fault. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.kit.errors import Invalid
from connectors.kit.jsonbody import parse_object, wrong_field

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_GID = re.compile(r"gid://shopify/\w+/(\d+)(?:\?.*)?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)")
_LARGEST = Decimal(10) ** 14  # what the schemas' decimal(20, 6) holds before the point


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of the source: microseconds UTC and the text it was written as."""

    micros: int
    text: str


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON object inside a delivery. `at` is its path, e.g. $.variants[0]."""

    topic: str
    at: str
    value: Mapping[str, Any]

    @classmethod
    def parse(cls, topic: str, body: bytes) -> Node:
        """Raises Invalid when the body is not a JSON object."""
        return cls(topic, "$", parse_object(topic, body))

    def wrong(self, name: str, expected: str) -> Invalid:
        """The error that names the field `name` of this object."""
        return wrong_field(f"{self.topic}: {self.at}", self.value, name, expected)

    def id(self, name: str) -> str:
        """A remote id: a number, its digits, or a global id, whose number counts. Raises Invalid otherwise."""
        found = self.optional_id(name)
        if found is None:
            raise self.wrong(name, "a remote id")
        return found

    def optional_id(self, name: str) -> str | None:
        """As `id`; None when absent or null."""
        value = self.value.get(name)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return str(value)
        if isinstance(value, str):
            if value.isdecimal():
                return value
            if match := _GID.fullmatch(value):
                return match[1]
        raise self.wrong(name, "a remote id")

    def text(self, name: str) -> str | None:
        """None when absent or null. Raises Invalid when it is not a string."""
        value = self.value.get(name)
        if value is None or isinstance(value, str):
            return value
        raise self.wrong(name, "a string")

    def flag(self, name: str) -> bool | None:
        """None when absent or null. Raises Invalid when it is not a boolean."""
        value = self.value.get(name)
        if value is None or isinstance(value, bool):
            return value
        raise self.wrong(name, "true or false")

    def decimal(self, name: str) -> Decimal:
        """A finite amount that fits decimal(20, 6), written as a string or a number. Raises Invalid otherwise."""
        found = self.optional_decimal(name)
        if found is None:
            raise self.wrong(name, "a decimal amount")
        return found

    def optional_decimal(self, name: str) -> Decimal | None:
        """As `decimal`; None when absent, null or the empty text."""
        value = self.value.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.wrong(name, "a decimal amount")
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise self.wrong(name, "a decimal amount") from None
        if not number.is_finite() or abs(number) >= _LARGEST or _places(number) > 6:
            raise self.wrong(name, "a finite amount of at most 14 digits before the point and 6 behind")
        return number

    def moment(self, name: str) -> Moment:
        """A time with its offset from UTC. Raises Invalid otherwise."""
        found = self.optional_moment(name)
        if found is None:
            raise self.wrong(name, "an ISO 8601 time with offset")
        return found

    def optional_moment(self, name: str) -> Moment | None:
        """As `moment`; None when absent or null."""
        text = self.text(name)
        if text is None:
            return None
        nanos = nanoseconds(text)
        if nanos is None:
            raise self.wrong(name, "an ISO 8601 time with offset")
        return Moment(nanos // 1000, text)

    def child(self, name: str) -> Node | None:
        """A nested object; None when absent or null. Raises Invalid when it is something else."""
        value = self.value.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return Node(self.topic, f"{self.at}.{name}", value)

    def children(self, name: str) -> list[Node]:
        """A list of objects; empty when absent or null. Raises Invalid when it is something else."""
        value = self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(name, "a list of objects")
        return [Node(self.topic, f"{self.at}.{name}[{index}]", item) for index, item in enumerate(value)]

    def texts(self, name: str) -> list[str]:
        """A list of strings; empty when absent or null. Raises Invalid when it is something else."""
        value = self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(name, "a list of strings")
        return value


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return -exponent if isinstance(exponent, int) else 0


def nanoseconds(text: str) -> int | None:
    """Nanoseconds since the epoch of an RFC 3339 time with up to nine fractional digits; None when it is none.

    `datetime` cuts silently to microseconds, so the fraction is read apart.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    try:
        whole = datetime.fromisoformat(match[1] + match[3])
        seconds = (whole - _EPOCH) // _MICROSECOND // 1_000_000
    except (ValueError, OverflowError):
        return None
    return seconds * 1_000_000_000 + int((match[2] or "0").ljust(9, "0")) if seconds >= 0 else None


def gid(kind: str, remote_id: str) -> str:
    """The global id of a record, e.g. gid://shopify/Product/1. Raises Invalid when `remote_id` is not a number."""
    if not remote_id.isdecimal():
        raise Invalid(f"{remote_id!r} is not the id of a Shopify {kind}")
    return f"gid://shopify/{kind}/{remote_id}"
