"""A fake warehouse, a receiver for its webhooks and a sender for our requests, all on real ports."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web

from connectors.kit.contract import Account, Delivery, Request, Response
from connectors.kit.errors import Refused
from connectors.kit.http import HttpSender
from connectors.threepl import PLATFORM
from connectors.threepl.fake import FakeThreePl, Options

Sends = Callable[[Account], Callable[[Request], Awaitable[Response]]]


class Receiver:
    """Keeps what is authentic; `refusals` answers 503 to so many before it accepts one."""

    def __init__(self) -> None:
        self.account: Account | None = None
        self.received: list[Delivery] = []
        self.refused: list[str] = []
        self.refusals = 0
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        """One delivery."""
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivery = Delivery(headers, await request.read(), self.now())
        assert self.account is not None
        assert PLATFORM.source is not None
        try:
            PLATFORM.source.authenticate(self.account, delivery)
        except Refused as error:
            self.refused.append(error.detail)
            return web.Response(status=error.status)
        if self.refusals:
            self.refusals -= 1
            return web.Response(status=503)
        self.received.append(delivery)
        return web.Response(status=204)

    now: Callable[[], int] = staticmethod(lambda: 0)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Accepts what is signed with the warehouse's secret."""
    one, application = Receiver(), web.Application()
    application.router.add_post("/hooks", one.take)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hooks"
    yield one
    await runner.cleanup()


@pytest.fixture
async def fake(receiver: Receiver) -> AsyncIterator[FakeThreePl]:
    """A warehouse with two SKUs, its webhooks aimed at the receiver."""
    one = FakeThreePl(Options(webhook_url=receiver.url, retry_delay=0.01, disorder_delay=0.02))
    one.shop.create_product("Shirt", {"TEE-M": "19.90", "CAP": "5"}, stock=9)
    await one.start()
    receiver.account, receiver.now = one.account(), one.clock.now
    yield one
    await one.stop()


@pytest.fixture
async def sends() -> AsyncIterator[Sends]:
    """The sender of an account's requests."""
    sender = HttpSender()

    def of(account: Account) -> Callable[[Request], Awaitable[Response]]:
        return lambda request: sender.send(account, request)

    yield of
    await sender.close()
