"""Reading vendor JSON: what the payload readers of all platforms share. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Self

import orjson

from connectors.kit.errors import Invalid

SCALE = Decimal("0.000001")
LARGEST = Decimal(10) ** 14  # what the schemas' decimal(20, 6) holds before the point
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Moment:
    """A time of the source: microseconds UTC and the text it was written as."""

    micros: int
    text: str


@dataclass(frozen=True, slots=True)
class JsonNode:
    """A JSON object inside a body: every getter checks the type and names the path at fault. `at` is its path, e.g.
    products.4.product. What a vendor writes for an id, a text, a time or nothing at all is its platform's to read."""

    # What is expected of a decimal, in the platform's words.
    number: ClassVar[str] = "a decimal number"
    size: ClassVar[str] = "a finite number of at most 14 digits before the point and 6 behind"
    places: ClassVar[str] = size
    nothing: ClassVar[tuple[Any, ...]] = (None, "")  # what stands for a decimal that is not given

    at: str
    value: Mapping[str, Any]

    @classmethod
    def parse(cls, at: str, body: bytes) -> Self:
        """Raises Invalid when the body is not a JSON object."""
        return cls(at, parse_object(at, body))

    def wrong(self, name: str, expected: str) -> Invalid:
        """The error that names the field `name` of this object."""
        return wrong_field(self.at, self.value, name, expected)

    def child(self, name: str) -> Self:
        """A nested object. Raises Invalid when there is none."""
        found = self.optional_child(name)
        if found is None:
            raise self.wrong(name, "an object")
        return found

    def optional_child(self, name: str) -> Self | None:
        """As `child`; None when absent or null."""
        value = self.value.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return type(self)(f"{self.at}.{name}", value)

    def children(self, name: str) -> list[Self]:
        """A list of objects; empty when absent or null. Raises Invalid otherwise."""
        value = self.value.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(name, "a list of objects")
        return [type(self)(f"{self.at}.{name}[{index}]", item) for index, item in enumerate(value)]

    def decimal(self, name: str) -> Decimal:
        """A finite amount that fits decimal(20, 6), written as text or number. Raises Invalid otherwise."""
        value = self.value.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.wrong(name, self.number)
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            raise self.wrong(name, self.number) from None
        if not number.is_finite() or abs(number) >= LARGEST:
            raise self.wrong(name, self.size)
        if number != number.quantize(SCALE):
            raise self.wrong(name, self.places)
        return number

    def optional_decimal(self, name: str) -> Decimal | None:
        """As `decimal`; None when it is not given."""
        return None if self.value.get(name) in self.nothing else self.decimal(name)


def parse_object(what: str, body: bytes) -> dict[str, Any]:
    """The JSON object that is the body of `what`. Raises Invalid when it is none."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"{what}: the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Invalid(f"{what}: the body is a JSON {type(value).__name__}, not an object")
    return value


def wrong_field(at: str, holder: Mapping[str, Any], name: str, expected: str) -> Invalid:
    """The error that names the field `name` of the object at the path `at`, and what it is instead."""
    found = holder.get(name, _MISSING)
    what = "is missing" if found is _MISSING else f"is {type(found).__name__} {str(found)[:40]!r}"
    return Invalid(f"{at}.{name} {what}", hint=f"expected {expected}")
