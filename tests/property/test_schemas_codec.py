"""Laws of the codec on records that are made from the schemas themselves."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import FRAME_SIZE, Codec, CodecError, Schema, load
from schemas.registry import MemorySchemas
from schemas.subjects import registered_names
from tests.property.schema_records import EPOCH, records

CODEC = Codec(MemorySchemas())


@settings(max_examples=200)
@given(records())
def test_every_record_of_every_schema_comes_back(item: tuple[str, dict[str, Any]]) -> None:
    assert CODEC.decode(CODEC.encode(*item)) == item[1]


@given(st.lists(records(), max_size=6))
def test_decoding_many_is_decoding_each(items: list[tuple[str, dict[str, Any]]]) -> None:
    values = [CODEC.encode(*item) for item in items]
    assert CODEC.decode_many(values) == [CODEC.decode(value) for value in values] == [record for _, record in items]


@given(records(), st.data())
def test_a_record_cut_anywhere_is_a_codec_error(item: tuple[str, dict[str, Any]], data: st.DataObject) -> None:
    whole = CODEC.encode(*item)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    try:
        CODEC.decode(cut)
    except CodecError:
        return
    raise AssertionError(f"{len(cut)} of {len(whole)} bytes were decoded")


@settings(max_examples=300)
@given(st.sampled_from(registered_names()), st.binary(max_size=200))
def test_garbage_is_decoded_or_is_a_codec_error_and_nothing_else(name: str, garbage: bytes) -> None:
    frame = CODEC.encode(name, _example(name))[:FRAME_SIZE]
    for data in (garbage, frame + garbage):
        try:
            CODEC.decode(data)
        except CodecError:
            continue


@cache
def _example(name: str) -> dict[str, Any]:
    """The smallest record: zeros and empty texts."""
    return _smallest(load(name), {})  # type: ignore[no-any-return]


def _smallest(node: Any, named: dict[str, Schema]) -> Any:
    empty: dict[str, Any] = {
        "null": None, "boolean": False, "int": 0, "long": 0, "double": 0.0, "bytes": b"", "string": "", "array": [],
        "map": {}, "timestamp-micros": EPOCH, "decimal": Decimal(0),
    }  # fmt: skip
    if isinstance(node, list):
        return _smallest(node[0], named)
    if isinstance(node, str):
        return empty[node] if node in empty else _smallest(named[node], named)
    if node["type"] == "record":
        named[f"sluice.{node['name']}"] = node
        return {field["name"]: _smallest(field["type"], named) for field in node["fields"]}
    if node["type"] == "enum":
        return node["symbols"][0]
    return empty[node.get("logicalType", node["type"])]
