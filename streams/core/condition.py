"""When a flow applies: a few typed comparisons on fields of the canonical record, all of which must hold. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

Operand = str | bool | Decimal | datetime | tuple[str, ...]


class Operator(StrEnum):
    """How a field is compared."""

    IN = "in"  # with several values; it is one of them
    NOT_IN = "not_in"  # it is none of them; a field without a value is none of them
    AT_LEAST = "at_least"  # numbers
    AT_MOST = "at_most"
    AFTER = "after"  # times; not that very moment
    BEFORE = "before"
    EXISTS = "exists"  # whether it has a value; an empty text, list or map is none


@dataclass(frozen=True, slots=True)
class Comparison:
    """One field. `path`: names from the record inwards; `operand`: texts for IN and NOT_IN, a Decimal, an aware
    datetime, or a bool for EXISTS."""

    path: tuple[str, ...]
    operator: Operator
    operand: Operand

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Whether the record, as the codec decodes it, is as compared. A field without a value compares with nothing:
        only NOT_IN and `EXISTS false` hold of it."""
        value: Any = record
        for name in self.path:
            value = value.get(name) if isinstance(value, Mapping) else None
        if self.operator is Operator.EXISTS:
            return (value not in (None, "", [], {})) is self.operand
        if value is None:
            return self.operator is Operator.NOT_IN
        return _COMPARE[self.operator](value, self.operand)

    def __str__(self) -> str:
        if isinstance(self.operand, tuple):
            told = ", ".join(self.operand)
        elif isinstance(self.operand, datetime):
            told = self.operand.isoformat()
        else:
            told = str(self.operand).lower()
        return f"{'.'.join(self.path)} {self.operator.value} {told}"


@dataclass(frozen=True, slots=True)
class Condition:
    """All comparisons must hold; without any it always does."""

    comparisons: tuple[Comparison, ...] = ()

    def holds(self, record: Mapping[str, Any]) -> bool:
        """Whether a decoded canonical record meets it."""
        return all(one.holds(record) for one in self.comparisons)

    def __bool__(self) -> bool:
        return bool(self.comparisons)

    def __str__(self) -> str:
        return " and ".join(map(str, self.comparisons)) or "always"


def as_text(value: Any) -> str:
    """A value as conditions name it: true and false as YAML writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


_COMPARE: Mapping[Operator, Callable[[Any, Any], bool]] = {
    Operator.IN: lambda held, wanted: as_text(held) in wanted,
    Operator.NOT_IN: lambda held, wanted: as_text(held) not in wanted,
    Operator.AT_LEAST: lambda held, wanted: bool(held >= wanted),
    Operator.AT_MOST: lambda held, wanted: bool(held <= wanted),
    Operator.AFTER: lambda held, wanted: bool(held > wanted),
    Operator.BEFORE: lambda held, wanted: bool(held < wanted),
}
ALWAYS = Condition()
