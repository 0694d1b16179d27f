"""Polls over a real wire find every change, whatever was pushed."""

from __future__ import annotations

from decimal import Decimal

import orjson

from connectors.kit.clock import ManualClock
from connectors.kit.contract import Observation
from connectors.kit.http import HttpSender
from connectors.kit.testing import drive
from connectors.shopify import PLATFORM
from connectors.shopify.fake import FakeShopify, render
from schemas.entities import EntityType
from tests.contract.shopify.support import mapped, poll, sending


async def test_the_first_pass_reads_the_whole_shop(fake: FakeShopify, sender: HttpSender) -> None:
    for number in range(25):
        fake.shop.create_product(f"Cap {number}", {f"CAP-{number}": "9.90"}, stock=1)
    send = sending(sender, fake.account())
    seen, _ = await poll(fake, send, "products", {})
    prices = {record.link.golden_id for record in mapped(fake, seen) if record.type is EntityType.PRICE}
    assert prices == {f"{sku}~default~EUR" for sku in fake.state()["prices"]}
    seen, _ = await poll(fake, send, "inventory", {})
    found = {record.link.golden_id: record.comparable for record in mapped(fake, seen)}
    held = fake.state()["levels"]
    assert found == {f"{sku}~{code}": (str(units),) for sku, at in held.items() for code, units in at.items()}


async def test_the_next_pass_reads_what_changed_and_little_else(sender: HttpSender) -> None:
    clock = ManualClock()
    fake = FakeShopify(clock=clock)
    await fake.start()
    try:
        for sku in ("A", "B", "C"):
            fake.shop.create_product(sku, {sku: "1.00"}, stock=1)
        clock.advance(600)
        send = sending(sender, fake.account())
        _, stock_cursor = await poll(fake, send, "inventory", {})
        _, product_cursor = await poll(fake, send, "products", {})
        clock.advance(600)
        fake.shop.set_available(fake.shop.by_sku("B"), 655441491, -2)
        fake.shop.set_price(fake.shop.by_sku("C"), Decimal("2.50"))
        levels, _ = await poll(fake, send, "inventory", stock_cursor)
        products, _ = await poll(fake, send, "products", product_cursor)
    finally:
        await fake.stop()
    assert [(one.link.golden_id, one.comparable) for one in mapped(fake, levels)] == [("B~BER", ("-2",))]
    prices = [one.comparable for one in mapped(fake, products) if one.type is EntityType.PRICE]
    assert prices == [("2.5", "EUR", "INCLUDED")]


async def test_a_change_the_search_index_was_late_with_is_found_in_the_overlap(sender: HttpSender) -> None:
    clock = ManualClock()
    fake = FakeShopify(clock=clock)
    await fake.start()
    try:
        fake.shop.create_product("A", {"A": "1.00"}, stock=1)
        send = sending(sender, fake.account())
        fake.options.index_lag = 30.0
        clock.advance(60)
        fake.shop.set_available(fake.shop.by_sku("A"), 655441491, 7)
        seen, cursor = await poll(fake, send, "inventory", {})
        assert ("7",) not in [record.comparable for record in mapped(fake, seen)]
        clock.advance(60)
        seen, _ = await poll(fake, send, "inventory", cursor)
    finally:
        await fake.stop()
    assert ("7",) in [record.comparable for record in mapped(fake, seen)]


async def test_a_product_with_more_variants_than_a_page_is_read_whole(fake: FakeShopify, sender: HttpSender) -> None:
    fake.shop.create_product("Big", {f"BIG-{number:03}": "1.00" for number in range(130)}, stock=None)
    seen, _ = await poll(fake, sending(sender, fake.account()), "products", {})
    product = next(record for record in mapped(fake, seen) if record.fields.get("title") == "Big")
    assert len(product.fields["variant_skus"]) == 130


async def test_an_order_that_no_webhook_told_of_is_polled_and_says_what_its_webhook_would_have(
    fake: FakeShopify, sender: HttpSender
) -> None:
    order = fake.shop.create_order({"TEE-M": 2, "TEE-L": 1}, customer_id=9)
    seen, _ = await poll(fake, sending(sender, fake.account()), "orders", {})
    read = [(one.type, one.link, one.op, one.clock, one.comparable) for one in mapped(fake, seen)]
    told = Observation("orders/create", str(order.id), orjson.dumps(render.order(order, fake.options)))
    assert read == [(one.type, one.link, one.op, one.clock, one.comparable) for one in mapped(fake, [told])]
    assert [one.type for one in mapped(fake, seen)] == [EntityType.ORDER, *[EntityType.RESERVATION] * 2]


async def test_an_order_with_more_lines_than_a_page_is_read_whole(fake: FakeShopify, sender: HttpSender) -> None:
    skus = {f"MANY-{number:03}": "1.00" for number in range(115)}
    fake.shop.create_product("Many", skus, stock=None)
    order = fake.shop.create_order(dict.fromkeys(skus, 1))
    account = fake.account()
    seen = await drive(PLATFORM.destination.fetch(account, "order", str(order.id)), sending(sender, account))  # type: ignore[union-attr]
    (record,) = [one for one in mapped(fake, seen) if one.type is EntityType.ORDER]
    assert len(record.fields["lines"]) == 115


async def test_the_list_of_skus_names_every_variant(fake: FakeShopify, sender: HttpSender) -> None:
    fake.shop.create_product("Big", {f"BIG-{number:03}": "1.00" for number in range(300)}, stock=None)
    seen, cursor = await poll(fake, sending(sender, fake.account()), "skus", {})
    assert {one.resource_id for one in seen} == set(fake.state()["prices"])
    assert cursor == {}
