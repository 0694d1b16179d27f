"""A receiver on a real broker and deliveries for it."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from connectors.kit.contract import Account, Delivery, DeliveryFacts, Envelope, Ignored, Mapped, Platform
from connectors.kit.errors import BadSignature
from schemas.codec import Codec
from schemas.registry import MemorySchemas
from streams.receiver.role import ReceiverSettings, RunningReceiver

SECRET = b"hush"
ACCOUNT = Account("acme", "shop", "shopify", "https://shop.example")
CODEC = Codec(MemorySchemas())
RAW = "raw.shopify.v1"


class Source:
    max_body = 100_000
    kept_headers: tuple[str, ...] = ()

    def authenticate(self, account: Account, delivery: Delivery) -> None:
        if not hmac.compare_digest(delivery.headers.get("x-signature", ""), sign(delivery.body)):
            raise BadSignature("another body")

    def facts(self, account: Account, delivery: Delivery) -> DeliveryFacts:
        return DeliveryFacts(delivery.headers["x-delivery"], "orders/create")


class Nothing:
    revision = 1

    def map(self, account: Account, envelope: Envelope) -> list[Mapped] | Ignored:
        return Ignored("not mapped here")


def sign(body: bytes) -> str:
    return base64.b64encode(hmac.digest(SECRET, body, hashlib.sha256)).decode()


def running(kafka: dict[str, Any], prefix: str, **more: Any) -> RunningReceiver:
    settings = ReceiverSettings(kafka, prefix, host="127.0.0.1", port=0, probe_interval=0.2, **more)
    platforms = {"shopify": Platform("shopify", Nothing(), Source())}
    return RunningReceiver(settings, {("acme", "shop"): ACCOUNT}, platforms, CODEC)


async def post(client: aiohttp.ClientSession, port: int, name: str, body: bytes) -> int:
    """Status of one delivery; 0 when the connection broke."""
    url = f"http://127.0.0.1:{port}/webhooks/shopify/acme/shop"
    try:
        async with client.post(url, data=body, headers={"x-signature": sign(body), "x-delivery": name}) as reply:
            await reply.read()
            return reply.status
    except aiohttp.ClientError:
        return 0


async def ready(client: aiohttp.ClientSession, port: int) -> bool:
    async with client.get(f"http://127.0.0.1:{port}/readyz") as reply:
        return reply.status == 200


async def until(condition: Callable[[], Awaitable[bool]], what: str, within: float = 20.0) -> None:
    """Ask until the answer is yes. Raises AssertionError with `what` after so many seconds."""
    deadline = time.monotonic() + within
    while not await condition():
        assert time.monotonic() < deadline, f"not within {within:.0f} s: {what}"
        await asyncio.sleep(0.05)
