"""Webhook subscriptions as GraphQL sees and makes them."""

from __future__ import annotations

from typing import Any

from connectors.shopify.fake import render
from connectors.shopify.fake.connection import page
from connectors.shopify.fake.subscriptions import Subscription, Subscriptions

Node = dict[str, Any]
_FAMILIES = ("inventory_items", "inventory_levels", "orders", "products")


class SubscriptionNodes:
    """Views of one app's subscriptions, and the mutation that adds one."""

    def __init__(self, subscriptions: Subscriptions) -> None:
        self._held = subscriptions

    def all(self, info: Any, first: int | None = None, after: str | None = None) -> Node:
        """Query.webhookSubscriptions."""
        return page(self._held.all(), lambda one: (one.id,), _node, first, after)

    def create(
        self,
        info: Any,
        topic: str,
        webhookSubscription: dict[str, Any],  # noqa: N803 - the argument's name in the schema
    ) -> Node:
        """Mutation.webhookSubscriptionCreate."""
        uri = webhookSubscription.get("uri") or ""
        if not uri.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            return _refused("Address protocol http:// is not supported")
        made = self._held.create(topic_of(topic), uri)
        if made is None:
            return _refused("Address for this topic has already been taken")
        return {"webhookSubscription": _node(made), "userErrors": []}


def topic_of(name: str) -> str:
    """ORDERS_CREATE -> orders/create."""
    lower = name.lower()
    family = next(one for one in _FAMILIES if lower.startswith(one))
    return f"{family}/{lower.removeprefix(family + '_')}"


def _node(one: Subscription) -> Node:
    return {
        "id": f"gid://shopify/WebhookSubscription/{one.id}",
        "legacyResourceId": str(one.id),
        "topic": one.topic.replace("/", "_").upper(),
        "uri": one.uri,
        "createdAt": render.utc(one.created_at),
    }


def _refused(message: str) -> Node:
    return {
        "webhookSubscription": None,
        "userErrors": [{"field": ["webhookSubscription", "callbackUrl"], "message": message}],
    }
