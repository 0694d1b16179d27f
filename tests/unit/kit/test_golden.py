"""Two platforms meet at one golden id and one fingerprint."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation, localcontext

import pytest

from connectors.kit import golden
from schemas.entities import EntityType, Op
from schemas.identity import GoldenKey, InvalidKey, golden_partition


def test_a_sku_is_one_entity_however_it_is_written() -> None:
    assert golden.variant(" tee - m ") == golden.variant("TEE-M") == "TEE-M"


def test_prices_and_stock_share_the_root_of_their_sku() -> None:
    assert golden.price("tee-m", "EUR") == "TEE-M~default~EUR"
    assert golden.price("tee-m", "EUR", "b2b") == "TEE-M~b2b~EUR"
    assert golden.inventory_level("tee-m", "BER") == "TEE-M~BER"


def test_a_reservation_is_in_the_shard_of_the_level_that_it_takes_from() -> None:
    for sku in ("tee-m", "A|B", "100% wool", "a~b", "日本"):
        level = GoldenKey("acme", EntityType.INVENTORY_LEVEL, golden.inventory_level(sku, "BER"))
        for line in ("1", "2~3", "4|5"):
            name = golden.reservation(sku, "BER", "shop", "42", line)
            assert name.startswith(f"{level.golden_id}~shop~42~")
            taken = GoldenKey("acme", EntityType.RESERVATION, name)
            assert [golden_partition(str(taken), count) for count in (6, 24, 97)] == [
                golden_partition(str(level), count) for count in (6, 24, 97)
            ]


def test_every_order_line_is_a_reservation_of_its_own() -> None:
    assert golden.reservation(" tee - m ", "BER", "shop", "42", "1") == "TEE-M~BER~shop~42~1"
    assert golden.reservation("A", "BER", "shop", "4", "21") != golden.reservation("A", "BER", "shop", "42", "1")
    assert golden.reservation("A", "BER", "shop~4", "2", "1") != golden.reservation("A", "BER", "shop", "4~2", "1")


@pytest.mark.parametrize("empty", range(5))
def test_a_reservation_names_all_its_parts(empty: int) -> None:
    parts = ["A", "BER", "shop", "42", "1"]
    parts[empty] = ""
    with pytest.raises(InvalidKey):
        golden.reservation(*parts)


def test_a_separator_inside_a_component_cannot_make_two_ids_one() -> None:
    assert golden.inventory_level("A", "B~C") != golden.inventory_level("A~B", "C")


def test_a_product_is_its_smallest_sku_whatever_the_order() -> None:
    assert golden.product(["tee-m", "TEE-L", ""], "shop", "1") == golden.product(["tee-l"], "other", "2") == "TEE-L"


def test_a_product_without_sku_is_its_accounts_own() -> None:
    assert golden.product(["", "  "], "shop", "1") == "shop:1"


@pytest.mark.parametrize("sku", ["", "  "])
def test_nothing_links_by_an_empty_sku(sku: str) -> None:
    with pytest.raises(InvalidKey):
        golden.variant(sku)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("19.90", "19.9"),
        ("19.900000", "19.9"),
        ("100", "100"),
        ("1E+2", "100"),
        ("0.00", "0"),
        ("-0.0", "0"),
        ("-3", "-3"),
        ("0.0000005", "0"),
        ("0.0000015", "0.000002"),
        ("99999999999999.999999", "99999999999999.999999"),
    ],
)
def test_equal_amounts_have_equal_texts(value: str, text: str) -> None:
    assert golden.decimal_text(Decimal(value)) == text


def test_the_text_does_not_depend_on_the_threads_precision() -> None:
    with localcontext() as context:
        context.prec = 3
        assert golden.decimal_text(Decimal("12345.678")) == "12345.678"


def test_an_infinite_amount_has_no_text() -> None:
    with pytest.raises(InvalidOperation):
        golden.decimal_text(Decimal("Infinity"))


def test_values_are_comparable_between_platforms() -> None:
    assert golden.comparable_price(Decimal("19.90"), "EUR", "INCLUDED") == ("19.9", "EUR", "INCLUDED")
    assert golden.comparable_inventory_level(Decimal("6.000000")) == ("6",)
    assert golden.comparable_inventory_level(None) == ("",)
    assert golden.comparable_variant(" tee-m", None) == ("TEE-M", "")
    assert golden.comparable_variant("", "4006381333931") == ("", "4006381333931")
    assert golden.comparable_product(None, "ACTIVE") == ("", "ACTIVE")
    assert golden.comparable_reservation(Decimal("3.000000")) == ("3",)
    content = golden.content_fingerprint(Op.UPSERT, golden.comparable_reservation(Decimal(3)))
    assert content != golden.content_fingerprint(Op.UPSERT, golden.comparable_reservation(Decimal(4)))


def test_an_orders_text_does_not_depend_on_the_order_of_its_fields() -> None:
    first = golden.comparable_order({"a": Decimal("1.50"), "b": [{"c": None}]})
    assert first == golden.comparable_order({"b": [{"c": None}], "a": Decimal("1.5")})
    assert first == ('{"a":"1.5","b":[{"c":null}]}',)


def test_a_value_without_canonical_text_is_refused() -> None:
    with pytest.raises(TypeError):
        golden.comparable_order({"a": object()})


def test_a_fulfilment_is_in_the_shard_of_its_order_and_orders_of_one_shop_are_in_many() -> None:
    orders = [GoldenKey("acme", EntityType.ORDER, golden.order("shop", str(number))) for number in range(100)]
    shipped = [GoldenKey("acme", EntityType.FULFILMENT, golden.fulfilment(one.golden_id, "3pl", "7")) for one in orders]
    assert [one.root for one in shipped] == [one.root for one in orders]
    assert len({one.root for one in orders}) == 100


@pytest.mark.parametrize(("account", "remote_id"), [("", "1"), ("shop", "")])
def test_an_order_without_both_of_its_names_has_no_golden_id(account: str, remote_id: str) -> None:
    with pytest.raises(InvalidKey):
        golden.order(account, remote_id)
