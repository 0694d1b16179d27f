"""The shop's webhooks: payload, headers and signature. How they are sent: `connectors.kit.fakedelivery`."""

from __future__ import annotations

import base64
import hashlib
import hmac
from random import Random

import aiohttp
import orjson

from connectors.kit import fakedelivery
from connectors.kit.fakedelivery import Sent
from connectors.shopify.fake import render
from connectors.shopify.fake.options import Options
from connectors.shopify.fake.records import Change
from connectors.shopify.fake.subscriptions import Subscription, Subscriptions

# Source: shopify.dev, webhooks/https: one second to connect, five for the whole request.
_TIMEOUT = aiohttp.ClientTimeout(total=5.0, sock_connect=1.0)
_API_VERSION = "2026-10"


def signature(secret: str, body: bytes) -> str:
    """base64(HMAC-SHA256(secret, body))."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


class Deliveries(fakedelivery.Deliveries):
    """One webhook per change."""

    def __init__(self, options: Options, random: Random, subscriptions: Subscriptions) -> None:
        super().__init__(options, random, _TIMEOUT)
        self._shop, self._subscriptions = options, subscriptions

    def announce(self, change: Change) -> None:
        """Send the webhooks of a change to every address the shop has for it, if this was started."""
        if self.wanted:
            self._tell(change, None)
        if self.started:
            for subscription in self._subscriptions.of(change.topic):
                self._tell(change, subscription)

    def _tell(self, change: Change, subscription: Subscription | None) -> None:
        """`subscription`: None for the one of the app's configuration."""
        webhook_id, event_id = self.uuid(), self.uuid()
        body = orjson.dumps(change.payload).replace(b"/", b"\\/")  # as the vendor escapes it: only raw bytes verify
        headers = self._headers(change, webhook_id, event_id, body)
        sent = Sent(webhook_id, change.topic, change.resource_id, change.triggered_at)
        if subscription is None:
            return self.submit(sent, lambda: headers, body)
        return self.submit(
            sent,
            lambda: headers,
            body,
            subscription.uri,
            lambda accepted: self._subscriptions.answered(subscription, accepted=accepted),
        )

    def _headers(self, change: Change, webhook_id: str, event_id: str, body: bytes) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "X-Shopify-Topic": change.topic,
            "X-Shopify-Hmac-Sha256": signature(self._shop.webhook_secret, body),
            "X-Shopify-Shop-Domain": self._shop.shop_domain,
            "X-Shopify-API-Version": _API_VERSION,
            "X-Shopify-Webhook-Id": webhook_id,
            "X-Shopify-Event-Id": event_id,
            "X-Shopify-Triggered-At": render.triggered(change.triggered_at),
        }
