from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schemas import identity
from schemas.entities import EntityType
from schemas.identity import GoldenKey, InvalidKey, SourceKey

VECTORS = json.loads((Path(__file__).parents[2] / "data" / "partition_vectors.json").read_text())
HOSTILE = [
    "a|b",
    "a%7Cb",
    "100%",
    "gid://shopify/Product/1",
    "a~b",
    "ä ö",
    "日本",
    "\0",
    "\n",
    "../..",
    "?x=1&y=2",
    "%ff",
]


@pytest.mark.parametrize("id", HOSTILE)
def test_a_hostile_vendor_id_comes_back_from_a_source_key_unchanged(id: str) -> None:
    key = SourceKey("te|nant", EntityType.ORDER, "sh%op", id)
    assert SourceKey.parse(str(key)) == key


@pytest.mark.parametrize("id", HOSTILE)
def test_a_hostile_golden_id_comes_back_from_a_golden_key_unchanged(id: str) -> None:
    key = GoldenKey("te|nant", EntityType.PRICE, id)
    assert GoldenKey.parse(str(key)) == key


def test_a_key_reads_as_its_parts() -> None:
    assert str(GoldenKey("acme", EntityType.VARIANT, "RED-42")) == "acme|variant|RED-42"
    assert str(SourceKey("acme", EntityType.VARIANT, "shop-1", "gid://x/1")) == "acme|variant|shop-1|gid:%2F%2Fx%2F1"


@pytest.mark.parametrize("parts", [("acme", ""), ("",), ("a", "\ud800")])
def test_a_part_that_is_empty_or_no_text_is_refused(parts: tuple[str, ...]) -> None:
    with pytest.raises(InvalidKey):
        identity.join(*parts)


@pytest.mark.parametrize(
    "key", ["", "acme", "acme|price", "acme|price|a|b", "acme|car|a", "|price|a", "acme|price|", "acme|price|%ff"]
)
def test_text_that_is_no_golden_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidKey):
        GoldenKey.parse(key)


@pytest.mark.parametrize(
    "key", ["", "acme|price|a", "acme|price|a|b|c", "acme|car|a|b", "acme|price||b", "a|price|b|%c3"]
)
def test_text_that_is_no_source_key_is_refused(key: str) -> None:
    with pytest.raises(InvalidKey):
        SourceKey.parse(key)


def test_price_and_stock_of_a_sku_share_their_root_and_so_their_partition() -> None:
    price = GoldenKey("acme", EntityType.PRICE, identity.composite("SKU-1", "default", "EUR"))
    stock = GoldenKey("acme", EntityType.INVENTORY_LEVEL, identity.composite("SKU-1", "berlin"))
    variant = GoldenKey("acme", EntityType.VARIANT, identity.composite("SKU-1"))
    assert price.root == stock.root == variant.root
    assert len({identity.golden_partition(str(key), 24) for key in (price, stock, variant)}) == 1


def test_a_tilde_inside_a_component_does_not_move_the_root() -> None:
    key = GoldenKey("acme", EntityType.PRICE, identity.composite("A~B", "default"))
    other = GoldenKey("acme", EntityType.PRICE, identity.composite("A", "B~default"))
    assert key.root != other.root
    assert str(key) != str(other)


@pytest.mark.parametrize("components", [(), ("",), ("", "berlin")])
def test_a_composite_without_a_root_is_refused(components: tuple[str, ...]) -> None:
    with pytest.raises(InvalidKey):
        identity.composite(*components)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (" ab-1 ", "AB-1"),
        ("ab 1", "AB1"),
        ("ab\u00a01", "ab1"),
        ("ab\u200b1", "ab1"),
        ("\ufeffab1", "ab1"),
        ("gru\u0308n", "grün"),
        ("stra\u00dfe", "STRASSE"),
        ("a~b", "a-b"),
    ],
)
def test_skus_that_look_alike_meet(one: str, other: str) -> None:
    assert identity.normalise_sku(one) == identity.normalise_sku(other)


@pytest.mark.parametrize("sku", ["", " ", "\t\n", "\u200b", "\ufeff\u00ad"])
def test_a_sku_without_a_visible_character_is_refused(sku: str) -> None:
    with pytest.raises(InvalidKey):
        identity.normalise_sku(sku)


def test_an_event_id_changes_with_each_of_its_parts_and_nothing_runs_together() -> None:
    ids = {
        identity.event_id("acme", "shop", "d/price/1", 1),
        identity.event_id("acm", "eshop", "d/price/1", 1),
        identity.event_id("acme", "shop", "d/price/1", 2),
        identity.event_id("acme", "shop", "d/price/11", 1),
    }
    assert len(ids) == 4
    assert {len(one) for one in ids} == {16}


def test_accounts_of_two_tenants_with_one_name_have_two_hashes() -> None:
    assert identity.account_hash("acme", "shop") != identity.account_hash("other", "shop")
    assert len(identity.account_hash("acme", "shop")) == 8


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_gives_what_kafkas_own_test_expects(key: bytes, expected: int) -> None:
    """Source: org.apache.kafka.common.utils.UtilsTest.testMurmur2 (Kafka 4.3)."""
    assert identity.murmur2(key) == expected & 0xFFFFFFFF


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["key"][:24] or "empty")
def test_hash_and_partitions_are_those_of_kafkas_java_producer(vector: dict[str, Any]) -> None:
    key = bytes.fromhex(vector["key"])
    assert identity.murmur2(key) == vector["murmur2"] & 0xFFFFFFFF
    assert [identity.partition(key, count) for count in VECTORS["counts"]] == vector["partitions"]


def test_the_vectors_hold_golden_roots_and_account_keys() -> None:
    known = {bytes.fromhex(vector["key"]) for vector in VECTORS["vectors"]}
    assert identity.join("acme", "shopify-7").encode() in known
    assert identity.account_partition("acme", "shopify-7", 6) == identity.partition(b"acme|shopify-7", 6)
    assert len(known) > 250
