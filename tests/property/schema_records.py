"""Records of every schema, made from the schemas themselves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import strategies as st

from schemas.codec import Schema, load
from schemas.subjects import registered_names

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(max_size=16),
    "string": TEXT,
    "timestamp-micros": st.integers(0, 2**52).map(lambda micros: EPOCH + timedelta(microseconds=micros)),
    "decimal": st.integers(-(10**19), 10**19).map(lambda units: Decimal(units).scaleb(-6)),
}


def _values(node: Any, named: dict[str, Schema]) -> st.SearchStrategy[Any]:
    """All values of a type."""
    if isinstance(node, list):
        return st.one_of([_values(branch, named) for branch in node])
    if isinstance(node, str):
        return SIMPLE[node] if node in SIMPLE else _values(named[node], named)
    kind = node["type"]
    if kind == "record":
        named[f"sluice.{node['name']}"] = node
        return st.fixed_dictionaries({field["name"]: _values(field["type"], named) for field in node["fields"]})
    if kind == "enum":
        return st.sampled_from(node["symbols"])
    if kind == "array":
        return st.lists(_values(node["items"], named), max_size=2)
    if kind == "map":
        return st.dictionaries(TEXT, _values(node["values"], named), max_size=2)
    return SIMPLE[node.get("logicalType", kind)]


@cache
def records_of(name: str) -> st.SearchStrategy[dict[str, Any]]:
    """All records of one schema."""
    return _values(load(name), {})


@st.composite
def records(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A schema's name and a record of it."""
    name = draw(st.sampled_from(registered_names()))
    return name, draw(records_of(name))
