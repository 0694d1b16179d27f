"""One product delivery becomes a product, its variants and their prices."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from connectors.kit.contract import Envelope, Ignored, Link, Mapped
from connectors.kit.errors import Invalid, Misconfigured
from connectors.shopify import PLATFORM
from schemas.entities import Channel, Completeness, EntityType, Op
from tests.unit.shopify.support import NOON, TRIGGERED, TRIGGERED_NANOS, account, body, fetched, mapped, one, webhook

UPDATE = body("products_update")
PRODUCT_ID = "788032119674292922"


def update(**changes: Any) -> list[Mapped]:
    return mapped(webhook("products/update", body("products_update", **changes)))


def first_variant(**changes: Any) -> list[Mapped]:
    """The delivery with changes to its first variant."""
    value = orjson.loads(UPDATE)
    value["variants"][0] |= changes
    return mapped(webhook("products/update", orjson.dumps(value)))


def test_a_delivery_fans_out_to_product_variants_and_prices() -> None:
    kinds = [record.type.value for record in mapped(webhook("products/update", UPDATE))]
    assert kinds == ["product", "variant", "price", "variant", "price"]


def test_golden_ids_come_from_normalised_skus() -> None:
    links = [record.link.golden_id for record in mapped(webhook("products/update", UPDATE))]
    assert links == ["TEE-L", "TEE-M", "TEE-M~default~EUR", "TEE-L", "TEE-L~default~EUR"]


def test_a_product_carries_its_canonical_fields() -> None:
    product = one(mapped(webhook("products/update", UPDATE)), EntityType.PRODUCT)
    assert product.remote_id == PRODUCT_ID
    assert product.fields == {
        "title": "Shirt",
        "description_html": "<p>A shirt.</p>",
        "status": "ACTIVE",
        "status_raw": "active",
        "vendor": "Acme",
        "product_type": "Shirts",
        "tags": ["cotton", "summer"],
        "handle": "shirt",
        "variant_skus": ["TEE-L", "TEE-M"],
        "extra": {},
    }
    assert product.comparable == ("Shirt", "ACTIVE")


def test_a_variant_is_known_as_its_inventory_item_too() -> None:
    variant = mapped(webhook("products/update", UPDATE))[1]
    assert variant.remote_id == "642667041472713922"
    assert variant.known_as == ("inventory_item:49148385",)
    assert variant.aliases == {"product_id": PRODUCT_ID, "inventory_item_id": "49148385"}
    assert variant.fields == {
        "product_remote_id": PRODUCT_ID,
        "sku": " tee-m ",
        "barcode": "4006381333931",
        "options": {"Size": "M", "Colour": "Blue"},
        "weight_grams": Decimal("250.000"),
        "requires_shipping": True,
        "extra": {},
    }
    assert variant.comparable == ("TEE-M", "4006381333931")


def test_a_price_has_the_shops_currency_and_tax_basis() -> None:
    price = mapped(webhook("products/update", UPDATE))[2]
    assert price.remote_id == "642667041472713922:EUR"
    assert price.fields["amount"] == {"amount": Decimal("19.99"), "currency": "EUR", "tax": "INCLUDED"}
    assert price.fields["compare_at"]["amount"] == Decimal("24.99")
    assert price.comparable == ("19.99", "EUR", "INCLUDED")
    assert mapped(webhook("products/update", UPDATE))[4].comparable == ("19.9", "EUR", "INCLUDED")


def test_the_clock_is_the_records_own_time_of_change_and_the_trigger_breaks_ties() -> None:
    product, variant, price, *_ = mapped(webhook("products/update", UPDATE))
    assert (product.clock, product.clock_id, product.resolution) == (NOON, "updated_at", 1_000_000)
    assert variant.clock == price.clock == NOON - 2_000_000
    assert product.sequence == price.sequence == TRIGGERED_NANOS
    assert (product.source_time, product.source_time_text) == (NOON, "2026-03-01T12:00:00+01:00")


def test_a_delivery_without_trigger_time_has_sequence_zero() -> None:
    envelope = webhook("products/update", UPDATE, **{"x-shopify-triggered-at": ""})
    assert {record.sequence for record in mapped(envelope)} == {0}


def test_a_webhook_and_a_read_of_one_product_agree_on_everything_but_the_sequence() -> None:
    pushed = mapped(webhook("products/update", UPDATE))
    seen = mapped(fetched("product", body("read_product")))
    facts = [(record.type, record.remote_id, record.link, record.clock, record.fields) for record in pushed]
    assert facts == [(record.type, record.remote_id, record.link, record.clock, record.fields) for record in seen]
    assert [record.comparable for record in pushed] == [record.comparable for record in seen]
    assert [record.aliases for record in pushed] == [record.aliases for record in seen]
    assert {record.sequence for record in seen} == {7}


@pytest.mark.parametrize("sku", ["", "   ", None])
def test_a_variant_without_sku_is_left_unlinked_and_its_siblings_go_on(sku: str | None) -> None:
    records = first_variant(sku=sku)
    assert [record.type.value for record in records] == ["product", "variant", "variant", "price"]
    assert records[1].link == Link()
    assert records[2].link.golden_id == records[0].link.golden_id == "TEE-L"


def test_a_product_without_any_sku_belongs_to_its_account() -> None:
    product = one(update(variants=[], variant_gids=[]), EntityType.PRODUCT)
    assert product.link.golden_id == f"shop-1:{PRODUCT_ID}"


def test_a_product_whose_payload_leaves_variants_out_is_a_hint_to_read_it() -> None:
    product = update(variant_gids=[{"admin_graphql_api_id": str(number)} for number in range(3)])[0]
    assert product.completeness is Completeness.HINT
    assert product.fetch == ("product", PRODUCT_ID)
    assert product.link.via == (EntityType.PRODUCT, PRODUCT_ID)


@pytest.mark.parametrize(("word", "status"), [("draft", "DRAFT"), ("archived", "ARCHIVED"), ("unlisted", "UNKNOWN")])
def test_an_unknown_status_keeps_its_own_word(word: str, status: str) -> None:
    product = one(update(status=word), EntityType.PRODUCT)
    assert (product.fields["status"], product.fields["status_raw"]) == (status, word)


def test_a_deleted_product_links_through_what_is_known_of_it_and_dates_from_the_trigger() -> None:
    (gone,) = mapped(webhook("products/delete", body("products_delete")))
    assert (gone.op, gone.type, gone.link.via) == (Op.DELETE, EntityType.PRODUCT, (EntityType.PRODUCT, PRODUCT_ID))
    assert (gone.clock, gone.source_time_text, gone.fetch) == (TRIGGERED_NANOS // 1000, TRIGGERED, None)


def test_a_product_a_read_found_gone_dates_from_the_start_of_the_read() -> None:
    (gone,) = mapped(fetched("product", b'{"id":"788032119674292922"}', Op.DELETE))
    assert (gone.op, gone.clock, gone.sequence) == (Op.DELETE, NOON + 5_000_000, 7)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"id": None}, r"products/update: \$\.variants\[0\]\.id"),
        ({"id": True}, r"\$\.variants\[0\]\.id is bool"),
        ({"price": None}, r"\$\.variants\[0\]\.price is NoneType"),
        ({"price": "NaN"}, r"\$\.variants\[0\]\.price"),
        ({"price": "1" * 15}, r"\$\.variants\[0\]\.price"),
        ({"price": "0.0000001"}, r"\$\.variants\[0\]\.price"),
        ({"updated_at": "2026-03-01 12:00:00"}, r"\$\.variants\[0\]\.updated_at"),
        ({"sku": 17}, r"\$\.variants\[0\]\.sku is int '17'"),
        ({"inventory_item_id": "abc"}, r"\$\.variants\[0\]\.inventory_item_id"),
        ({"weight_unit": "stone"}, r"\$\.variants\[0\]\.weight_unit"),
    ],
)
def test_a_field_of_the_wrong_kind_is_refused_by_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid, match=path):
        first_variant(**change)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"null", b'{"variants": {}}'])
def test_a_body_that_is_no_product_is_refused_with_its_topic(payload: bytes) -> None:
    with pytest.raises(Invalid, match="products/create"):
        mapped(webhook("products/create", payload))


def test_a_missing_currency_names_the_setting() -> None:
    with pytest.raises(Misconfigured, match="setting 'currency'"):
        mapped(webhook("products/update", UPDATE), currency="")


@pytest.mark.parametrize("topic", ["customers/redact", "app/uninstalled", "carts/update"])
def test_a_topic_without_entity_is_ignored(topic: str) -> None:
    assert isinstance(PLATFORM.mapping.map(account(), webhook(topic, b"not even JSON")), Ignored)


def test_what_a_webhook_says_can_be_read_again_where_it_must_not_be_obeyed() -> None:
    """A version from the future is quarantined and fetched: every record with a SKU says where from."""
    product_id = str(orjson.loads(UPDATE)["id"])
    assert {record.fetch for record in mapped(webhook("products/update", UPDATE))} == {("product", product_id)}


def gone(sku: str) -> Envelope:
    """What the courier emits when a complete list of SKUs lacks one."""
    return replace(fetched("sku", b"", Op.DELETE), channel=Channel.POLL, resource_id=sku)


def test_a_sku_that_is_gone_takes_everything_with_it_that_is_named_by_it() -> None:
    records = mapped(gone(" tee-m "))
    assert {(record.type.value, record.link.golden_id, record.op) for record in records} == {
        ("variant", "TEE-M", Op.DELETE),
        ("price", "TEE-M~default~EUR", Op.DELETE),
        ("product", "TEE-M", Op.DELETE),
        ("inventory_level", "TEE-M~BER", Op.DELETE),
        ("inventory_level", "TEE-M~MUC", Op.DELETE),
    }


def test_a_sku_that_is_there_says_nothing_more() -> None:
    assert isinstance(PLATFORM.mapping.map(account(), fetched("sku", b'{"sku": "TEE-M"}')), Ignored)
