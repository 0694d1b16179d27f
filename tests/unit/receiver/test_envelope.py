"""Names and times of outsiders' headers."""

from __future__ import annotations

import pytest

from connectors.kit.contract import Account, Delivery, DeliveryFacts
from schemas.codec import Codec
from schemas.registry import MemorySchemas
from streams.receiver.envelope import RawRecords
from streams.receiver.producer import Record
from tests.property.test_receiver_envelope import KeepsAll

AT = 1_772_366_400_000_042


def record(facts: DeliveryFacts, account: str = "shop") -> Record:
    owner = Account("acme & sons", account, "shopify", "https://shop.example")
    return RawRecords(Codec(MemorySchemas())).make(owner, KeepsAll(()), Delivery({}, b"{}", AT), facts)


def attributes(facts: DeliveryFacts) -> dict[str, str]:
    return {name: value.decode() for name, value in record(facts).headers}


def test_the_source_is_a_uri_reference_whatever_the_tenants_name() -> None:
    assert attributes(DeliveryFacts("d-1", "t"))["ce_source"] == "//shopify/acme%20%26%20sons/shop"


@pytest.mark.parametrize(
    ("topic", "name"),
    [("orders/updated", "orders.updated"), ("app_uninstalled", "app-uninstalled"), ("", ""), ("//a", "a")],
)
def test_the_type_names_platform_and_topic(topic: str, name: str) -> None:
    assert attributes(DeliveryFacts("d-1", topic))["ce_type"] == ".".join(filter(None, ["sluice.raw.shopify", name]))


def test_microseconds_keep_their_zeros() -> None:
    assert attributes(DeliveryFacts("d-1", "t"))["ce_time"] == "2026-03-01T12:00:00.000042Z"


def test_deliveries_of_one_resource_share_a_key_and_others_have_their_own() -> None:
    assert record(DeliveryFacts("d-1", "t", "17")).key == record(DeliveryFacts("d-2", "t", "17")).key == b"shop|17"
    assert record(DeliveryFacts("d-1", "t")).key == b"shop|d-1"
    assert record(DeliveryFacts("b|c", "t"), "a").key != record(DeliveryFacts("c", "t"), "a|b").key


def test_no_attribute_is_missing_or_doubled() -> None:
    names = [name for name, _ in record(DeliveryFacts("d-1", "t")).headers]
    assert sorted(names) == sorted(set(names))
    assert {"ce_specversion", "ce_id", "ce_source", "ce_type"} <= set(names)  # CloudEvents 1.0.2: required
