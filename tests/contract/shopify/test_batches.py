"""Several stock levels in one call: one key, one charge; what is refused takes none with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.kit.contract import Request, Response, Write, Written
from connectors.kit.errors import Conflict, Invalid, OutcomeUnknown, Throttled
from connectors.kit.http import HttpSender
from connectors.kit.operations import Batching
from connectors.kit.testing import drive
from connectors.shopify.destination import ShopifyDestination
from connectors.shopify.fake import FakeShopify
from tests.contract.shopify.support import price, sending, stock

DESTINATION = ShopifyDestination()


@pytest.fixture
async def writes(fake: FakeShopify) -> list[Write]:
    fake.shop.create_product("Caps", {f"CAP-{n}": "5.00" for n in range(4)}, stock=1)
    return [stock(fake, 10 + n, f"CAP-{n}", op_id=f"op|{n}") for n in range(4)]


def held(fake: FakeShopify) -> list[int]:
    return [int(fake.state()["levels"][f"CAP-{n}"]["BER"]) for n in range(4)]


async def test_levels_of_one_shop_may_share_a_call_and_what_cannot_be_sent_goes_alone(
    fake: FakeShopify, writes: list[Write]
) -> None:
    account = fake.account()
    assert isinstance(DESTINATION, Batching)
    groups = {DESTINATION.batch(account, one) for one in writes}
    assert len(groups) == 1
    assert None not in groups
    for alone in (
        replace(writes[0], expected=frozenset()),
        replace(writes[0], aliases={}),
        replace(writes[0], record={**writes[0].record, "location": "nowhere"}),
        replace(writes[0], record={**writes[0].record, "available": None}),
        price(fake, "5.00"),
    ):
        assert DESTINATION.batch(account, alone) is None


@pytest.mark.parametrize("version", ["2025-10", "2026-01", "2026-10"])
async def test_all_are_set_by_one_call_at_the_cost_of_one(
    fake: FakeShopify, sender: HttpSender, writes: list[Write], version: str
) -> None:
    account, sent = fake.account(api_version=version), list[tuple[Request, Response]]()

    async def send(request: Request) -> Response:
        reply = await sender.send(account, request)
        sent.append((request, reply))
        return reply

    assert await drive(DESTINATION.write_all(account, writes), send) == [Written()] * 4
    assert held(fake) == [10, 11, 12, 13]
    ((request, reply),) = sent
    assert DESTINATION.feedback(request, reply).cost == 10.0


async def test_one_that_is_refused_says_why_and_the_others_come_again(
    fake: FakeShopify, sender: HttpSender, writes: list[Write]
) -> None:
    account = fake.account()
    fake.shop.disconnect(fake.shop.by_sku("CAP-2"), 655441491)
    results = await drive(DESTINATION.write_all(account, writes), sending(sender, account))
    assert [type(one) for one in results] == [Conflict, Conflict, Invalid, Conflict]
    assert "stock the item at the location first" in str(results[2])
    rest = [one for one, result in zip(writes, results, strict=True) if isinstance(result, Conflict)]
    assert await drive(DESTINATION.write_all(account, rest), sending(sender, account)) == [Written()] * 3


async def test_a_repeat_after_a_lost_reply_is_recognised_and_another_batch_is_another_operation(
    fake: FakeShopify, sender: HttpSender, writes: list[Write]
) -> None:
    account, send = fake.account(), sending(sender, fake.account())
    fake.options.lost_replies = 1.0
    with pytest.raises(OutcomeUnknown):
        await drive(DESTINATION.write_all(account, writes), send)
    fake.options.lost_replies = 0.0
    await drive(DESTINATION.write_all(account, writes), send)
    assert len(fake.shop.journal) == 4
    await drive(DESTINATION.write_all(account, writes[:2]), send)
    assert len(fake.shop.journal) == 6


async def test_what_concerns_the_call_concerns_all_of_them(
    fake: FakeShopify, sender: HttpSender, writes: list[Write]
) -> None:
    fake.options.change({"bucket": 5.0, "restore_rate": 0.1})
    account = fake.account()
    with pytest.raises(Throttled):
        await drive(DESTINATION.write_all(account, writes), sending(sender, account))
    assert held(fake) == [1, 1, 1, 1]
