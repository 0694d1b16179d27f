from __future__ import annotations

import struct
from typing import Any

import orjson
import pytest

from schemas import codec
from schemas.codec import Codec, Undecodable, Unencodable, UnknownSchema
from schemas.registry import MemoryRegistry, MemorySchemas
from tests.unit.schemas.examples import a_price


@pytest.fixture
def registry() -> MemoryRegistry:
    return MemoryRegistry()


@pytest.fixture
def prices() -> Codec:
    return Codec(MemorySchemas())


def test_a_record_comes_back_as_it_was_encoded(prices: Codec) -> None:
    assert prices.decode(prices.encode("price", a_price())) == a_price()


def test_the_frame_is_a_zero_and_the_schema_id(prices: Codec) -> None:
    source = MemorySchemas()
    frame = prices.encode("price", a_price())[:5]
    assert frame == struct.pack(">bI", 0, source.id_of("price"))
    assert prices.schema_name(frame) == "sluice.Price"


def test_decode_many_gives_what_decode_gives_across_types(prices: Codec) -> None:
    request = {
        "tenant": "acme", "account": "shop-1", "platform": "shopify", "resource": "order", "remote_id": "1",
        "reason": "hint", "lane": "high", "requested_at": a_price()["meta"]["received_at"], "cause": "x",
    }  # fmt: skip
    one, two = prices.encode("price", a_price()), prices.encode("fetch_request", request)
    values = [one, one, two, one, two, two]
    assert prices.decode_many(values) == [prices.decode(value) for value in values]
    assert prices.decode_many([]) == []


BROKEN: dict[str, Any] = {
    "empty": b"",
    "only a frame's beginning": b"\0\0\0",
    "another magic byte": b"\1\0\0\0\1x",
    "JSON": b'{"sku": "x"}',
    "no body": b"\0\0\0\0\1",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_not_the_wire_format_is_undecodable(prices: Codec, data: bytes) -> None:
    with pytest.raises(Undecodable):
        prices.decode(data)
    with pytest.raises(Undecodable):
        prices.decode_many([prices.encode("price", a_price()), data])


def test_a_body_cut_anywhere_is_undecodable(prices: Codec) -> None:
    whole = prices.encode("price", a_price())
    for length in range(len(whole)):
        with pytest.raises(Undecodable):
            prices.decode(whole[:length])


def test_bytes_after_the_record_are_undecodable(prices: Codec) -> None:
    with pytest.raises(Undecodable, match="reads"):
        prices.decode(prices.encode("price", a_price()) + b"\0")


def test_an_id_nobody_gave_out_is_an_unknown_schema(prices: Codec) -> None:
    with pytest.raises(UnknownSchema, match="4711"):
        prices.decode(struct.pack(">bI", 0, 4711) + b"body")


def test_a_schema_at_the_registry_that_is_no_avro_is_an_unknown_schema(registry: MemoryRegistry) -> None:
    schema_id = registry.register("broken", '{"type": "nonsense"}')
    with pytest.raises(UnknownSchema, match="nonsense"):
        Codec(MemorySchemas(registry)).decode(struct.pack(">bI", 0, schema_id) + b"body")


def test_a_record_of_an_older_version_is_decoded_with_its_writers_schema(registry: MemoryRegistry) -> None:
    """Nothing is projected: fields the old writer did not have are absent, fields we have dropped are still there."""
    old = {
        "type": "record", "name": "Price", "namespace": "sluice",
        "fields": [{"name": "sku", "type": "string"}, {"name": "dropped", "type": "int"}],
    }  # fmt: skip
    schema_id = registry.register("sluice.Price", orjson.dumps(old).decode())
    body = b"\x0aSKU-1" + b"\x54"
    assert Codec(MemorySchemas(registry)).decode(struct.pack(">bI", 0, schema_id) + body) == {
        "sku": "SKU-1",
        "dropped": 42,
    }


@pytest.mark.parametrize(
    "record",
    [
        a_price(sku=None),
        {name: value for name, value in a_price().items() if name != "sku"},
        a_price(skuu="misspelt"),
        a_price(amount={"amount": "12.50", "currency": "EUR", "tax": "SOMETIMES"}),
    ],
)
def test_a_record_that_does_not_fit_is_unencodable_and_names_its_schema(prices: Codec, record: dict[str, Any]) -> None:
    with pytest.raises(Unencodable, match="'price'"):
        prices.encode("price", record)


def test_a_field_with_a_default_may_be_left_out(prices: Codec) -> None:
    without = {name: value for name, value in a_price().items() if name not in ("compare_at", "extra")}
    assert prices.decode(prices.encode("price", without)) == a_price(compare_at=None, extra={})


def test_schemas_are_self_contained() -> None:
    price = codec.load("price")
    assert price["fields"][0]["type"]["name"] == "Meta"
    assert price["fields"][3]["type"]["name"] == "Money"
    assert price["fields"][4]["type"] == ["null", "sluice.Money"]
