"""A receiver behind a real socket, with a producer in memory."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from connectors.kit.contract import Account, Delivery, DeliveryFacts, Envelope, Ignored, Mapped, Platform
from connectors.kit.errors import BadSignature
from connectors.kit.metrics import Metrics
from schemas.codec import Codec
from schemas.registry import MemorySchemas
from streams.receiver.envelope import RawRecords
from streams.receiver.intake import Intake, Limits
from streams.receiver.measure import Measures
from streams.receiver.producer import MemoryProducer
from streams.receiver.server import HttpServer

SECRET = "hush"
ACCOUNT = Account("acme", "shop", "shopify", "https://shop.example", secrets={"webhook": (SECRET,)})
WITHOUT_WEBHOOKS = Account("acme", "office", "prestashop", "https://office.example")
CODEC = Codec(MemorySchemas())
NOW = 1_772_366_400_123_456
PATH = "/webhooks/shopify/acme/shop"


class SignedSource:
    """HMAC over the body; one compliance topic."""

    max_body = 1_000
    kept_headers: tuple[str, ...] = ("x-topic", "x-delivery")

    def authenticate(self, account: Account, delivery: Delivery) -> None:
        if account.id == "broken":
            raise KeyError("webhook")
        if not hmac.compare_digest(delivery.headers.get("x-signature", ""), sign(delivery.body)):
            raise BadSignature("the signature is of another body; secret hush")

    def facts(self, account: Account, delivery: Delivery) -> DeliveryFacts:
        topic = delivery.headers.get("x-topic", "")
        return DeliveryFacts(delivery.headers.get("x-delivery", "none"), topic, "", topic == "redact")


class Nothing:
    revision = 1

    def map(self, account: Account, envelope: Envelope) -> list[Mapped] | Ignored:
        return Ignored("not mapped here")


PLATFORMS = {
    "shopify": Platform("shopify", Nothing(), SignedSource()),
    "prestashop": Platform("prestashop", Nothing()),
    "rival": Platform("rival", Nothing(), SignedSource()),
}


def sign(body: bytes) -> str:
    return base64.b64encode(hmac.digest(SECRET.encode(), body, hashlib.sha256)).decode()


def signed(body: bytes, **headers: str) -> dict[str, str]:
    return {"X-Signature": sign(body), "X-Topic": "orders/create", "X-Delivery": "d-1", "Cookie": "c=1", **headers}


@dataclass
class Door:
    sink: MemoryProducer
    intake: Intake
    server: HttpServer
    client: aiohttp.ClientSession
    metrics: Metrics
    port: int

    async def post(self, body: Any, headers: Mapping[str, str], path: str = PATH) -> tuple[int, Any, Mapping[str, str]]:
        async with self.client.post(path, data=body, headers=headers) as reply:
            answer = await reply.json() if reply.status != 200 else await reply.read()
            return reply.status, answer, dict(reply.headers)

    async def until_held(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.sink.held) < count:  # noqa: ASYNC110 - the twin has no event, and needs none elsewhere
                await asyncio.sleep(0.005)


async def first_line(door: Door, *parts: bytes) -> bytes:
    """Send parts of a request as they stand, one at a time; what the status line says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)
        return await asyncio.wait_for(reader.readline(), 5)
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    sink, metrics = MemoryProducer(), Metrics()
    broken = Account("acme", "broken", "shopify", "https://b.example")
    accounts = {(one.tenant, one.id): one for one in (ACCOUNT, WITHOUT_WEBHOOKS, broken)}
    limits = Limits(in_flight=3, body_timeout=0.2, retry_after=7)
    to = (RawRecords(CODEC), sink)
    intake = Intake(accounts, PLATFORMS, *to, limits=limits, measures=Measures(metrics), now=lambda: NOW)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    server = HttpServer(intake, drain=1.0)
    await server.start(listener)
    async with aiohttp.ClientSession(base_url=f"http://127.0.0.1:{port}") as client:
        yield Door(sink, intake, server, client, metrics, port)
    await server.stop()


async def talk(door: Door, *requests: bytes) -> list[bytes]:
    """Heads of the answers to requests on one connection, sent one after the other; b"" when it was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    heads = []
    try:
        for request in requests:
            writer.write(request)
            try:
                heads.append(await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5))
            except (asyncio.IncompleteReadError, ConnectionError):
                heads.append(b"")
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return heads


def plain(body: bytes, path: str = PATH, version: str = "1.1", **headers: str) -> bytes:
    """A request as bytes."""
    given = {**signed(body), "Host": "x", "Content-Length": str(len(body)), **headers}
    lines = [f"POST {path} HTTP/{version}", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
