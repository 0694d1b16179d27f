"""A fake shop for tests, benchmarks and trying things out: real GraphQL, real quota, real signed webhooks."""

from __future__ import annotations

from connectors.shopify.fake.options import Options
from connectors.shopify.fake.server import FakeShopify

__all__ = ["FakeShopify", "Options"]
