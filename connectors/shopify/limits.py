"""What Shopify documents about its limits. Pure data.

GraphQL costs are charged as requested and settled to what was used; bucket sizes are in no document, they stand in
`throttleStatus.maximumAvailable` of every reply. Older texts (50 points a second) are widespread and out of date.
"""

from __future__ import annotations

from connectors.kit.limits import Kind, Limit
from connectors.shopify.graphql import ENDPOINT

_GRAPHQL = "https://shopify.dev/docs/apps/build/apis/graphql-admin/rate-limits"
_USAGE = "https://shopify.dev/docs/api/usage/limits"
_REST = "https://shopify.dev/docs/api/admin-rest/usage/rate-limits"
_GRAPHQL_READ, _READ = "2026-08-27", "2026-11"
_COST = "extensions.cost in every reply; a refusal is HTTP 200 with code THROTTLED"


def _graphql(plan: str, points: float) -> Limit:
    return Limit(
        "GraphQL Admin", Kind.REFILL, points, "points", 1.0, "app and store", _COST, _GRAPHQL, _GRAPHQL_READ, plan,
        (ENDPOINT,),
    )  # fmt: skip


def _rest(plan: str, requests: float) -> Limit:
    signals = "X-Shopify-Shop-Api-Call-Limit: used/size; 429 with Retry-After in decimal seconds"
    return Limit(
        "REST Admin", Kind.REFILL, requests, "requests", 1.0, "app and store", signals, _REST, _READ, plan,
        note="legacy API; a bucket of 40 requests on Standard",
    )  # fmt: skip


LIMITS: tuple[Limit, ...] = (
    _graphql("Standard", 100.0),
    _graphql("Advanced", 200.0),
    _graphql("Plus", 1000.0),
    _graphql("Enterprise", 2000.0),
    Limit(
        "GraphQL Admin", Kind.REQUEST, 1000.0, "points", 0.0, "one query", "error MAX_COST_EXCEEDED", _GRAPHQL,
        _GRAPHQL_READ, endpoints=(ENDPOINT,),
    ),
    Limit(
        "GraphQL Admin", Kind.REQUEST, 250.0, "items of an array argument", 0.0, "one query", "error", _USAGE, _READ,
        endpoints=(ENDPOINT,),
    ),
    Limit(
        "GraphQL Admin", Kind.WINDOW, 1000.0, "new variants", 86_400.0, "store", "error", _GRAPHQL, _GRAPHQL_READ,
        endpoints=(ENDPOINT,), note="only from 50,000 variants on",
    ),
    _rest("Standard", 2.0),
    _rest("Advanced", 4.0),
    _rest("Plus", 20.0),
    _rest("Enterprise", 40.0),
)  # fmt: skip
