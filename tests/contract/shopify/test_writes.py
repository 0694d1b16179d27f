"""Writes over a real wire: what the shop accepted, what it says of its quota, what a lost reply leaves."""

from __future__ import annotations

import pytest

from connectors.kit.contract import Request, Response
from connectors.kit.errors import OutcomeUnknown, Throttled, Unlinkable
from connectors.kit.http import HttpSender
from connectors.kit.testing import drive
from connectors.shopify.destination import ShopifyDestination
from connectors.shopify.fake import FakeShopify
from schemas.entities import EntityType
from tests.contract.shopify.support import mapped, price, sending, stock

DESTINATION = ShopifyDestination()


async def test_the_journal_of_the_shop_names_our_operation(fake: FakeShopify, sender: HttpSender) -> None:
    account = fake.account()
    await drive(DESTINATION.write(account, stock(fake, 42, op_id="op|7")), sending(sender, account))
    (entry,) = fake.shop.journal
    assert (entry.actor, entry.value, entry.request_id, entry.reference) == ("api", "42", "op|7", "sluice://op%7C7")


async def test_a_write_whose_reply_was_lost_is_carried_out_once_by_its_repeat(
    fake: FakeShopify, sender: HttpSender
) -> None:
    account, send = fake.account(), sending(sender, fake.account())
    fake.options.lost_replies = 1.0
    with pytest.raises(OutcomeUnknown):
        await drive(DESTINATION.write(account, stock(fake, 42)), send)
    fake.options.lost_replies = 0.0
    await drive(DESTINATION.write(account, stock(fake, 42)), send)
    assert fake.state()["levels"]["TEE-M"]["BER"] == 42
    assert len(fake.shop.journal) == 1
    assert fake.stats()["lost_replies"] == 1


@pytest.mark.parametrize("version", ["2025-10", "2026-01", "2026-04", "2026-10"])
async def test_stock_is_set_under_every_api_version(fake: FakeShopify, sender: HttpSender, version: str) -> None:
    account = fake.account(api_version=version)
    await drive(DESTINATION.write(account, stock(fake, 42)), sending(sender, account))
    assert fake.state()["levels"]["TEE-M"]["BER"] == 42


async def test_feedback_tells_the_level_of_the_shops_own_bucket(fake: FakeShopify, sender: HttpSender) -> None:
    account, replies = fake.account(), list[tuple[Request, Response]]()

    async def send(request: Request) -> Response:
        reply = await sender.send(account, request)
        replies.append((request, reply))
        return reply

    await drive(DESTINATION.write(account, stock(fake, 42)), send)
    heard = DESTINATION.feedback(*replies[0])
    assert (heard.cost, heard.limit, heard.restore_rate) == (10.0, 2000.0, 100.0)
    assert heard.level is not None
    assert 1990 <= heard.level <= 2000


@pytest.mark.parametrize("with_429", [False, True])
async def test_a_throttled_write_names_the_wait_after_which_it_succeeds(
    fake: FakeShopify, sender: HttpSender, with_429: bool
) -> None:
    fake.options.change({"bucket": 12.0, "restore_rate": 0.5, "throttle_with_429": with_429})
    account, send = fake.account(), sending(sender, fake.account())
    await drive(DESTINATION.write(account, stock(fake, 41, op_id="op-1")), send)
    with pytest.raises(Throttled) as caught:
        await drive(DESTINATION.write(account, stock(fake, 42, op_id="op-2")), send)
    assert caught.value.retry_after == pytest.approx(16.0, abs=2.0)  # (10 - 2) / 0.5
    assert fake.bucket.stats.throttled == 1
    assert fake.state()["levels"]["TEE-M"]["BER"] == 41


async def test_what_a_price_reply_says_is_the_variant_as_it_is_now(fake: FakeShopify, sender: HttpSender) -> None:
    account = fake.account()
    written = await drive(DESTINATION.write(account, price(fake, "17.50")), sending(sender, account))
    variant, amount = mapped(fake, list(written.observed))
    assert (variant.type, variant.link.golden_id) == (EntityType.VARIANT, "TEE-M")
    assert amount.comparable == ("17.5", "EUR", "INCLUDED")


async def test_a_product_deleted_behind_our_back_is_unlinkable(fake: FakeShopify, sender: HttpSender) -> None:
    account, one = fake.account(), stock(fake, 42)
    fake.shop.delete_product(fake.shop.by_sku("TEE-M").product_id)
    with pytest.raises(Unlinkable):
        await drive(DESTINATION.write(account, one), sending(sender, account))


async def test_an_outage_loses_nothing_and_changes_nothing(fake: FakeShopify, sender: HttpSender) -> None:
    account, send = fake.account(), sending(sender, fake.account())
    fake.options.outage = True
    with pytest.raises(OutcomeUnknown):
        await drive(DESTINATION.write(account, stock(fake, 42)), send)
    fake.options.outage = False
    assert not fake.shop.journal
    await drive(DESTINATION.write(account, stock(fake, 42)), send)
    assert fake.state()["levels"]["TEE-M"]["BER"] == 42
