"""Calls as tests want them."""

from __future__ import annotations

from typing import Any

from streams.runtime.quota.calls import Call, Pace

NOW = 1_772_366_400.0  # 2026-03-01 12:00 UTC
GRAPHQL = "/admin/api/{version}/graphql.json"


def call(at: float = 0.0, **changes: Any) -> Call:
    """A set at a Shopify, `at` seconds after NOW, answered at once."""
    values: dict[str, Any] = {
        "at": NOW + at, "ended": NOW + at, "tenant": "acme", "account": "shop", "platform": "shopify",
        "bucket": "acme|shop", "lane": "normal", "purpose": "set", "operation": "set_price", "method": "POST",
        "endpoint": GRAPHQL, "status": 200, "outcome": "success", "cost": 10.0, "limit": 2000.0, "restore_rate": 100.0,
    }  # fmt: skip
    return Call(**{**values, **changes})


def presta(at: float = 0.0, **changes: Any) -> Call:
    """A read at a PrestaShop, which reports nothing of its quota."""
    pace = Pace(level=9.0, limit=10.0, restore_rate=10.0, refill=10.0, blocked_until=0.0)
    values: dict[str, Any] = {
        "platform": "prestashop", "account": "presta", "bucket": "acme|presta", "purpose": "poll",
        "operation": "read_products", "method": "GET", "endpoint": "/api/products", "cost": 1.0, "limit": None,
        "restore_rate": None, "pace": pace,
    }  # fmt: skip
    return call(at, **{**values, **changes})
