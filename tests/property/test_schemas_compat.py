"""Laws of compatibility, against what an Avro implementation really can read."""

from __future__ import annotations

from copy import deepcopy
from io import BytesIO
from typing import Any

import fastavro
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from schemas.codec import load
from schemas.compat import incompatibilities, violations
from schemas.subjects import registered_names
from schemas.topics import Compatibility

NAMES = ("a", "b", "c", "d")
SYMBOLS = ("RED", "BLUE", "NONE")
Typed = tuple[Any, Any, Any]  # a type, a default for a reader's field, a value a writer writes

SCALARS: list[Typed] = [
    ("boolean", False, True),
    ("int", 0, 7),
    ("long", 0, 2**40),
    ("float", 0.5, 1.5),
    ("double", 0.5, 2.5),
    ("string", "", "text"),
    ("bytes", "", b"raw"),
    ({"type": "array", "items": "int"}, [], [1, 2]),
    ({"type": "array", "items": "long"}, [], [2**40]),
    ({"type": "map", "values": "float"}, {}, {"k": 1.5}),
    (["null", "string"], None, "text"),
    (["null", "int"], None, None),
    (["null", "long", "string"], None, 2**40),
    ({"type": "fixed", "name": "Four", "size": 4}, "\0\0\0\0", b"1234"),
    ({"type": "fixed", "name": "Four", "size": 3}, "\0\0\0", b"123"),
]


@st.composite
def enums(draw: st.DrawFn) -> Typed:
    symbols = draw(st.lists(st.sampled_from(SYMBOLS), min_size=1, unique=True))
    schema: dict[str, Any] = {"type": "enum", "name": "Colour", "symbols": symbols}
    if draw(st.booleans()):
        schema["default"] = symbols[0]
    return schema, symbols[0], draw(st.sampled_from(symbols))


@st.composite
def records(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """A record schema and a record of it."""
    fields, value, named = [], {}, set()
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        type_, default, written = draw(st.one_of(st.sampled_from(SCALARS), enums()))
        known = type_.get("name") if isinstance(type_, dict) else None
        if known in named:
            continue
        named |= {known} if known else set()
        field = {"name": name, "type": deepcopy(type_)}
        fields.append(field | {"default": default} if draw(st.booleans()) else field)
        value[name] = written
    return {"type": "record", "name": "Item", "fields": fields}, value


def _write(schema: dict[str, Any], value: dict[str, Any]) -> BytesIO:
    data = BytesIO()
    fastavro.schemaless_writer(data, fastavro.parse_schema(deepcopy(schema)), value)
    data.seek(0)
    return data


@given(records())
def test_a_schema_reads_itself(item: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert incompatibilities(item[0], item[0]) == []


@given(records())
def test_a_new_field_with_a_default_breaks_nothing(item: tuple[dict[str, Any], dict[str, Any]]) -> None:
    schema = item[0]
    grown = schema | {"fields": [*schema["fields"], {"name": "added", "type": "int", "default": 0}]}
    assert violations(Compatibility.FULL_TRANSITIVE, grown, [schema]) == []


@given(records())
def test_a_new_field_without_a_default_breaks_reading_what_is_there(
    item: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    schema = item[0]
    grown = schema | {"fields": [*schema["fields"], {"name": "added", "type": "int"}]}
    assert len(incompatibilities(grown, schema)) == 1
    assert incompatibilities(schema, grown) == []


@settings(max_examples=400)
@given(records(), records())
def test_what_is_called_compatible_an_avro_library_reads(
    writer: tuple[dict[str, Any], dict[str, Any]], reader: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    assume(incompatibilities(reader[0], writer[0]) == [])
    data = _write(*writer)
    parsed = [fastavro.parse_schema(deepcopy(schema)) for schema in (writer[0], reader[0])]
    record = fastavro.schemaless_reader(data, *parsed)
    assert isinstance(record, dict)
    assert set(record) == {field["name"] for field in reader[0]["fields"]}


@given(records(), records(), records())
def test_the_transitive_level_refuses_whatever_the_simple_one_does(
    new: tuple[dict[str, Any], Any], old: tuple[dict[str, Any], Any], older: tuple[dict[str, Any], Any]
) -> None:
    history = [older[0], old[0]]
    simple = set(violations(Compatibility.BACKWARD, new[0], history))
    transitive = set(violations(Compatibility.BACKWARD_TRANSITIVE, new[0], history))
    full = set(violations(Compatibility.FULL_TRANSITIVE, new[0], history))
    assert simple <= transitive <= full


@given(st.sampled_from(registered_names()), st.data())
def test_taking_any_field_without_a_default_out_of_a_real_schema_is_noticed(name: str, data: st.DataObject) -> None:
    schema = load(name)
    at = data.draw(st.integers(0, len(schema["fields"]) - 1))
    field = schema["fields"][at]
    without = schema | {"fields": [other for other in schema["fields"] if other is not field]}
    try:
        reasons = incompatibilities(schema, without)
    except ValueError:
        return  # the field defined a type that a later field uses
    assert bool(reasons) is ("default" not in field)
    if reasons:
        assert reasons[0].startswith(f"sluice.{schema['name']}.{field['name']}: ")
