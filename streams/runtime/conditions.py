"""Conditions of flows out of a configuration file, checked against the schema of the type they look into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from schemas import codec
from schemas.entities import EntityType
from streams.core.condition import Comparison, Condition, Operand, Operator, as_text
from streams.runtime.document import Document, Node


class Shape(StrEnum):
    """What a field holds, as far as comparing it goes."""

    WORD = "a text"  # texts, enums, true and false
    NUMBER = "a number"
    TIME = "a time"
    RECORD = "a record"
    SEVERAL = "a list or map"


_ALLOWED: Mapping[Shape, tuple[Operator, ...]] = {
    Shape.WORD: (Operator.IN, Operator.NOT_IN, Operator.EXISTS),
    Shape.NUMBER: (Operator.AT_LEAST, Operator.AT_MOST, Operator.EXISTS),
    Shape.TIME: (Operator.AFTER, Operator.BEFORE, Operator.EXISTS),
    Shape.SEVERAL: (Operator.EXISTS,),
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field that can be compared. `symbols`: all values of an enum."""

    shape: Shape
    symbols: tuple[str, ...] = ()


class ConditionReader:
    """Reads the part `when` of flows of one type and notes every problem in the document."""

    def __init__(self, document: Document, entity: EntityType) -> None:
        self._doc = document
        self._fields = _fields_of(entity)

    def read(self, node: Node) -> Condition:
        """`field: value`, `field: [values]` or `field: {operator: value}`; a dot goes into a record."""
        found = self._doc.mapping(node)
        return Condition(tuple(one for path, inner in found.items() for one in self._field(path, inner)))

    def _field(self, path: str, node: Node) -> Iterator[Comparison]:
        field = self._fields.get(path)
        if field is None:
            known = ", ".join(sorted(self._fields))
            self._doc.problem(node, f"{path!r} cannot be compared; allowed: {known}")
            return
        if not isinstance(node.value, dict) and Operator.IN not in _ALLOWED[field.shape]:
            operators = ", ".join(_ALLOWED[field.shape])
            self._doc.problem(node, f"holds {field.shape.value}, so a comparison is needed; allowed: {operators}")
            return
        asked = node.value if isinstance(node.value, dict) else {Operator.IN.value: node}
        for name, inner in self._doc.mapping(Node(asked, node.path, node.line), _ALLOWED[field.shape]).items():
            operand = self._operand(Operator(name), field, inner)
            if operand is not None:
                yield Comparison(tuple(path.split(".")), Operator(name), operand)

    def _operand(self, operator: Operator, field: Field, node: Node) -> Operand | None:
        if operator is Operator.EXISTS:
            return self._doc.flag(node)
        if operator in (Operator.IN, Operator.NOT_IN):
            return self._words(field, node)
        return self._time(node) if operator in (Operator.AFTER, Operator.BEFORE) else self._number(node)

    def _words(self, field: Field, node: Node) -> tuple[str, ...]:
        given = self._doc.items(node)
        if not given:
            self._doc.problem(node, "must name a value")
        if not field.symbols:
            return tuple(self._doc.scalar(one) for one in given)
        named = (self._doc.one_of(one, field.symbols, "a value it can have") for one in given)
        return tuple(name for name in named if name)

    def _number(self, node: Node) -> Decimal | None:
        try:
            number = Decimal(as_text(node.value))
        except InvalidOperation:
            number = Decimal("nan")
        if number.is_finite():
            return number
        self._doc.problem(node, "must be a number")
        return None

    def _time(self, node: Node) -> datetime | None:
        try:
            at = datetime.fromisoformat(str(node.value))
        except ValueError:
            at = None
        if at is not None and at.tzinfo is not None:
            return at
        self._doc.problem(node, "must be a time with its zone; allowed: e.g. 2026-11-21T00:00:00Z")
        return None


def _fields_of(entity: EntityType) -> dict[str, Field]:
    schema = codec.load(entity.value)
    without_meta = {**schema, "fields": [one for one in schema["fields"] if one["name"] != "meta"]}
    return dict(_fields(without_meta, "", dict(_named(schema))))


def _named(node: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every type that the schema defines and may refer to by name afterwards."""
    if isinstance(node, list):
        for one in node:
            yield from _named(one)
    elif isinstance(node, dict):
        if "name" in node and node.get("type") in ("record", "enum"):
            yield node["name"], node
            yield f"{node.get('namespace', 'sluice')}.{node['name']}", node
        for key in ("type", "items", "values", "fields"):
            yield from _named(node.get(key))


def _fields(record: Mapping[str, Any], prefix: str, named: Mapping[str, Any]) -> Iterator[tuple[str, Field]]:
    for one in record["fields"]:
        shape, kind = _shape(one["type"], named)
        if shape is Shape.RECORD:
            yield from _fields(kind, f"{prefix}{one['name']}.", named)
        else:
            yield prefix + one["name"], Field(shape, tuple(kind.get("symbols", ())))


def _shape(kind: Any, named: Mapping[str, Any]) -> tuple[Shape, dict[str, Any]]:
    """What a type holds, nullable or not, and its definition."""
    if isinstance(kind, list):
        kind = next(one for one in kind if one != "null")
    if isinstance(kind, str):
        kind = named.get(kind, {"type": kind})
    if isinstance(kind["type"], dict | list):
        return _shape(kind["type"], named)
    if "timestamp" in kind.get("logicalType", ""):
        return Shape.TIME, kind
    if kind.get("logicalType") == "decimal" or kind["type"] in ("int", "long", "float", "double"):
        return Shape.NUMBER, kind
    return {"record": Shape.RECORD, "array": Shape.SEVERAL, "map": Shape.SEVERAL}.get(kind["type"], Shape.WORD), kind
