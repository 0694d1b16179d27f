"""A fake shop on a real port: the webservice, and `/_fake/*` for whoever drives or watches it.

GET  /_fake/state                what the shop holds: levels and prices by SKU, products, orders
GET  /_fake/journal?after=N      accepted writes with a sequence above N
GET  /_fake/stats                the host's limit, requests and writes in numbers, options
POST /_fake/edit                 {"do": "set_price", "sku": ..., "price": ...}: an edit in the back office
POST /_fake/control              {"outage": true, "rate": 5}: change options
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import asdict
from random import Random
from typing import Any

from aiohttp import web

from connectors.kit import golden
from connectors.kit.clock import Clock, SystemClock
from connectors.kit.contract import Account
from connectors.kit.fakelimit import Limit
from connectors.kit.fakeserver import MOST_BODY, Backstage, hang_up
from connectors.prestashop.fake.api import Answer, Api, Call
from connectors.prestashop.fake.edits import edit
from connectors.prestashop.fake.options import Options
from connectors.prestashop.fake.records import Row
from connectors.prestashop.fake.schema import CARRIERS, ORDERS, PRODUCTS
from connectors.prestashop.fake.store import Shop

_VERSION = "8.2.0"
_NOTICE = b"<br />\n<b>Notice</b>:  Undefined index: id_shop in <b>/classes/Product.php</b> on line <b>6021</b><br />\n"
_AWAY = b"<html><body><h1>503 Service Unavailable</h1></body></html>"


class FakePrestaShop:
    """One shop behind one HTTP server. Edit it through `shop`, tune it through `options`, read `shop.journal` and
    `limit.stats`; other processes use `/_fake/*`."""

    def __init__(self, options: Options | None = None, clock: Clock | None = None) -> None:
        self.options, self.clock = options or Options(), clock or SystemClock()
        self._random = Random(self.options.seed)
        self.shop = Shop(self.options, self.clock)
        self.limit = Limit(self.options, self.clock)
        self.api = Api(self.shop)
        self.requests = self.failed = self.lost_replies = 0
        self.base_url = ""
        self._runner: web.AppRunner | None = None

    # ------------------------------------------------------------------------------------------- life

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the base URL. Port 0 takes a free one."""
        self._runner = web.AppRunner(self._application(), access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self.base_url = f"http://{host}:{self._runner.addresses[0][1]}"
        return self.base_url

    async def stop(self) -> None:
        """Close."""
        if self._runner is not None:
            await self._runner.cleanup()

    def account(self, tenant: str = "t1", id: str = "shop-2", **settings: str) -> Account:
        """The account by which Sluice knows this shop."""
        known = {
            "currency": self.options.currency,
            "timezone": self.options.timezone,
            "location": self.options.location,
        }
        secrets = {"webservice_key": [self.options.key]}
        return Account(tenant, id, "prestashop", self.base_url, {**known, **settings}, secrets)

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=MOST_BODY)
        application.router.add_route("*", "/api/{path:.*}", self._webservice)
        Backstage(self, lambda values: edit(self.shop, values)).add_to(application.router)
        return application

    # ------------------------------------------------------------------------------------------- vendor side

    async def _webservice(self, request: web.Request) -> web.StreamResponse:
        self.requests += 1
        body = await request.read()
        options, chance = self.options, self._random.random
        delay = options.latency + chance() * options.jitter
        fails, lost, notice = (
            chance() < ratio for ratio in (options.server_errors, options.lost_replies, options.notices)
        )
        wait = self.limit.take()
        if delay:
            await asyncio.sleep(delay)
        if wait > 0:
            return web.Response(status=429, text="Too Many Requests", headers={"Retry-After": str(math.ceil(wait))})
        if options.outage or fails:
            self.failed += 1
            return web.Response(status=503 if options.outage else 502, body=_AWAY, content_type="text/html")
        answer = self.api.answer(_call(request, body))
        if lost and answer.wrote:
            self.lost_replies += 1
            return hang_up(request)
        return self._reply(answer, notice=notice)

    def _reply(self, answer: Answer, *, notice: bool) -> web.Response:
        headers = {"Access-Time": str(self.shop.now // 1_000_000), "X-Powered-By": "PrestaShop Webservice"}
        if answer.authenticated:
            headers["PSWS-Version"] = _VERSION
        if answer.status == 401:
            headers["WWW-Authenticate"] = 'Basic realm="Welcome to PrestaShop Webservice"'
        body = _NOTICE + answer.body if notice else answer.body
        kind = "application/json" if answer.json else "text/xml"
        return web.Response(status=answer.status, body=body, headers=headers, content_type=kind)

    # ------------------------------------------------------------------------------------------- oracle side

    def state(self) -> dict[str, Any]:
        """What the shop holds, by SKU and location code."""
        index, tables = self.shop.index, self.shop.tables
        sold = list(index.by_id.values())
        carriers: dict[str, list[Row]] = {}
        for row in tables[CARRIERS.name].values():
            carriers.setdefault(row["id_order"], []).append(row)
        return {
            "levels": {one.sku: {self.options.location: int(self.shop.stock_of(one)["quantity"])} for one in sold},
            "prices": {one.sku: golden.decimal_text(one.price) for one in sold},
            "variants": {one.sku: {"id": one.remote_id, "product_id": one.product["id"]} for one in sold},
            "products": {
                str(one): {
                    "title": next(iter(row["name"].values())),
                    "status": "active" if row["active"] == "1" else "draft",
                }
                for one, row in tables[PRODUCTS.name].items()
            },
            "orders": {
                str(one): {
                    "number": row["reference"],
                    "state": row["current_state"],
                    "tracking": [each["tracking_number"] for each in carriers.get(str(one), [])],
                }
                for one, row in tables[ORDERS.name].items()
            },
            "locations": {self.options.location: "1"},
        }

    def stats(self) -> dict[str, Any]:
        """Numbers of everything."""
        return {
            "limit": self.limit.report(),
            "requests": self.requests,
            "failed": self.failed,
            "lost_replies": self.lost_replies,
            "writes": len(self.shop.journal),
            "options": {**asdict(self.options), "key": ""},
        }


def _call(request: web.Request, body: bytes) -> Call:
    headers = {name.lower(): value for name, value in request.headers.items()}
    path = request.match_info["path"].strip("/")
    return Call(request.method, path, dict(request.query), headers, body)
