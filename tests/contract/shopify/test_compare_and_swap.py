"""Stock is replaced only where what is there is what was expected; a person's edit is reported, not overwritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from connectors.kit.contract import Request, Response, Write, Written
from connectors.kit.errors import Unlinkable
from connectors.kit.golden import comparable_inventory_level, content_fingerprint
from connectors.kit.http import HttpSender
from connectors.kit.testing import Send, drive
from connectors.shopify.destination import ShopifyDestination
from connectors.shopify.fake import FakeShopify
from schemas.entities import Op
from tests.contract.shopify.support import mapped, sending, stock

DESTINATION = ShopifyDestination()
VERSIONS = pytest.mark.parametrize("version", ["2025-10", "2026-01", "2026-04", "2026-10"])


def content(available: int) -> bytes:
    return content_fingerprint(Op.UPSERT, comparable_inventory_level(Decimal(available)))


def expecting(fake: FakeShopify, available: int, *held: int) -> Write:
    """Set the stock, if one of these is there."""
    expected = frozenset(content(one) for one in held)
    return replace(stock(fake, available), wanted=content(available), expected=expected)


def set_by_a_person(fake: FakeShopify, available: int) -> None:
    fake.shop.set_available(fake.shop.by_sku("TEE-M"), 655441491, available)


def held(fake: FakeShopify) -> int:
    return int(fake.state()["levels"]["TEE-M"]["BER"])


def between(send: Send, act: Callable[[], None], times: int = 1) -> Send:
    """Before each of the first writes something else happens."""
    left = [act] * times

    async def sent(request: Request) -> Response:
        if request.writes and left:
            left.pop()()
        return await send(request)

    return sent


@VERSIONS
async def test_what_was_expected_is_replaced(fake: FakeShopify, sender: HttpSender, version: str) -> None:
    account = fake.account(api_version=version)
    set_by_a_person(fake, 7)
    written = await drive(DESTINATION.write(account, expecting(fake, 42, 3, 7)), sending(sender, account))
    assert written == Written()
    assert held(fake) == 42


async def test_what_nobody_expected_is_reported_and_stays(fake: FakeShopify, sender: HttpSender) -> None:
    account = fake.account()
    set_by_a_person(fake, 9)
    written = await drive(DESTINATION.write(account, expecting(fake, 42, 7)), sending(sender, account))
    assert written.no_op
    (level,) = mapped(fake, list(written.observed))
    assert level.fields["available"] == 9
    assert held(fake) == 9


async def test_what_is_wanted_already_is_not_sent(fake: FakeShopify, sender: HttpSender) -> None:
    account = fake.account()
    set_by_a_person(fake, 42)
    entries = len(fake.shop.journal)
    written = await drive(DESTINATION.write(account, expecting(fake, 42, 7)), sending(sender, account))
    assert written.no_op
    assert len(fake.shop.journal) == entries


@VERSIONS
async def test_an_edit_between_the_look_and_the_write_is_not_overwritten(
    fake: FakeShopify, sender: HttpSender, version: str
) -> None:
    account = fake.account(api_version=version)
    set_by_a_person(fake, 7)
    send = between(sending(sender, account), lambda: set_by_a_person(fake, 8))
    written = await drive(DESTINATION.write(account, expecting(fake, 42, 7)), send)
    assert written.no_op
    (level,) = mapped(fake, list(written.observed))
    assert level.fields["available"] == 8
    assert held(fake) == 8


async def test_a_level_that_changes_among_what_is_expected_is_looked_at_again(
    fake: FakeShopify, sender: HttpSender
) -> None:
    account = fake.account()
    set_by_a_person(fake, 7)
    send = between(sending(sender, account), lambda: set_by_a_person(fake, 8))
    assert await drive(DESTINATION.write(account, expecting(fake, 42, 7, 8)), send) == Written()
    assert held(fake) == 42


async def test_a_level_that_never_rests_is_reported_as_it_was_seen_last(fake: FakeShopify, sender: HttpSender) -> None:
    account, values = fake.account(), iter((8, 7, 8, 7, 8, 7))
    set_by_a_person(fake, 7)
    send = between(sending(sender, account), lambda: set_by_a_person(fake, next(values)), times=9)
    written = await drive(DESTINATION.write(account, expecting(fake, 42, 7, 8)), send)
    assert written.no_op
    assert [level.fields["available"] for level in mapped(fake, list(written.observed))] == [7]


async def test_an_item_that_is_not_stocked_there_cannot_be_compared(fake: FakeShopify, sender: HttpSender) -> None:
    account = fake.account()
    fake.shop.disconnect(fake.shop.by_sku("TEE-M"), 655441491)
    with pytest.raises(Unlinkable, match="stock the item"):
        await drive(DESTINATION.write(account, expecting(fake, 42, 7)), sending(sender, account))
