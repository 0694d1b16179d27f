"""A fake warehouse on a real port: its API, webhooks, and `/_fake/*` for whoever drives or watches it.

GET  /_fake/state                what the warehouse holds: stock, orders, shipments
GET  /_fake/journal?after=N      everything that was really done, with a sequence above N
GET  /_fake/calls                every accepted write with its idempotency key; `replayed`: answered, not done again
GET  /_fake/stats                limit, requests, deliveries in numbers, options
GET  /_fake/deliveries           every webhook delivery with its answers
POST /_fake/edit                 {"do": "ship", "order": reference}: somebody in the warehouse works
POST /_fake/control              {"outage": true, "rate": 5}: change options
"""

from __future__ import annotations

import asyncio
import math
from contextlib import suppress
from dataclasses import asdict
from random import Random
from typing import Any

from aiohttp import web

from connectors.kit.clock import Clock, SystemClock
from connectors.kit.contract import Account
from connectors.kit.fakelimit import Limit
from connectors.kit.fakeserver import MOST_BODY, Backstage, hang_up, json_reply
from connectors.threepl.fake import render
from connectors.threepl.fake.api import Answer, Api, Call, refusal
from connectors.threepl.fake.delivery import Deliveries
from connectors.threepl.fake.edits import BadEdit, edit
from connectors.threepl.fake.errors import ApiError
from connectors.threepl.fake.options import Options
from connectors.threepl.fake.store import Shop

_AWAY = b"<html><body><h1>Bad Gateway</h1></body></html>"


class FakeThreePl:
    """One warehouse behind one HTTP server. Work in it through `shop`, tune it through `options`, read `shop.journal`,
    `api.accepted`, `limit.stats` and `deliveries.sent`; other processes use `/_fake/*`."""

    def __init__(self, options: Options | None = None, clock: Clock | None = None) -> None:
        self.options, self.clock = options or Options(), clock or SystemClock()
        self._random = Random(self.options.seed)
        self.deliveries = Deliveries(self.options, Random(self.options.seed + 1), self.clock)
        self.shop = Shop(self.options, self.clock, self.deliveries.announce)
        self.limit = Limit(self.options, self.clock)
        self.api = Api(self.shop, self.clock)
        self.requests = self.failed = self.lost_replies = 0
        self.base_url = ""
        self._runner: web.AppRunner | None = None
        self._work: asyncio.Task[None] | None = None

    # ------------------------------------------------------------------------------------------- life

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the base URL. Port 0 takes a free one."""
        self._runner = web.AppRunner(self._application(), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        await self.deliveries.start()
        self._work = asyncio.create_task(self._work_on())
        self.base_url = f"http://{host}:{self._runner.addresses[0][1]}"
        return self.base_url

    async def stop(self) -> None:
        """Give up pending webhooks and close."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        await self.deliveries.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def account(self, tenant: str = "t1", id: str = "warehouse", **settings: str) -> Account:
        """The account by which Sluice knows this warehouse."""
        secrets = {"webhook": [self.options.webhook_secret], "api_token": [self.options.api_token]}
        return Account(tenant, id, "threepl", self.base_url, settings, secrets)

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=MOST_BODY)
        application.router.add_route("*", "/v1/{path:.*}", self._api)
        application.router.add_get("/_fake/calls", self._calls)
        application.router.add_get("/_fake/deliveries", self._deliveries)
        Backstage(self, lambda values: edit(self.shop, values)).add_to(application.router)
        return application

    async def _work_on(self) -> None:
        """Every order a step further, as often as the options say."""
        while True:
            await asyncio.sleep(self.options.work_after or 0.1)
            if self.options.work_after > 0:
                self.work()

    def work(self) -> None:
        """Pack what is received, ship what is packed, deliver what is shipped: one step of everything."""
        waiting = [one.id for one in self.shop.orders.values() if one.status == "received"]
        for shipment_id in list(self.shop.shipments):
            with suppress(BadEdit):
                self.shop.advance(shipment_id)
        for order_id in waiting:
            self.shop.pack(order_id)

    # ------------------------------------------------------------------------------------------- vendor side

    async def _api(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        call = _call(request, await request.read())
        options, chance = self.options, self._random.random
        delay = options.latency + chance() * options.jitter + call.is_write * options.commit_delay
        fails, lost = chance() < options.server_errors, chance() < options.lost_replies
        if (wait := self.limit.take()) > 0:
            return self._reply(refusal(ApiError(429, "rate_limited", "Too many requests")), wait)
        with self.api.keys.running(call.key) as mine:
            if not mine:
                return self._reply(refusal(ApiError(409, "request_in_progress", "A request with this key is running")))
            if delay:
                await asyncio.sleep(delay)
            if options.outage or fails:
                self.failed += 1
                return web.Response(status=503 if options.outage else 502, body=_AWAY, content_type="text/html")
            answer = self.api.answer(call)
        if lost and answer.wrote:
            self.lost_replies += 1
            return hang_up(request)
        return self._reply(answer)

    def _reply(self, answer: Answer, wait: float = 0.0) -> web.Response:
        headers = {"Retry-After": str(math.ceil(wait))} if wait else {}
        if answer.etag:
            headers["ETag"] = answer.etag
        if self.options.rate > 0 and not self.options.hide_limit:
            level = self.limit.level
            headers["X-RateLimit-Limit"] = str(int(self.options.burst))
            headers["X-RateLimit-Remaining"] = str(int(level))
            headers["X-RateLimit-Reset"] = str(math.ceil((self.options.burst - level) / self.options.rate))
        return web.Response(status=answer.status, body=answer.body, headers=headers, content_type="application/json")

    # ------------------------------------------------------------------------------------------- oracle side

    def state(self) -> dict[str, Any]:
        """What the warehouse holds: stock by SKU and site, orders and shipments by id."""
        shop = self.shop
        return {
            "levels": {one.sku: {one.warehouse: one.available} for one in shop.stock.values()},
            "orders": {one.id: render.order(one) for one in shop.orders.values()},
            "shipments": {one.id: render.shipment(one) for one in shop.shipments.values()},
            "locations": {self.options.site: self.options.site},
        }

    def stats(self) -> dict[str, Any]:
        """Numbers of everything."""
        return {
            "limit": self.limit.report(),
            "requests": self.requests,
            "failed": self.failed,
            "lost_replies": self.lost_replies,
            "writes": len(self.shop.journal),
            "replayed": sum(one.replayed for one in self.api.accepted),
            "deliveries": self.deliveries.numbers(),
            "options": {**asdict(self.options), "api_token": "", "webhook_secret": ""},
        }

    async def _calls(self, request: web.Request) -> web.Response:
        return json_reply([asdict(one) for one in self.api.accepted])

    async def _deliveries(self, request: web.Request) -> web.Response:
        return json_reply(self.deliveries.report())


def _call(request: web.Request, body: bytes) -> Call:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Call(request.method, request.match_info["path"].strip("/"), dict(request.query), headers, body)
