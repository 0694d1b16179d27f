"""Webhooks over a real wire: signed by the shop, verified by us, as untidy as told."""

from __future__ import annotations

import orjson

from connectors.kit.contract import Delivery, Envelope, Mapped
from connectors.kit.http import HttpSender
from connectors.kit.testing import drive
from connectors.shopify import PLATFORM
from connectors.shopify.destination import ShopifyDestination
from connectors.shopify.fake import FakeShopify
from connectors.shopify.webhook import ShopifySource
from schemas.entities import Channel, Completeness, EntityType
from tests.contract.shopify.receiver import Receiver
from tests.contract.shopify.support import mapped as mapped_reads
from tests.contract.shopify.support import price, sending, stock


def mapped(fake: FakeShopify, delivery: Delivery) -> list[Mapped]:
    """The records of a delivery, through what the receiver keeps of it."""
    source, account = ShopifySource(), fake.account()
    facts = source.facts(account, delivery)
    kept = {name: delivery.headers[name] for name in source.kept_headers if name in delivery.headers}
    envelope = Envelope(
        account.id, Channel.WEBHOOK, facts.topic, facts.delivery_id, delivery.body, kept, fake.clock.now()
    )
    records = PLATFORM.mapping.map(account, envelope)
    assert isinstance(records, list), records
    return records


async def test_every_kind_of_edit_arrives_signed_and_maps(fake: FakeShopify, receiver: Receiver) -> None:
    shop, variant = fake.shop, fake.shop.by_sku("TEE-M")
    shop.set_available(variant, 655441491, -1)
    shop.set_tracked(variant, tracked=False)
    shop.disconnect(variant, 655441492)
    shop.connect(variant, 655441492)
    order = shop.create_order({"TEE-L": 2}, customer_id=77)
    shop.update_order(order.id, financial_status="refunded")
    shop.update_order(order.id, cancel=True)
    shop.create_product("Cap", {"CAP": "5.00"})
    shop.delete_product(variant.product_id)
    await fake.deliveries.settle()
    assert receiver.refused == []
    assert set(receiver.topics()) == {
        "inventory_levels/update",
        "inventory_levels/disconnect",
        "inventory_levels/connect",
        "orders/create",
        "orders/updated",
        "orders/cancelled",
        "products/create",
        "products/delete",
    }
    for delivery in receiver.received:
        assert mapped(fake, delivery)


async def test_our_own_write_comes_back_as_a_webhook_with_equal_values(
    fake: FakeShopify, receiver: Receiver, sender: HttpSender
) -> None:
    account, send = fake.account(), sending(sender, fake.account())
    await drive(ShopifyDestination().write(account, stock(fake, 42)), send)
    await drive(ShopifyDestination().write(account, price(fake, "17.50")), send)
    await fake.deliveries.settle()
    comparables = [record.comparable for delivery in receiver.received for record in mapped(fake, delivery)]
    assert ("42",) in comparables
    assert ("17.5", "EUR", "INCLUDED") in comparables


async def test_a_webhook_and_a_read_of_one_record_agree(
    fake: FakeShopify, receiver: Receiver, sender: HttpSender
) -> None:
    product = fake.shop.create_product("Cap", {"CAP-1": "5.00", "CAP-2": "6.50"}, tags=["b", "a"], vendor="Acme")
    await fake.deliveries.settle()
    pushed = mapped(fake, receiver.received[-1])
    flow = ShopifyDestination().fetch(fake.account(), "product", str(product.id))
    seen = mapped_reads(fake, await drive(flow, sending(sender, fake.account())))

    def facts(records: list[Mapped]) -> list[object]:
        return [(one.type, one.remote_id, one.link, one.clock, one.comparable, one.aliases) for one in records]

    assert facts(pushed) == facts(seen)
    assert {record.completeness for record in pushed} == {Completeness.FULL}


async def test_a_payload_cut_to_its_first_hundred_variants_is_only_a_hint(
    fake: FakeShopify, receiver: Receiver
) -> None:
    fake.shop.create_product("Big", {f"BIG-{number:03}": "1.00" for number in range(101)}, stock=None)
    await fake.deliveries.settle()
    records = mapped(fake, receiver.received[-1])
    (product,) = [record for record in records if record.type is EntityType.PRODUCT]
    assert product.completeness is Completeness.HINT
    assert len(records) == 201


async def test_an_unanswered_delivery_is_repeated_with_the_same_id_and_body(
    fake: FakeShopify, receiver: Receiver
) -> None:
    receiver.refusals = 2
    fake.shop.set_available(fake.shop.by_sku("TEE-M"), 655441491, 1)
    await fake.deliveries.settle()
    (sent,) = fake.deliveries.sent
    assert sent.answers == [503, 503, 204]
    assert len(receiver.received) == 1


async def test_duplicates_carry_the_same_webhook_id(fake: FakeShopify, receiver: Receiver) -> None:
    fake.options.duplicates = 1.0
    fake.shop.set_available(fake.shop.by_sku("TEE-M"), 655441491, 1)
    await fake.deliveries.settle()
    first, second = receiver.received
    assert first.headers["x-shopify-webhook-id"] == second.headers["x-shopify-webhook-id"]
    assert first.body == second.body


async def test_disorder_shuffles_the_deliveries_and_loses_none(fake: FakeShopify, receiver: Receiver) -> None:
    fake.options.change({"disorder": 0.5, "disorder_delay": 0.05})
    for units in range(40):
        fake.shop.set_available(fake.shop.by_sku("TEE-M"), 655441491, 100 + units)
    await fake.deliveries.settle()
    order = [orjson.loads(delivery.body)["available"] for delivery in receiver.received]
    assert sorted(order) == list(range(100, 140)) != order


async def test_a_withheld_delivery_is_recorded_and_never_sent(fake: FakeShopify, receiver: Receiver) -> None:
    fake.options.never = 1.0
    fake.shop.set_available(fake.shop.by_sku("TEE-M"), 655441491, 1)
    await fake.deliveries.settle()
    assert receiver.received == []
    assert [(sent.never, sent.accepted) for sent in fake.deliveries.sent] == [(True, False)]


async def test_a_delivery_with_a_retired_secret_is_refused(fake: FakeShopify, receiver: Receiver) -> None:
    fake.options.change({"webhook_secret": "stolen", "attempts": 2})
    fake.shop.set_available(fake.shop.by_sku("TEE-M"), 655441491, 1)
    await fake.deliveries.settle()
    assert receiver.received == []
    assert fake.deliveries.sent[0].answers == [401, 401]
