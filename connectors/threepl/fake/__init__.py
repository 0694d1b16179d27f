"""A fake warehouse for tests, benchmarks and trying things out: API, idempotency keys, webhooks, limits and faults."""

from __future__ import annotations

from connectors.threepl.fake.options import Options
from connectors.threepl.fake.server import FakeThreePl

__all__ = ["FakeThreePl", "Options"]
