"""Several stock levels, or prices of one product, in one call: one charge; what is refused takes none with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import orjson
import pytest

from connectors.kit import golden
from connectors.kit.contract import Request, Response, Write, Written
from connectors.kit.errors import Conflict, Invalid, OutcomeUnknown, SluiceError, Throttled, Unlinkable
from connectors.kit.http import HttpSender
from connectors.kit.operations import Batching
from connectors.kit.testing import drive
from connectors.shopify.destination import ShopifyDestination
from connectors.shopify.fake import FakeShopify
from schemas.entities import Op
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


# ----------------------------------------------------------------------------------------------- prices


@pytest.fixture
async def prices(fake: FakeShopify) -> list[Write]:
    fake.shop.create_product("Caps", {f"CAP-{n}": "5.00" for n in range(4)}, stock=1)
    return [price(fake, f"{10 + n}.00", f"CAP-{n}", op_id=f"op|{n}") for n in range(4)]


def costs(fake: FakeShopify) -> list[str]:
    return [f"{fake.shop.by_sku(f'CAP-{n}').price:.2f}" for n in range(4)]


def observed(results: Sequence[Written | SluiceError]) -> list[str]:
    """The prices that came back with what was written or found."""
    return [orjson.loads(seen.body)["price"] for one in results if isinstance(one, Written) for seen in one.observed]


async def test_prices_of_one_product_may_share_a_call_and_those_of_two_may_not(
    fake: FakeShopify, prices: list[Write]
) -> None:
    account, other = fake.account(), price(fake, "1.00")
    groups = {DESTINATION.batch(account, one) for one in prices}
    assert len(groups) == 1
    assert None not in groups
    assert DESTINATION.batch(account, other) not in {*groups, None}
    assert DESTINATION.batch(account, replace(prices[0], expected=frozenset())) in groups
    for alone in (
        replace(prices[0], aliases={}),
        replace(prices[0], fields=("extra",)),
        replace(prices[0], record={**prices[0].record, "amount": {**prices[0].record["amount"], "currency": "USD"}}),
    ):
        assert DESTINATION.batch(account, alone) is None


async def test_all_prices_are_set_by_one_call_at_the_cost_of_one(
    fake: FakeShopify, sender: HttpSender, prices: list[Write]
) -> None:
    account, sent = fake.account(), list[tuple[Request, Response]]()

    async def send(request: Request) -> Response:
        reply = await sender.send(account, request)
        sent.append((request, reply))
        return reply

    results = await drive(DESTINATION.write_all(account, prices), send)
    assert observed(results) == costs(fake) == ["10.00", "11.00", "12.00", "13.00"]
    ((request, reply),) = sent
    assert DESTINATION.feedback(request, reply).cost == 10.0


async def test_a_price_that_is_refused_says_why_and_the_others_are_set(
    fake: FakeShopify, sender: HttpSender, prices: list[Write]
) -> None:
    gone = {**prices[1].aliases, "variant_id": "1"}
    below = {**prices[2].record, "amount": {**prices[2].record["amount"], "amount": Decimal(-1)}}
    tried = [prices[0], replace(prices[1], aliases=gone), replace(prices[2], record=below), prices[3]]
    results = await drive(DESTINATION.write_all(fake.account(), tried), sending(sender, fake.account()))
    assert [type(one) for one in results] == [Written, Unlinkable, Invalid, Written]
    assert costs(fake) == ["10.00", "5.00", "5.00", "13.00"]


async def test_prices_that_people_edited_meanwhile_are_reported_and_the_others_set(
    fake: FakeShopify, sender: HttpSender, prices: list[Write]
) -> None:
    account = fake.account()
    fake.shop.set_price(fake.shop.by_sku("CAP-0"), Decimal("7.00"))
    fake.shop.set_price(fake.shop.by_sku("CAP-1"), Decimal("11.00"))
    known = frozenset({golden.content_fingerprint(Op.UPSERT, golden.comparable_price(Decimal(5), "EUR", "INCLUDED"))})
    tried = [replace(one, expected=known, wanted=b"12345678") for one in prices[:3]] + [prices[3]]
    sent: list[Request] = []

    async def send(request: Request) -> Response:
        sent.append(request)
        return await sender.send(account, request)

    results = await drive(DESTINATION.write_all(account, tried), send)
    assert [(one.no_op, one.holds) for one in results] == [(True, False), (True, True), (False, False), (False, False)]
    assert observed(results) == costs(fake) == ["7.00", "11.00", "12.00", "13.00"]
    assert [(one.operation, one.writes) for one in sent] == [("read_prices", False), ("set_prices", True)]
    (alone,) = await drive(DESTINATION.write_all(account, tried[:1]), sending(sender, account))
    assert alone == await drive(DESTINATION.write(account, tried[0]), sending(sender, account))


async def test_two_prices_of_one_variant_do_not_share_a_call(
    fake: FakeShopify, sender: HttpSender, prices: list[Write]
) -> None:
    tried = [prices[0], replace(prices[0], record=prices[1].record, op_id="op|other"), prices[1]]
    results = await drive(DESTINATION.write_all(fake.account(), tried), sending(sender, fake.account()))
    assert [type(one) for one in results] == [Written, Conflict, Written]
    assert costs(fake)[:2] == ["10.00", "11.00"]


async def test_a_product_that_is_gone_concerns_all_of_its_prices(
    fake: FakeShopify, sender: HttpSender, prices: list[Write]
) -> None:
    tried = [replace(one, aliases={**one.aliases, "product_id": "1"}) for one in prices]
    with pytest.raises(Unlinkable):
        await drive(DESTINATION.write_all(fake.account(), tried), sending(sender, fake.account()))


async def test_looking_at_prices_is_expected_to_cost_what_is_charged(
    fake: FakeShopify, sender: HttpSender, prices: list[Write]
) -> None:
    account, looks = fake.account(), list[tuple[Request, Response]]()

    async def send(request: Request) -> Response:
        reply = await sender.send(account, request)
        looks.append((request, reply))
        return reply

    tried = [replace(one, expected=frozenset(), wanted=b"12345678") for one in prices]
    await drive(DESTINATION.write_all(account, tried), send)
    ((request, reply),) = looks
    assert request.cost == DESTINATION.feedback(request, reply).cost == 24.0
