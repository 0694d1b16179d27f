"""The webhook subscriptions of an account, listed and made anew. Sans-I/O flows.

A subscription that was made through the API is deleted by the shop after eight failures in a row; those of an app's
configuration file stay, and the API does not list them, so an account that has such must not name a `webhook_address`.
Sources: shopify.dev, webhooks/delivery, webhookSubscriptionCreate; `uri` since 2025-10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.kit.contract import Account, Flow
from connectors.kit.errors import Invalid
from connectors.shopify import graphql, queries, reads, settings
from connectors.shopify.poller import INVENTORY, ORDERS, PRODUCTS, SKUS, ShopifyPoller

_TAKEN = "already been taken"  # the only way the vendor has of saying that it is there
_TOPICS: Mapping[str, tuple[str, ...]] = {
    "orders/create": (ORDERS,),
    "orders/updated": (ORDERS,),
    "orders/cancelled": (ORDERS,),
    "products/create": (PRODUCTS,),
    "products/update": (PRODUCTS,),
    "products/delete": (SKUS,),
    "inventory_levels/update": (INVENTORY,),
    "inventory_levels/connect": (INVENTORY,),
    "inventory_levels/disconnect": (),
    "inventory_items/update": (PRODUCTS,),
}


class ShopifySubscriptions:
    """Implements contract.Subscriptions."""

    def wanted(self, account: Account) -> Mapping[str, Sequence[str]]:
        """All topics that are mapped, but for those of stock where the account names no locations."""
        if not settings.webhook_address(account):
            return {}
        polled = {resource.name for resource in ShopifyPoller().resources(account)}
        return {
            topic: [name for name in resources if name in polled]
            for topic, resources in _TOPICS.items()
            if INVENTORY in polled or not topic.startswith("inventory_levels/")
        }

    def listed(self, account: Account) -> Flow:
        """The topics that are sent to the account's address."""
        address, topics, after = settings.webhook_address(account), set[str](), None
        while True:
            variables = {"first": queries.SUBSCRIPTION_PAGE, "after": after}
            cost = queries.SUBSCRIPTIONS_COST
            found = yield from reads.ask(
                account, "read_subscriptions", queries.SUBSCRIPTIONS, variables, cost, "webhookSubscriptions"
            )
            connection = found or {}
            nodes = connection.get("nodes") or []
            topics |= {topic for topic in _TOPICS for node in nodes if _tells(node, topic, address)}
            after = reads.next_page(connection)
            if after is None:
                return topics

    def subscribe(self, account: Account, topic: str) -> Flow:
        """Send the topic to the account's address."""
        subscription = {"uri": settings.webhook_address(account), "format": "JSON"}
        sent = graphql.request(
            account,
            "subscribe",
            queries.SUBSCRIBE,
            {"topic": _enum(topic), "subscription": subscription},
            cost=queries.MUTATION_COST,
            writes=True,
        )
        reply = yield sent
        try:
            graphql.payload(sent, reply, "webhookSubscriptionCreate")
        except Invalid as error:
            if _TAKEN not in error.detail:
                raise


def _tells(node: Mapping[str, Any], topic: str, address: str) -> bool:
    return node.get("topic") == _enum(topic) and node.get("uri") == address


def _enum(topic: str) -> str:
    """orders/create -> ORDERS_CREATE."""
    return topic.replace("/", "_").upper()
