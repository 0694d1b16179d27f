"""Reading vendor JSON: every getter checks the type and names the path at fault. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from connectors.kit.errors import Invalid
from connectors.kit.jsonbody import parse_object, wrong_field

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST = Decimal(10) ** 14  # what the schemas' decimal(20, 6) holds before the point
_SCALE = Decimal("0.000001")
_LARGEST_INTEGER = 2**62  # of a clock: what a packed version holds


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of the source: microseconds UTC and the text it was written as."""

    micros: int
    text: str


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON object inside a body. `at` is its path, e.g. shipment.updated.data."""

    at: str
    value: Mapping[str, Any]

    @classmethod
    def parse(cls, at: str, body: bytes) -> Node:
        """Raises Invalid when the body is not a JSON object."""
        return cls(at, parse_object(at, body))

    def wrong(self, name: str, expected: str) -> Invalid:
        """The error that names the field `name` of this object."""
        return wrong_field(self.at, self.value, name, expected)

    def child(self, name: str) -> Node:
        """A nested object. Raises Invalid when there is none."""
        value = self.value.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return Node(f"{self.at}.{name}", value)

    def children(self, name: str) -> list[Node]:
        """A list of objects; empty when absent or null. Raises Invalid otherwise."""
        value = self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(name, "a list of objects")
        return [Node(f"{self.at}.{name}[{index}]", item) for index, item in enumerate(value)]

    def id(self, name: str) -> str:
        """A remote id, text or number. Raises Invalid otherwise."""
        value = self.value.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, str) and value.strip():
            return value.strip()
        raise self.wrong(name, "an id")

    def text(self, name: str) -> str | None:
        """Text; None when absent, null or blank. Raises Invalid otherwise."""
        value = self.value.get(name)
        if value is None or isinstance(value, str):
            return value.strip() or None if value else None
        raise self.wrong(name, "text")

    def count(self, name: str) -> int:
        """A whole number of at least 0, written as one. Raises Invalid otherwise."""
        value = self.value.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_INTEGER:
            return value
        raise self.wrong(name, "a whole number of at least 0")

    def decimal(self, name: str) -> Decimal:
        """A finite amount in the schemas' scale, written as text or number. Raises Invalid otherwise."""
        value = self.value.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.wrong(name, "a decimal number")
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            raise self.wrong(name, "a decimal number") from None
        if not number.is_finite() or abs(number) >= _LARGEST or number != number.quantize(_SCALE):
            raise self.wrong(name, "a finite number of at most 14 digits before the point and 6 behind")
        return number.quantize(_SCALE)

    def optional_decimal(self, name: str) -> Decimal | None:
        """As `decimal`; None when absent, null or empty."""
        return None if self.value.get(name) in (None, "") else self.decimal(name)

    def moment(self, name: str) -> Moment:
        """An ISO 8601 time with its offset from UTC, not before 1970. Raises Invalid otherwise."""
        found = self.optional_moment(name)
        if found is None:
            raise self.wrong(name, "an ISO 8601 time with offset")
        return found

    def optional_moment(self, name: str) -> Moment | None:
        """As `moment`; None when absent or null."""
        text = self.text(name)
        if text is None:
            return None
        try:
            found = datetime.fromisoformat(text)
            micros = (found - _EPOCH) // _MICROSECOND if found.tzinfo else -1
        except (ValueError, OverflowError):
            micros = -1
        if micros < 0:
            raise self.wrong(name, "an ISO 8601 time with offset")
        return Moment(micros, text)


def iso(at: int | datetime) -> str:
    """The ISO 8601 text, in UTC, of a moment (microseconds UTC or a time with its zone), cut to the millisecond."""
    moment = _EPOCH + timedelta(microseconds=at) if isinstance(at, int) else at.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
