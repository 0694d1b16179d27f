"""Records of the webservice to canonical observations."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.kit import golden
from connectors.kit.contract import Link, Observation
from connectors.kit.errors import Invalid
from connectors.prestashop import PLATFORM, records
from connectors.prestashop.mapping import DATE_UPD, READ_SEQUENCE
from schemas.entities import Channel, EntityType, Op
from tests.unit.prestashop.support import (
    NOON,
    READ_AT,
    account,
    changed,
    combined_product,
    envelope,
    gone,
    ignored,
    mapped,
    one,
    rows,
    simple_product,
)

STOCK_ROWS = records.stock(rows("stock_availables"))


def stock(remote_id: str, **values: Any) -> Observation:
    """The observation of one stock row of product 4."""
    found = [changed(row, **values) for row in rows("stock_availables")]
    return next(each for each in records.stock(found) if each.resource_id == remote_id)


def order_of(*order_rows: dict[str, Any]) -> Observation:
    """The order with other rows."""
    return records.order(changed(rows("orders")[0], associations={"order_rows": list(order_rows)}))


def test_a_simple_product_is_a_product_a_variant_and_a_price() -> None:
    found = mapped(simple_product())
    assert [(each.type, each.remote_id) for each in found] == [
        (EntityType.PRODUCT, "7"),
        (EntityType.VARIANT, "7:0"),
        (EntityType.PRICE, "7:0"),
    ]
    product, variant, price = found
    assert product.link == Link("DEMO_7")
    assert product.fields["title"] == "Mug The best is yet to come"
    assert product.fields["vendor"] == "Graphic Corner"
    assert product.fields["status"] == "ACTIVE"
    assert product.comparable == golden.comparable_product("Mug The best is yet to come", "ACTIVE")
    assert variant.link == Link("DEMO_7")
    assert variant.fields["barcode"] == "4006381333931"
    assert variant.fields["weight_grams"] == Decimal("300")
    assert variant.fields["requires_shipping"] is True
    assert price.link == Link("DEMO_7~default~EUR")
    assert price.fields["amount"] == {"amount": Decimal("11.9"), "currency": "EUR", "tax": "EXCLUDED"}
    assert price.comparable == ("11.9", "EUR", "EXCLUDED")


def test_a_combination_adds_its_impact_to_the_price_and_the_weight_of_its_product() -> None:
    found = mapped(combined_product())
    assert [each.remote_id for each in found if each.type is EntityType.VARIANT] == ["4:16", "4:17"]
    assert one(found, EntityType.PRICE, "4:16").fields["amount"]["amount"] == Decimal("29")
    assert one(found, EntityType.PRICE, "4:17").fields["amount"]["amount"] == Decimal("49")
    assert one(found, EntityType.VARIANT, "4:17").fields["weight_grams"] == Decimal("750")
    assert one(found, EntityType.VARIANT, "4:16").fields["barcode"] == "036000291452"
    assert one(found, EntityType.VARIANT, "4:16").fields["extra"]["product_option_values"] == "19"


def test_a_product_with_combinations_is_linked_through_their_references_and_not_its_own() -> None:
    product = one(mapped(combined_product()), EntityType.PRODUCT)
    assert product.link == Link("POSTER-40X60")
    assert product.fields["variant_skus"] == ["POSTER-40X60", "POSTER-60X90"]
    assert product.fields["status"] == "DRAFT"


def test_the_clock_is_date_upd_in_the_zone_of_the_shop() -> None:
    for record in mapped(simple_product()):
        assert (record.clock, record.clock_id, record.resolution) == (NOON, DATE_UPD, 1_000_000)
        assert (record.source_time, record.source_time_text) == (NOON, "2026-03-01 12:00:00")
        assert record.sequence == 7
    assert mapped(simple_product(), timezone="America/New_York")[0].clock == NOON + 6 * 3600 * 1_000_000


def test_the_language_of_the_setting_names_the_product() -> None:
    assert mapped(simple_product(), language="2")[0].fields["title"] == "Mug Le meilleur est à venir"
    assert mapped(simple_product(), language="9")[0].fields["title"] == "Mug The best is yet to come"


def test_prices_of_a_shop_with_gross_prices_include_tax() -> None:
    assert one(mapped(simple_product(), price_tax="INCLUDED"), EntityType.PRICE).comparable == (
        "11.9",
        "EUR",
        "INCLUDED",
    )


def test_a_variant_without_reference_has_an_empty_link_and_no_price() -> None:
    found = mapped(simple_product(reference=" "))
    assert one(found, EntityType.VARIANT).link == Link()
    assert one(found, EntityType.PRODUCT).link == Link("shop-2:7")
    assert not [each for each in found if each.type is EntityType.PRICE]


def test_a_product_that_was_never_saved_is_ignored() -> None:
    assert "never saved" in ignored(simple_product(state="0"))


def test_a_stock_row_finds_its_entity_through_its_variant() -> None:
    record = one(mapped(stock("4:16")), EntityType.INVENTORY_LEVEL)
    assert record.link == Link(via=(EntityType.VARIANT, "4:16"), suffix="MAIN")
    assert record.fetch == ("product", "4")
    assert record.aliases == {"variant_id": "4:16", "stock_available_id": "55"}
    assert record.fields["available"] == Decimal(6)
    assert record.comparable == ("6",)


def test_what_a_fetch_could_not_link_is_not_fetched_once_more() -> None:
    assert one(mapped(stock("4:16"), Channel.FETCH), EntityType.INVENTORY_LEVEL).fetch is None


def test_stock_has_no_time_but_that_of_its_read() -> None:
    record = mapped(stock("4:16"))[0]
    assert (record.clock, record.clock_id, record.sequence, record.resolution) == (READ_AT, READ_SEQUENCE, 7, 0)


def test_negative_stock_is_mapped_as_it_is() -> None:
    assert mapped(stock("4:17"))[0].comparable == ("-2",)


def test_the_sum_over_combinations_is_ignored_and_the_row_of_a_simple_product_is_not() -> None:
    assert "sum" in ignored(stock("4:0"))
    alone = records.stock(rows("stock_availables")[:1])
    assert mapped(alone[0])[0].remote_id == "4:0"


def test_the_location_of_the_setting_names_the_stock() -> None:
    assert mapped(stock("4:16"), location="BER")[0].link.suffix == "BER"


def test_an_order_is_linked_to_the_shop_where_it_was_placed() -> None:
    order = mapped(records.order(rows("orders")[0]))[0]
    assert order.link == Link("shop-2:37")
    assert order.fields["number"] == "XKBKNABJK"
    assert (order.fields["status"], order.fields["financial_status"]) == ("OPEN", "PAID")
    assert order.fields["total"] == {"amount": Decimal("49.9"), "currency": "EUR", "tax": "INCLUDED"}
    assert order.fields["placed_at"] == NOON - 117_000_000
    assert order.fields["customer_remote_id"] == "8"
    assert [(line["line_id"], line["sku"], line["variant_remote_id"]) for line in order.fields["lines"]] == [
        ("61", "POSTER-40X60", "4:16"),
        ("62", None, "7:0"),
    ]
    assert order.fields["lines"][1]["quantity"] == Decimal(2)


def test_a_state_of_the_merchants_own_is_unknown_until_a_setting_says_what_it_means() -> None:
    custom = records.order(changed(rows("orders")[0], current_state="42"))
    assert mapped(custom)[0].fields["status"] == "UNKNOWN"
    assert mapped(custom)[0].fields["status_raw"] == "42"
    told = mapped(custom, order_states="42=CANCELLED/VOIDED/UNFULFILLED")[0].fields
    assert (told["status"], told["financial_status"], told["fulfilment_status"]) == (
        "CANCELLED",
        "VOIDED",
        "UNFULFILLED",
    )


def test_an_order_in_a_currency_nobody_named_is_refused() -> None:
    order = records.order(rows("orders")[0])
    assert mapped(order, currencies="1=USD")[0].fields["total"]["currency"] == "USD"
    with pytest.raises(Invalid, match="id_currency"):
        mapped(order, currencies="2=USD")


def test_a_variant_that_is_gone_takes_its_price_and_its_stock_with_it() -> None:
    found = mapped(gone("combinations", "4:16"))
    assert [(each.type, each.op, each.link) for each in found] == [
        (EntityType.VARIANT, Op.DELETE, Link(via=(EntityType.VARIANT, "4:16"))),
        (EntityType.PRICE, Op.DELETE, Link(via=(EntityType.PRICE, "4:16"))),
        (EntityType.INVENTORY_LEVEL, Op.DELETE, Link(via=(EntityType.VARIANT, "4:16"), suffix="MAIN")),
    ]
    assert {each.clock_id for each in found[:2]} == {DATE_UPD}
    assert all(each.clock == READ_AT and each.sequence == 7 for each in found)


@pytest.mark.parametrize("topic", ["products", "combinations"])
def test_a_product_that_is_gone_is_a_deletion_of_the_product(topic: str) -> None:
    assert [(each.type, each.remote_id, each.op) for each in mapped(gone(topic, "4"))] == [
        (EntityType.PRODUCT, "4", Op.DELETE)
    ]


def test_stock_that_is_gone_is_a_deletion_of_the_level() -> None:
    assert [(each.type, each.clock_id) for each in mapped(gone("stock_availables", "4:16"))] == [
        (EntityType.INVENTORY_LEVEL, READ_SEQUENCE)
    ]


def test_an_order_that_is_not_listed_any_more_is_not_deleted() -> None:
    assert "archived" in ignored(gone("orders", "37"))


def test_a_record_of_presence_says_nothing_by_itself() -> None:
    for observation in records.presence(rows("products_combined")[0], rows("combinations")):
        assert "there" in ignored(observation)


def test_another_topic_is_ignored() -> None:
    assert "carts" in ignored(Observation("carts", "1", b"{}"))


@pytest.mark.parametrize(
    ("observation", "field"),
    [
        (stock("4:16", quantity="many"), r"stock_availables\.4:16\.stock_available\.quantity"),
        (stock("4:16", quantity="1.5"), "quantity"),
        (stock("4:16", quantity=None), "quantity"),
        (simple_product(price="NaN"), r"product\.price"),
        (simple_product(price="1e99"), "price"),
        (simple_product(price="1.1234567"), "6 digits"),
        (simple_product(date_upd="0000-00-00 00:00:00"), "date_upd"),
        (simple_product(date_upd=["2026"]), "date_upd"),
        (simple_product(active="perhaps"), "active"),
        (simple_product(reference={"id": 1}), "reference"),
        (simple_product(associations="x"), "associations"),
        (combined_product(price=None), r"product\.price"),
        (records.order(changed(rows("orders")[0], total_paid_tax_incl="a lot")), "total_paid_tax_incl"),
        (records.order(changed(rows("orders")[0], date_add="yesterday")), "date_add"),
        (records.order(changed(rows("orders")[0], associations={"order_rows": ["x"]})), "order_rows"),
        (order_of({"id": "61", "product_quantity": "1000000000000"}), r"product_quantity.*12 digits"),
        (Observation("products", "4", b"<br />Notice"), "not JSON"),
        (Observation("products", "4", b"[]"), "not an object"),
        (Observation("products", "4", b'{"product": [], "combinations": []}'), "product"),
    ],
)
def test_a_field_that_cannot_be_read_is_named(observation: Observation, field: str) -> None:
    with pytest.raises(Invalid, match=field):
        mapped(observation)


def test_a_combination_of_another_product_is_refused() -> None:
    strange = records.product(rows("products_combined")[0], [changed(rows("combinations")[0], id_product="5")])
    with pytest.raises(Invalid, match="id_product"):
        mapped(strange)


def test_the_same_envelope_maps_to_the_same_records() -> None:
    read = envelope(combined_product())
    assert PLATFORM.mapping.map(account(), read) == PLATFORM.mapping.map(account(), read)


def test_the_mapping_starts_at_revision_one() -> None:
    assert PLATFORM.mapping.revision == 1


def test_caches_and_counters_do_not_change_a_record() -> None:
    quiet = simple_product()
    assert simple_product(quantity="9", indexed="0", position_in_category="1", cache_is_pack="1") == quiet
    assert simple_product(price="12.000000") != quiet


def test_the_order_of_keys_and_combinations_does_not_change_a_record() -> None:
    product = rows("products_combined")[0]
    reversed_keys = dict(reversed(product.items()))
    assert records.product(reversed_keys, rows("combinations")[::-1]) == records.product(product, rows("combinations"))
