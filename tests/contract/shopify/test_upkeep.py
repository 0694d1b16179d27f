"""The courier keeps a shop's tokens and subscriptions alive over HTTP, and reads what no webhook told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from connectors import shopify
from connectors.shopify.fake import FakeShopify, Options
from schemas.codec import Record
from streams.core import courier_rows as rows
from tests.contract.shopify.receiver import Receiver
from tests.contract.test_courier import CODEC, QUICK, Links, Run

HOUR = "3600"


@dataclass
class Kept:
    """A shop whose tokens live for minutes, the receiver of its webhooks, and the courier that keeps both going. Polls
    come every hour: what is read before was asked for."""

    fake: FakeShopify
    receiver: Receiver
    run: Run

    def read(self, topic: str) -> list[Record]:
        return [one for one in self.run.raw() if one["topic"] == topic]

    def operations(self) -> list[str]:
        return [call["operation"] for call in self.run.calls()]

    def subscribed(self) -> set[str]:
        return {one.topic for one in self.fake.subscriptions.all()}


@pytest.fixture
async def kept(receiver: Receiver) -> AsyncIterator[Kept]:
    doors: dict[str, Any] = {"refuse_fixed_token": True, "token_life": 600.0}
    quota: dict[str, Any] = {"bucket": 20_000.0, "restore_rate": 2_000.0}
    fake = FakeShopify(Options(retry_delay=0.01, removal_after=3, **doors, **quota))
    fake.shop.create_product("Shirt", {"TEE-M": "19.90"}, stock=5)
    await fake.start()
    account = fake.account(
        client_id="fake-client", webhook_address=receiver.url, poll_interval=HOUR, poll_longest=HOUR, scan_interval=HOUR
    )
    receiver.account = account
    run = Run(shopify.PLATFORM, account, Links(), "BER", replace(QUICK, subscriptions_interval=0.2))
    await run.start()
    yield Kept(fake, receiver, run)
    await run.stop()
    await run.sender.close()
    await fake.stop()


async def test_everything_is_read_with_one_token_that_was_asked_for(kept: Kept) -> None:
    await kept.run.until(lambda: bool(kept.read("sku") and kept.read("product")))
    assert kept.fake.tokens.issued == 1
    assert kept.operations()[0] == "acquire_token"
    assert {call["outcome"] for call in kept.run.calls()} == {"success"}


async def test_a_token_that_the_shop_revokes_is_replaced_and_nobody_notices(kept: Kept) -> None:
    await kept.run.until(lambda: len(kept.read("product")) == 1)
    kept.fake.tokens.revoke()
    looks = kept.operations().count("read_subscriptions")
    await kept.run.until(lambda: kept.operations().count("read_subscriptions") > looks + 1)
    assert kept.fake.tokens.issued == 2
    refused = [call["outcome"] for call in kept.run.calls()].count("auth")
    assert 1 <= refused <= 4, "only what was on its way when the token was revoked"


async def test_all_topics_that_are_mapped_are_subscribed(kept: Kept) -> None:
    wanted = set(shopify.PLATFORM.subscriptions.wanted(kept.run.account))  # type: ignore[union-attr]
    await kept.run.until(lambda: kept.subscribed() == wanted)
    kept.fake.shop.create_order({"TEE-M": 1})
    await kept.fake.deliveries.settle()
    assert [one.topic for one in kept.fake.deliveries.sent if one.accepted] == ["orders/create"]


async def test_what_a_receiver_that_was_down_missed_is_read_as_soon_as_its_subscription_is_back(kept: Kept) -> None:
    await kept.run.until(lambda: "orders/create" in kept.subscribed() and not open_holes(kept))
    before = len(kept.read("order"))
    await kept.receiver.stop()
    order = kept.fake.shop.create_order({"TEE-M": 2})
    await kept.fake.deliveries.settle()
    assert kept.fake.subscriptions.removed >= 1
    await kept.run.until(lambda: "orders/create" in kept.subscribed())
    await kept.run.until(lambda: len(kept.read("order")) > before)
    found = kept.read("order")[-1]
    assert (found["resource_id"], found["channel"]) == (str(order.id), "backfill")


async def test_a_kill_while_subscriptions_are_made_leaves_no_hole_unread(kept: Kept) -> None:
    wanted = set(shopify.PLATFORM.subscriptions.wanted(kept.run.account))  # type: ignore[union-attr]
    kept.fake.options.change({"latency": 0.02})
    order = kept.fake.shop.create_order({"TEE-M": 1})
    for _ in range(4):
        kept.fake.subscriptions.remove("orders/create")
        await kept.run.until(lambda: "orders/create" in kept.subscribed())
        await kept.run.kill()
    await kept.run.until(lambda: kept.subscribed() == wanted and not open_holes(kept))
    assert str(order.id) in {one["resource_id"] for one in kept.read("order")}


def open_holes(kept: Kept) -> list[bytes]:
    return [key for key, _ in kept.run.shard.rows.scan(rows.HOLE)]


async def test_a_sku_whose_deletion_nobody_told_of_is_found_gone_and_one_made_anew_is_not(kept: Kept) -> None:
    shop = kept.fake.shop
    kept.fake.options.change({"never": 1.0})
    shop.create_product("Cap", {"CAP": "9.90"}, stock=1)
    await kept.run.until(lambda: "read_subscriptions" in kept.operations())
    await listed(kept, "CAP")
    for sku in ("CAP", "TEE-M"):
        shop.delete_product(shop.by_sku(sku).product_id)
    shop.create_product("New shirt", {"TEE-M": "21.90"}, stock=3)
    await listed(kept, "TEE-M")
    await kept.run.until(lambda: bool([one for one in kept.read("sku") if one["op"] == "delete"]))
    assert [one["resource_id"] for one in kept.read("sku") if one["op"] == "delete"] == ["CAP"]


async def listed(kept: Kept, sku: str) -> None:
    """The whole list of SKUs was read after now, and names one."""
    passes = kept.operations().count("poll_skus")
    request = {
        "tenant": "t1", "account": kept.run.account.id, "platform": "shopify", "resource": "skus", "remote_id": "*",
        "reason": "asked", "lane": "normal", "requested_at": kept.fake.clock.now(), "cause": "test",
    }  # fmt: skip
    kept.run.fetch(CODEC.encode("fetch_request", request))
    await kept.run.until(lambda: kept.operations().count("poll_skus") > passes)
    await kept.run.until(lambda: sku in {one["resource_id"] for one in kept.read("sku")} and not open_holes(kept))
