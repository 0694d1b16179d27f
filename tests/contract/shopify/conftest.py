"""A fake shop, a receiver for its webhooks and a sender for our requests, all on real ports."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from connectors.kit.http import HttpSender
from connectors.shopify.fake import FakeShopify, Options
from tests.contract.shopify.receiver import Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Accepts what is signed with the fake shop's secret."""
    one = Receiver()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
async def fake(receiver: Receiver) -> AsyncIterator[FakeShopify]:
    """A shop with one shirt in two sizes, its webhooks aimed at the receiver."""
    one = FakeShopify(Options(webhook_url=receiver.url, retry_delay=0.01, disorder_delay=0.02))
    one.shop.create_product("Shirt", {"TEE-M": "19.90", "TEE-L": "20.90"}, stock=5)
    await one.start()
    receiver.account = one.account()
    yield one
    await one.stop()


@pytest.fixture
async def sender() -> AsyncIterator[HttpSender]:
    """The HTTP client the courier uses."""
    one = HttpSender()
    yield one
    await one.close()
