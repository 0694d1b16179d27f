"""Reading vendor JSON: every getter checks the type and names the path at fault. Pure.

The webservice writes numbers as text, a missing value as "", "0", null or false, multilingual fields as a list of
{id, value} (or as plain text in a shop with one language) and an empty association as [] or "".
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Self
from zoneinfo import ZoneInfo

from connectors.kit.jsonbody import SCALE, JsonNode
from connectors.prestashop import times


@dataclass(frozen=True, slots=True)
class Node(JsonNode):
    """A JSON object inside a body. `at` is its path, e.g. products.4.product."""

    size: ClassVar[str] = "a finite number of at most 14 digits before the point"
    places: ClassVar[str] = "at most 6 digits behind the point"
    nothing: ClassVar[tuple[Any, ...]] = (None, "", False)

    def children(self, name: str) -> list[Self]:
        """A list of objects; empty when absent or one of the vendor's empty values. Raises Invalid otherwise."""
        return JsonNode.children(self, name) if self.value.get(name) else []

    def association(self, name: str) -> list[Self]:
        """The entries of an association. Raises Invalid when it is not a list of objects."""
        held = self.value.get("associations") or {}
        if not isinstance(held, dict):
            raise self.wrong("associations", "an object")
        return type(self)(f"{self.at}.associations", held).children(name)

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
    return number.quantize(SCALE)
