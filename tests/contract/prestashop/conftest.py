"""A fake shop on a real port and the sender that talks to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from connectors.kit.contract import Account, Request, Response
from connectors.kit.http import HttpSender
from connectors.prestashop.fake import FakePrestaShop, Options

Sends = Callable[[Account], Callable[[Request], Awaitable[Response]]]


@pytest.fixture
async def fake() -> AsyncIterator[FakePrestaShop]:
    """A shop with a mug and a poster in two sizes."""
    fake = FakePrestaShop(Options(languages=2))
    fake.shop.create_product("Mug", {"MUG": "11.90"}, stock=3)
    fake.shop.create_product("Poster", {"P-40": "29", "P-60": "49"}, stock=2)
    await fake.start()
    yield fake
    await fake.stop()


@pytest.fixture
async def sends() -> AsyncIterator[Sends]:
    """The sender of an account's requests."""
    sender = HttpSender()

    def of(account: Account) -> Callable[[Request], Awaitable[Response]]:
        return lambda request: sender.send(account, request)

    yield of
    await sender.close()
