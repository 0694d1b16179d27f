"""Sends the shop's webhooks: signed, repeated until answered 2xx, and as untidy as the options say."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import aiohttp
import orjson

from connectors.shopify.fake import render
from connectors.shopify.fake.options import Options
from connectors.shopify.fake.records import Change
from connectors.shopify.fake.subscriptions import Subscription, Subscriptions

# Source: shopify.dev, webhooks/https: one second to connect, five for the whole request.
_TIMEOUT = aiohttp.ClientTimeout(total=5.0, sock_connect=1.0)
_API_VERSION = "2026-10"


@dataclass
class Sent:
    """One delivery, for oracles. `answers`: HTTP status per attempt, 0 for none; `never`: withheld on purpose."""

    webhook_id: str
    topic: str
    resource_id: int
    triggered_at: int
    never: bool = False
    duplicate: bool = False
    answers: list[int] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        """Whether an attempt was answered 2xx: from then on it is the receiver's to keep."""
        return any(200 <= answer < 300 for answer in self.answers)


def signature(secret: str, body: bytes) -> str:
    """base64(HMAC-SHA256(secret, body))."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


class Deliveries:
    """Sends in tasks of its own. `submit` decides everything random at once, so a seed gives one run."""

    def __init__(self, options: Options, random: Random, subscriptions: Subscriptions) -> None:
        self._options, self._random, self._subscriptions = options, random, subscriptions
        self._tasks: set[asyncio.Task[None]] = set()
        self._gate = asyncio.Semaphore(options.max_in_flight)
        self._session: aiohttp.ClientSession | None = None
        self.sent: list[Sent] = []

    async def start(self) -> None:
        """Open the connections."""
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)

    async def stop(self) -> None:
        """Give up what is not delivered yet."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def settle(self) -> None:
        """Wait until everything submitted was delivered or given up."""
        while self._tasks:
            await asyncio.gather(*self._tasks)

    @property
    def pending(self) -> int:
        """Deliveries that are neither accepted nor given up."""
        return len(self._tasks)

    def submit(self, change: Change) -> None:
        """Send the webhooks of a change to every address the shop has for it, if it was started."""
        if self._session is None:
            return
        if self._options.webhook_url:
            self._send(change, None)
        for subscription in self._subscriptions.of(change.topic):
            self._send(change, subscription)

    def _send(self, change: Change, subscription: Subscription | None) -> None:
        """`subscription`: None for the one of the app's configuration."""
        chance = self._random.random
        webhook_id = str(UUID(int=self._random.getrandbits(128), version=4))
        event_id = str(UUID(int=self._random.getrandbits(128), version=4))
        never, disorder = chance() < self._options.never, chance() < self._options.disorder
        delay = chance() * self._options.lateness + (chance() * self._options.disorder_delay if disorder else 0.0)
        repeat, repeat_delay = chance() < self._options.duplicates, chance() * self._options.disorder_delay
        sent = Sent(webhook_id, change.topic, change.resource_id, change.triggered_at, never)
        self.sent.append(sent)
        if never:
            return
        body = orjson.dumps(change.payload).replace(b"/", b"\\/")  # as the vendor escapes it: only raw bytes verify
        headers = self._headers(change, webhook_id, event_id, body)
        self._spawn(sent, headers, body, delay, subscription)
        if repeat:
            again = Sent(webhook_id, change.topic, change.resource_id, change.triggered_at, duplicate=True)
            self.sent.append(again)
            self._spawn(again, headers, body, delay + repeat_delay, subscription)

    def _headers(self, change: Change, webhook_id: str, event_id: str, body: bytes) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "X-Shopify-Topic": change.topic,
            "X-Shopify-Hmac-Sha256": signature(self._options.webhook_secret, body),
            "X-Shopify-Shop-Domain": self._options.shop_domain,
            "X-Shopify-API-Version": _API_VERSION,
            "X-Shopify-Webhook-Id": webhook_id,
            "X-Shopify-Event-Id": event_id,
            "X-Shopify-Triggered-At": render.triggered(change.triggered_at),
        }

    def _spawn(
        self, sent: Sent, headers: dict[str, str], body: bytes, delay: float, subscription: Subscription | None
    ) -> None:
        task = asyncio.get_running_loop().create_task(self._deliver(sent, headers, body, delay, subscription))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(
        self, sent: Sent, headers: dict[str, str], body: bytes, delay: float, subscription: Subscription | None
    ) -> None:
        if delay:
            await asyncio.sleep(delay)
        url = subscription.uri if subscription else self._options.webhook_url
        for attempt in range(self._options.attempts):
            async with self._gate:
                sent.answers.append(await self._post(url, headers, body))
            if subscription is not None:
                self._subscriptions.answered(subscription, accepted=sent.accepted)
            if sent.accepted:
                return
            await asyncio.sleep(self._options.retry_delay * min(2**attempt, 32))

    async def _post(self, url: str, headers: dict[str, str], body: bytes) -> int:
        assert self._session is not None
        with suppress(aiohttp.ClientError, TimeoutError):
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return response.status
        return 0

    def report(self) -> list[dict[str, Any]]:
        """Every delivery as JSON."""
        return [{**asdict(sent), "accepted": sent.accepted} for sent in self.sent]
