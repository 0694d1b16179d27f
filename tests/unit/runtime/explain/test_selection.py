"""Which entities a golden key or a SKU stands for, and where they are read."""

from __future__ import annotations

import pytest

from connectors.kit import golden
from schemas.entities import EntityType
from schemas.identity import GoldenKey, InvalidKey, golden_partition
from streams.runtime.explain.selection import select


def keys_of(sku: str) -> list[str]:
    names = {
        EntityType.PRICE: golden.price(sku, "EUR"),
        EntityType.INVENTORY_LEVEL: golden.inventory_level(sku, "BER"),
        EntityType.VARIANT: golden.variant(sku),
        EntityType.PRODUCT: golden.product([sku], "shop", "1"),
    }
    return [str(GoldenKey("acme", kind, name)) for kind, name in names.items()]


def test_a_golden_key_stands_for_itself_alone() -> None:
    chosen = select("acme|price|SKU-1~default~EUR", ["acme", "beta"])
    assert chosen.matches("acme|price|SKU-1~default~EUR")
    assert not chosen.matches("acme|price|SKU-1~default~EURO")
    assert not chosen.matches("beta|price|SKU-1~default~EUR")
    assert chosen.types == (EntityType.PRICE,)


@pytest.mark.parametrize("sku", ["SKU-1", " sku-1", "50%", "a~b", "größe"])
def test_a_sku_stands_for_all_that_the_mappings_call_by_it_in_every_tenant(sku: str) -> None:
    chosen = select(sku, ["beta", "acme"])
    for key in keys_of(sku):
        assert chosen.matches(key)
        assert chosen.matches(key.replace("acme", "beta", 1))
        assert golden_partition(key, 6) in chosen.partitions(6)


def test_a_longer_sku_and_an_order_of_a_shop_of_that_name_are_something_else() -> None:
    chosen = select("SKU-1", ["acme"])
    assert not any(chosen.matches(key) for key in keys_of("SKU-10"))
    assert not chosen.matches("acme|order|SKU-1~7")
    assert not chosen.matches("acme|product|SKU-1~7")
    assert not chosen.matches("beta|variant|SKU-1")


def test_one_partition_is_read_for_a_key_and_one_per_tenant_for_a_sku() -> None:
    key = "acme|price|SKU-1~default~EUR"
    assert select(key, []).partitions(24) == [golden_partition(key, 24)]
    assert select("SKU-1", ["acme"]).partitions(24) == [golden_partition(key, 24)]
    assert len(select("SKU-1", ["acme", "beta"]).partitions(1_000_003)) == 2


@pytest.mark.parametrize("text", ["acme|price", "acme|prize|1", "  ", "acme||x"])
def test_what_is_neither_is_refused(text: str) -> None:
    with pytest.raises(InvalidKey):
        select(text, ["acme"])
