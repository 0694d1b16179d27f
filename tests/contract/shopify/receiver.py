"""A small receiver: keeps what is authentic, answers as told."""

from __future__ import annotations

from collections import Counter

from aiohttp import web

from connectors.kit.contract import Account, Delivery
from connectors.kit.errors import Refused
from connectors.shopify import PLATFORM


class Receiver:
    """Authentic deliveries in the order they came; `refusals` answers 503 to so many before it accepts one."""

    def __init__(self) -> None:
        self.account: Account | None = None
        self.received: list[Delivery] = []
        self.refused: list[str] = []
        self.refusals = 0
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen; returns the URL for webhooks."""
        application = web.Application()
        application.router.add_post("/hooks", self._receive)
        self._runner = web.AppRunner(application, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hooks"
        return self.url

    async def stop(self) -> None:
        """Close."""
        if self._runner is not None:
            await self._runner.cleanup()

    def topics(self) -> Counter[str]:
        """How many authentic deliveries came per topic."""
        return Counter(delivery.headers["x-shopify-topic"] for delivery in self.received)

    async def _receive(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        delivery = Delivery(headers, await request.read(), 0)
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
