"""Laws of cutting encoded records: what is cut and joined is what would be decoded, changed and encoded."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.avrobytes import long, text
from schemas.codec import FRAME_SIZE, Codec, CodecError, Schema, Undecodable, load
from schemas.cutting import Cutter
from schemas.entities import EntityType
from schemas.registry import MemorySchemas
from streams.resolver.merging import META
from tests.property.schema_records import records_of

CODEC = Codec(MemorySchemas())
KINDS = [kind.value for kind in EntityType]
CUTTERS = {name: Cutter(CODEC, name) for name in KINDS}
PRODUCT = CUTTERS["product"]
pairs = st.sampled_from(KINDS).flatmap(lambda name: st.tuples(st.just(name), records_of(name), records_of(name)))
products = records_of("product")


def _names(schema: str) -> list[str]:
    return [field["name"] for field in load(schema)["fields"]]


@pytest.mark.parametrize("name", KINDS)
def test_every_entity_begins_with_whose_word_it_is(name: str) -> None:
    assert _names(name)[0] == META


@settings(max_examples=200)
@given(pairs, st.data())
def test_taking_fields_of_another_record_is_joining_slices(
    pair: tuple[str, dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    name, one, other = pair
    cutter, names = CUTTERS[name], _names(name)
    taken = data.draw(st.sets(st.sampled_from(names)))
    ours, theirs = cutter.cut(CODEC.encode(name, one)), cutter.cut(CODEC.encode(name, other))
    joined = cutter.join(theirs[at] if field in taken else ours[at] for at, field in enumerate(names))
    assert CODEC.decode(joined) == one | {field: other[field] for field in taken}


@settings(max_examples=200)
@given(pairs)
def test_slices_are_equal_exactly_where_the_fields_are(pair: tuple[str, dict[str, Any], dict[str, Any]]) -> None:
    name, one, other = pair
    cut = [CUTTERS[name].cut(CODEC.encode(name, record)) for record in (one, other)]
    for at, field in enumerate(_names(name)):
        assert (cut[0][at] == cut[1][at]) == (one[field] == other[field])


@given(products.filter(lambda record: len(record["extra"]) > 1))
def test_the_order_of_a_map_is_nothing(record: dict[str, Any]) -> None:
    turned = record | {"extra": dict(reversed(record["extra"].items()))}
    assert PRODUCT.cut(CODEC.encode("product", turned)) == PRODUCT.cut(CODEC.encode("product", record))


@given(pairs, st.data())
def test_a_record_cut_off_anywhere_is_a_codec_error(
    pair: tuple[str, dict[str, Any], dict[str, Any]], data: st.DataObject
) -> None:
    whole = CODEC.encode(*pair[:2])
    with pytest.raises(CodecError):
        CUTTERS[pair[0]].cut(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(Undecodable):
        CUTTERS[pair[0]].cut(whole + b"\0")


@settings(max_examples=300)
@given(st.sampled_from(KINDS), st.binary(max_size=200))
def test_garbage_is_cut_or_is_a_codec_error_and_nothing_else(name: str, garbage: bytes) -> None:
    for data in (garbage, CODEC.frame(name) + garbage):
        try:
            CUTTERS[name].cut(data)
        except CodecError:
            continue


@given(products, st.lists(st.text(max_size=9), min_size=1, max_size=3))
def test_blocks_that_name_their_size_are_read(record: dict[str, Any], tags: list[str]) -> None:
    fields = PRODUCT.cut(CODEC.encode("product", record | {"extra": {}}))
    items = b"".join(map(text, tags))
    at = _names("product").index("tags")
    sized = long(-len(tags)) + long(len(items)) + items + b"\0"
    joined = PRODUCT.join((*fields[:at], sized, *fields[at + 1 :]))
    assert PRODUCT.cut(joined)[at] == sized
    assert CODEC.decode(joined)["tags"] == tags


@pytest.mark.parametrize(
    ("field", "slice_"), [("status", b"\x08"), ("status", b"\x01"), ("title", b"\x04"), ("title", b"\x02\x01")]
)
def test_a_value_that_no_schema_allows_is_refused(field: str, slice_: bytes) -> None:
    fields = [b"\0"] * len(_names("product"))
    fields[0] = bytes(23)  # a meta of zeros
    PRODUCT.cut(PRODUCT.join(fields))
    fields[_names("product").index(field)] = slice_
    with pytest.raises(Undecodable):
        PRODUCT.cut(PRODUCT.join(fields))


class _Another(MemorySchemas):
    """Knows the product as a newer release writes it: with a field more, at another place."""

    def schema_of(self, schema_id: int) -> Schema:
        if schema_id != NEWER:
            return super().schema_of(schema_id)
        schema = copy.deepcopy(load("product"))
        schema["fields"].insert(1, {"name": "season", "type": "string"})
        return schema


NEWER = 4_711


@given(products)
def test_what_another_schema_wrote_is_cut_as_the_local_one_writes_it(record: dict[str, Any]) -> None:
    codec = Codec(_Another())
    cutter = Cutter(codec, "product")
    own = cutter.cut(codec.encode("product", record))
    as_written = PRODUCT.join(PRODUCT.cut(CODEC.encode("product", record)))[FRAME_SIZE:]
    meta = len(own[0])
    newer = b"\0" + NEWER.to_bytes(4, "big") + as_written[:meta] + text("winter") + as_written[meta:]
    assert codec.decode(newer)["season"] == "winter"
    assert cutter.cut(newer) == own
