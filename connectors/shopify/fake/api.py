"""The GraphQL Admin endpoint without the wire: token, cost, bucket, execution."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    build_schema,
    execute_sync,
    parse,
    validate,
)

from connectors.kit.clock import Clock
from connectors.shopify.fake.bucket import Bucket
from connectors.shopify.fake.cost import Pricing
from connectors.shopify.fake.fulfilling import Fulfilling, Orders
from connectors.shopify.fake.mutations import IdempotencyKeys, Mutations
from connectors.shopify.fake.nodes import Nodes
from connectors.shopify.fake.store import Shop
from connectors.shopify.fake.subscription_nodes import SubscriptionNodes
from connectors.shopify.fake.subscriptions import Subscriptions
from connectors.shopify.fake.tokens import AccessTokens


@lru_cache(maxsize=1)
def schema() -> GraphQLSchema:
    """The schema in schema.graphql."""
    return build_schema((files("connectors.shopify.fake") / "schema.graphql").read_text())


@lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[DocumentNode | None, tuple[str, ...]]:
    try:
        document = parse(text)
    except GraphQLError as error:
        return None, (error.message,)
    return document, tuple(error.message for error in validate(schema(), document))


@dataclass(frozen=True)
class Answer:
    """One reply. `wrote`: something was carried out that a lost reply would hide."""

    status: int
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    wrote: bool = False


class Api:
    """Answers requests of one shop against one bucket."""

    def __init__(
        self, shop: Shop, bucket: Bucket, clock: Clock, subscriptions: Subscriptions, tokens: AccessTokens
    ) -> None:
        self._shop, self._bucket, self._clock = shop, bucket, clock
        self._subscriptions = SubscriptionNodes(subscriptions)
        self._tokens = tokens
        self._options = shop.options
        self._keys = IdempotencyKeys()
        self.requests = 0

    def answer(self, version: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One request; header names in lower case."""
        self.requests += 1
        if not self._tokens.accepts(headers.get("x-shopify-access-token", "")):
            return Answer(401, {"errors": "[API] Invalid API key or access token"}, {})
        if not re.fullmatch(r"\d{4}-\d{2}|unstable", version):
            return Answer(404, {"errors": "Not Found"}, {})
        asked = _object(body)
        if asked is None or not isinstance(asked.get("query"), str):
            return Answer(400, {"errors": "Required parameter missing or invalid"}, {})
        document, errors = _parsed(asked["query"])
        if document is None or errors:
            return Answer(200, {"errors": [{"message": message} for message in errors]}, {})
        variables = asked.get("variables") or {}
        return self._charged(version, headers.get("x-request-id", ""), document, variables)

    def _charged(self, version: str, request_id: str, document: DocumentNode, variables: dict[str, Any]) -> Answer:
        pricing = Pricing(schema(), document, variables)
        requested = pricing.requested()
        if requested > self._options.max_query_cost:
            return Answer(200, {"errors": [_max_cost(requested, self._options.max_query_cost)]}, {})
        if not self._bucket.take(requested):
            return self._throttled(requested)
        result = execute_sync(schema(), document, root_value=self._root(version, request_id), variable_values=variables)
        actual = min(requested, pricing.actual(result.data))
        self._bucket.give_back(requested - actual)
        body: dict[str, Any] = {"data": result.data, "extensions": self._cost(requested, actual)}
        if result.errors:
            body["errors"] = [error.formatted for error in result.errors]
        return Answer(200, body, {"x-request-id": request_id} if request_id else {}, wrote=pricing.is_mutation)

    def _root(self, version: str, request_id: str) -> dict[str, Any]:
        now = self._clock.now()
        nodes = Nodes(self._shop, now)
        writes = Mutations(self._shop, self._keys, now, version, request_id)
        return {
            "product": nodes.product,
            "productVariant": nodes.variant,
            "productVariants": nodes.variants,
            "products": nodes.products,
            "nodes": nodes.nodes,
            "orders": nodes.orders,
            "webhookSubscriptions": self._subscriptions.all,
            "webhookSubscriptionCreate": self._subscriptions.create,
            "inventoryItem": nodes.item,
            "location": nodes.location,
            "order": Orders(self._shop).order,
            "shop": nodes.shop,
            "inventorySetQuantities": writes.set_quantities,
            "productVariantsBulkUpdate": writes.update_variants,
            "fulfillmentCreate": Fulfilling(self._shop, request_id).create,
        }

    def _throttled(self, requested: int) -> Answer:
        body = {
            "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
            "extensions": self._cost(requested, None),
        }
        if self._options.throttle_with_429:
            return Answer(429, body, {"retry-after": f"{self._bucket.wait(requested):.2f}"})
        return Answer(200, body, {})

    def _cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        cost: dict[str, Any] = {"requestedQueryCost": requested, "actualQueryCost": actual}
        if not self._options.hide_throttle_status:
            cost["throttleStatus"] = self._bucket.throttle_status()
        return {"cost": cost}


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _max_cost(requested: int, limit: float) -> dict[str, Any]:
    message = f"Query cost is {requested}, which exceeds the single query max cost limit ({limit:g})."
    return {"message": message, "extensions": {"code": "MAX_COST_EXCEEDED", "cost": requested, "maxCost": limit}}
