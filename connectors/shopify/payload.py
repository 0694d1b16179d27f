"""Reading vendor JSON: every getter checks the type and names the JSON path at fault. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

from connectors.kit.errors import Invalid
from connectors.kit.jsonbody import JsonNode, Moment, parse_object

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_GID = re.compile(r"gid://shopify/\w+/(\d+)(?:\?.*)?")
_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class Node(JsonNode):
    """A JSON object inside a delivery. `at` is its topic and path, e.g. products/update: $.variants[0]."""

    number: ClassVar[str] = "a decimal amount"
    size: ClassVar[str] = "a finite amount of at most 14 digits before the point and 6 behind"
    places: ClassVar[str] = size

    @classmethod
    def parse(cls, topic: str, body: bytes) -> Self:
        """Raises Invalid when the body is not a JSON object."""
        return cls.of(topic, parse_object(topic, body))

    @classmethod
    def of(cls, topic: str, value: Mapping[str, Any]) -> Self:
        """The outermost object."""
        return cls(f"{topic}: $", value)

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

    def texts(self, name: str) -> list[str]:
        """A list of strings; empty when absent or null. Raises Invalid when it is something else."""
        value = self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(name, "a list of strings")
        return value


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
