"""A fake shop on a real port: the GraphQL Admin API, webhooks, and `/_fake/*` for whoever drives or watches it.

GET  /_fake/state                what the shop holds: levels and prices by SKU, products, orders
GET  /_fake/journal?after=N      accepted writes with a sequence above N
GET  /_fake/stats                bucket, requests, deliveries in numbers, options
GET  /_fake/deliveries           every webhook delivery with its answers
POST /_fake/edit                 {"do": "set_price", "sku": ..., "price": ...}: an edit in the admin
POST /_fake/control              {"outage": true, "restore_rate": 50}: change options
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from random import Random
from typing import Any

import orjson
from aiohttp import web

from connectors.kit.clock import Clock, SystemClock
from connectors.kit.contract import Account
from connectors.kit.fakeserver import MOST_BODY, Backstage, hang_up, json_reply
from connectors.shopify.fake.api import Answer, Api
from connectors.shopify.fake.bucket import Bucket
from connectors.shopify.fake.delivery import Deliveries
from connectors.shopify.fake.edits import edit
from connectors.shopify.fake.options import Options
from connectors.shopify.fake.render import money
from connectors.shopify.fake.store import Shop
from connectors.shopify.fake.subscriptions import Subscriptions
from connectors.shopify.fake.tokens import AccessTokens

DEFAULT_LOCATIONS = {655441491: "BER", 655441492: "MUC"}


class FakeShopify:
    """One shop behind one HTTP server. Edit it through `shop`, tune it through `options`, read `shop.journal`,
    `bucket.stats` and `deliveries.sent`; other processes use `/_fake/*`."""

    def __init__(
        self, options: Options | None = None, clock: Clock | None = None, locations: dict[int, str] | None = None
    ) -> None:
        self.options, self.clock = options or Options(), clock or SystemClock()
        self._random = Random(self.options.seed)
        self.subscriptions = Subscriptions(self.options, self.clock)
        self.tokens = AccessTokens(self.options, self.clock)
        self.deliveries = Deliveries(self.options, Random(self.options.seed + 1), self.subscriptions)
        places = DEFAULT_LOCATIONS if locations is None else locations
        self.shop = Shop(self.options, self.clock, self.deliveries.announce, dict(places))
        self.bucket = Bucket(self.options, self.clock)
        self.api = Api(self.shop, self.bucket, self.clock, self.subscriptions, self.tokens)
        self.lost_replies = 0
        self.base_url = ""
        self._runner: web.AppRunner | None = None

    # ------------------------------------------------------------------------------------------- life

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the base URL. Port 0 takes a free one."""
        self._runner = web.AppRunner(self._application(), access_log=None, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        await self.deliveries.start()
        bound = self._runner.addresses[0]
        self.base_url = f"http://{host}:{bound[1]}"
        return self.base_url

    async def stop(self) -> None:
        """Give up pending webhooks and close."""
        await self.deliveries.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def account(self, tenant: str = "t1", id: str = "shop-1", **settings: str) -> Account:
        """The account by which Sluice knows this shop."""
        options = self.options
        known = {
            "shop_domain": options.shop_domain,
            "currency": options.currency,
            "taxes_included": "true" if options.taxes_included else "false",
            "locations": ", ".join(f"{place}={code}" for place, code in self.shop.locations.items()),
            "bucket": str(options.bucket),
            "restore_rate": str(options.restore_rate),
        }
        secrets = {"webhook": [options.webhook_secret], "access_token": [options.access_token]}
        if "client_id" in settings:
            secrets = {"webhook": [options.webhook_secret], "client_secret": [options.client_secret]}
        return Account(tenant, id, "shopify", self.base_url, {**known, **settings}, secrets)

    def _application(self) -> web.Application:
        application = web.Application(client_max_size=MOST_BODY)
        application.router.add_post("/admin/api/{version}/graphql.json", self._graphql)
        application.router.add_post("/admin/oauth/access_token", self._token)
        application.router.add_get("/_fake/deliveries", self._deliveries)
        Backstage(self, lambda values: edit(self.shop, values)).add_to(application.router)
        return application

    # ------------------------------------------------------------------------------------------- vendor side

    async def _graphql(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        chance = self._random.random
        delay = self.options.latency + chance() * self.options.jitter
        fails, lost = chance() < self.options.server_errors, chance() < self.options.lost_replies
        if delay:
            await asyncio.sleep(delay)
        if self.options.outage or fails:
            return json_reply({"errors": "Internal Server Error"}, 503 if self.options.outage else 500)
        headers = {name.lower(): value for name, value in request.headers.items()}
        answer = self.api.answer(request.match_info["version"], headers, body)
        if lost and answer.wrote:
            self.lost_replies += 1
            return hang_up(request)
        return _answer(answer)

    async def _token(self, request: web.Request) -> web.Response:
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        if self.options.outage:
            return json_reply({"error": "unavailable"}, 503)
        status, body = self.tokens.grant(form)
        return json_reply(body, status)

    # ------------------------------------------------------------------------------------------- oracle side

    def state(self) -> dict[str, Any]:
        """What the shop holds, by SKU and location code."""
        shop = self.shop
        levels: dict[str, dict[str, int]] = {}
        for level in shop.levels.values():
            code = shop.locations[level.location_id]
            levels.setdefault(shop.items[level.item_id].sku, {})[code] = level.available
        return {
            "levels": levels,
            "prices": {variant.sku: money(variant.price) for variant in shop.variants.values()},
            "variants": {
                each.sku: {"id": each.id, "product_id": each.product_id, "inventory_item_id": each.item_id}
                for each in shop.variants.values()
            },
            "products": {str(one.id): {"title": one.title, "status": one.status} for one in shop.products.values()},
            "orders": {
                str(one.id): {
                    "number": one.number,
                    "financial_status": one.financial_status,
                    "fulfillment_status": one.fulfillment_status,
                    "fulfilments": [
                        {"tracking": each.numbers, "lines": {str(line): units for line, units in each.lines.items()}}
                        for each in one.fulfillments
                    ],
                }
                for one in shop.orders.values()
            },
            "locations": {code: place for place, code in shop.locations.items()},
        }

    def stats(self) -> dict[str, Any]:
        """Numbers of everything."""
        return {
            "bucket": self.bucket.report(),
            "requests": self.api.requests,
            "lost_replies": self.lost_replies,
            "writes": len(self.shop.journal),
            "tokens_issued": self.tokens.issued,
            "subscriptions": {"held": len(self.subscriptions.all()), "removed": self.subscriptions.removed},
            "deliveries": self.deliveries.numbers(),
            "options": {**asdict(self.options), "access_token": "", "webhook_secret": "", "client_secret": ""},
        }

    async def _deliveries(self, request: web.Request) -> web.Response:
        return json_reply(self.deliveries.report())


def _answer(answer: Answer) -> web.Response:
    body = orjson.dumps(answer.body)
    return web.Response(status=answer.status, body=body, headers=answer.headers, content_type="application/json")
