"""Reading vendor JSON: every getter checks the type and names the path at fault. Pure.

The webservice writes numbers as text, a missing value as "", "0", null or false, multilingual fields as a list of
{id, value} (or as plain text in a shop with one language) and an empty association as [] or "".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from connectors.kit.errors import Invalid
from connectors.kit.jsonbody import parse_object, wrong_field
from connectors.prestashop import times

_LARGEST = Decimal(10) ** 14  # what the schemas' decimal(20, 6) holds before the point
_SCALE = Decimal("0.000001")


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON object inside a body. `at` is its path, e.g. products.4.product."""

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
        """A list of objects; empty when absent or one of the vendor's empty values. Raises Invalid otherwise."""
        value = self.value.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(name, "a list of objects")
        return [Node(f"{self.at}.{name}[{index}]", item) for index, item in enumerate(value)]

    def association(self, name: str) -> list[Node]:
        """The entries of an association. Raises Invalid when it is not a list of objects."""
        held = self.value.get("associations") or {}
        if not isinstance(held, dict):
            raise self.wrong("associations", "an object")
        return Node(f"{self.at}.associations", held).children(name)

    def id(self, name: str) -> str:
        """A remote id above 0, as decimal text. Raises Invalid otherwise."""
        found = self.optional_id(name)
        if found is None:
            raise self.wrong(name, "an id")
        return found

    def optional_id(self, name: str) -> str | None:
        """As `id`; None when absent, empty, false or 0. Raises Invalid otherwise."""
        value = self.value.get(name)
        if value in (None, "", False, 0, "0"):
            return None
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return str(value)
        if isinstance(value, str) and value.isascii() and value.isdecimal():
            return str(int(value))
        raise self.wrong(name, "an id")

    def text(self, name: str) -> str:
        """Text without surrounding white space; "" when absent, null or false. Raises Invalid otherwise."""
        value = self.value.get(name)
        if value is None or value is False:
            return ""
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value).strip()
        raise self.wrong(name, "text")

    def title(self, name: str, language: str) -> str | None:
        """One language of a multilingual field, the first when `language` is empty or not among them; None when it
        is absent or empty. Raises Invalid otherwise."""
        value = self.value.get(name)
        if not isinstance(value, list):
            return self.text(name) or None
        entries = self.children(name)
        chosen = [entry for entry in entries if entry.text("id") == language] or entries
        return chosen[0].text("value") or None if chosen else None

    def flag(self, name: str) -> bool:
        """Raises Invalid when it is not 0, 1 or a boolean."""
        value = self.value.get(name)
        if value in (True, "1", 1):
            return True
        if value in (False, "0", 0, ""):
            return False
        raise self.wrong(name, "0 or 1")

    def decimal(self, name: str) -> Decimal:
        """A finite amount that fits decimal(20, 6), written as text or number. Raises Invalid otherwise."""
        value = self.value.get(name)
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise self.wrong(name, "a decimal number")
        try:
            number = Decimal(str(value).strip())
        except InvalidOperation:
            raise self.wrong(name, "a decimal number") from None
        if not number.is_finite() or abs(number) >= _LARGEST:
            raise self.wrong(name, "a finite number of at most 14 digits before the point")
        if number != number.quantize(_SCALE):
            raise self.wrong(name, "at most 6 digits behind the point")
        return number

    def optional_decimal(self, name: str) -> Decimal | None:
        """As `decimal`; None when absent, null or empty."""
        return None if self.value.get(name) in (None, "", False) else self.decimal(name)

    def integer(self, name: str) -> Decimal:
        """A whole number, which may be negative. Raises Invalid otherwise."""
        number = self.decimal(name)
        if number != number.to_integral_value():
            raise self.wrong(name, "a whole number")
        return number

    def moment(self, name: str, zone: ZoneInfo) -> tuple[int, str]:
        """Microseconds UTC and the text of a shop time. Raises Invalid otherwise."""
        text = self.value.get(name)
        try:
            at = times.micros(text, zone) if isinstance(text, str) else None
        except ValueError:
            at = None
        if at is None or not isinstance(text, str):
            raise self.wrong(name, "a time such as 2026-03-01 12:00:00")
        return at, text


def scaled(number: Decimal) -> Decimal:
    """Six digits behind the point, as the schemas hold it."""
    return number.quantize(_SCALE)
