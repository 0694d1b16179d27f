"""Shipments and stock become fulfilments and stock levels."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit import golden
from connectors.kit.contract import Ignored
from connectors.kit.errors import Invalid, SluiceError
from connectors.threepl import PLATFORM
from schemas.codec import Codec
from schemas.entities import Channel, EntityType, Op
from schemas.registry import MemorySchemas
from tests.unit.schemas.examples import a_meta
from tests.unit.threepl.support import NOON, SHIPMENT, STOCK, a_shipment, account, envelope, mapped


def test_a_shipment_is_the_fulfilment_of_the_order_its_reference_names() -> None:
    (found,) = mapped("shipments", SHIPMENT)
    assert (found.type, found.remote_id) == (EntityType.FULFILMENT, "SHP-7")
    order = golden.order("shop-1", "1001")
    assert found.link.golden_id == golden.fulfilment(order, "warehouse", "SHP-7")
    assert found.fields == {
        "order": order,
        "status": "SHIPPED",
        "status_raw": "shipped",
        "lines": [
            {"line_id": "11", "sku": "TEE-M", "quantity": Decimal(2)},
            {"line_id": None, "sku": "CAP", "quantity": Decimal(1)},
        ],
        "carrier": "DHL",
        "tracking": [
            {"number": "JJD1", "url": "https://track.example/JJD1"},
            {"number": "JJD2", "url": None},
        ],
        "shipped_at": NOON + 250_000,
        "delivered_at": None,
        "extra": {},
    }


def test_the_vendors_own_count_of_changes_is_the_clock() -> None:
    for topic, record, clock in (("shipments", SHIPMENT, 3), ("stock", STOCK, 12)):
        (found,) = mapped(topic, record)
        assert (found.clock, found.clock_id, found.resolution) == (clock, PLATFORM.clocks[found.type], 0)
    assert mapped("shipments", SHIPMENT)[0].source_time == NOON + 250_000


def test_a_webhook_says_what_a_read_says() -> None:
    event = {"id": "evt_1", "type": "shipment.updated", "data": SHIPMENT}
    heard = PLATFORM.mapping.map(account(), envelope("shipment.updated", event, Channel.WEBHOOK))
    assert heard == mapped("shipments", SHIPMENT)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("packed", "PENDING"),
        ("delivered", "DELIVERED"),
        ("cancelled", "CANCELLED"),
        ("lost", "UNKNOWN"),
        (None, "UNKNOWN"),
    ],
)
def test_a_status_nobody_knows_is_kept_in_its_own_word(word: str | None, status: str) -> None:
    (found,) = mapped("shipments", a_shipment(status=word))
    assert (found.fields["status"], found.fields["status_raw"]) == (status, word)


@pytest.mark.parametrize("reference", ["by hand", "shop-1:", ":1001", "shop-1:10~01"])
def test_a_shipment_of_an_order_that_is_not_ours_is_none_of_our_business(reference: str) -> None:
    found = PLATFORM.mapping.map(account(), envelope("shipments", a_shipment(order_reference=reference)))
    assert isinstance(found, Ignored)


def test_stock_stands_at_the_location_that_the_site_is_called() -> None:
    (found,) = mapped("stock", STOCK, warehouses="HAM1=BER")
    assert found.link.golden_id == golden.inventory_level("TEE-M", "BER")
    assert {
        name: found.fields[name] for name in ("sku", "location", "on_hand", "available", "committed", "incoming")
    } == {
        "sku": "TEE-M",
        "location": "BER",
        "on_hand": Decimal(9),
        "available": Decimal(7),
        "committed": Decimal(2),
        "incoming": None,
    }
    assert found.comparable == golden.comparable_inventory_level(Decimal(7))
    assert mapped("stock", STOCK)[0].fields["location"] == "HAM1"


def test_an_absence_says_nothing() -> None:
    for topic, record in (("shipments", SHIPMENT), ("stock", STOCK)):
        assert isinstance(PLATFORM.mapping.map(account(), envelope(topic, record, op=Op.DELETE)), Ignored)
    assert isinstance(PLATFORM.mapping.map(account(), envelope("returns", {})), Ignored)


@pytest.mark.parametrize(
    ("topic", "record", "field"),
    [
        ("shipments", a_shipment(version="3"), "version"),
        ("shipments", a_shipment(updated_at="yesterday"), "updated_at"),
        ("shipments", a_shipment(order_reference=None), "order_reference"),
        ("shipments", a_shipment(lines=[{"sku": "\u200b", "quantity": 1}]), "lines[0].sku"),
        ("shipments", a_shipment(lines=[{"sku": "A", "quantity": -1}]), "lines[0].quantity"),
        ("shipments", a_shipment(tracking=[{"url": "x"}]), "tracking[0].number"),
        ("stock", {**STOCK, "available": None}, "available"),
        ("stock", {**STOCK, "warehouse": ""}, "warehouse"),
        ("shipment.updated", {"id": "evt_1"}, "data"),
    ],
)
def test_what_cannot_be_read_is_named(topic: str, record: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        mapped(topic, record)
    assert field in str(caught.value)


@pytest.mark.parametrize(("topic", "record"), [("shipments", SHIPMENT), ("stock", STOCK)])
def test_every_record_survives_its_schema_with_all_its_fields(topic: str, record: dict[str, Any]) -> None:
    codec = Codec(MemorySchemas())
    (found,) = mapped(topic, record)
    decoded = codec.decode(codec.encode(found.type.value, {"meta": a_meta(), **found.fields}))
    for name, value in found.fields.items():
        if not name.endswith("_at"):  # read back as a datetime
            assert decoded[name] == value, name


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from([("shipments", SHIPMENT), ("stock", STOCK)]),
    st.dictionaries(st.sampled_from(sorted({*SHIPMENT, *STOCK})), _JSON, max_size=4),
)
def test_whatever_a_body_holds_it_is_mapped_or_refused(
    known: tuple[str, dict[str, Any]], values: dict[str, Any]
) -> None:
    topic, record = known
    try:
        PLATFORM.mapping.map(account(), envelope(topic, {**record, **values}))
    except SluiceError as error:
        assert isinstance(error, Invalid)  # noqa: PT017 - whether it is raised depends on the body
