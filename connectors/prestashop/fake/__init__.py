"""A fake shop for tests, benchmarks and trying things out: the webservice with its quirks, limits and faults."""

from __future__ import annotations

from connectors.prestashop.fake.options import Options
from connectors.prestashop.fake.server import FakePrestaShop

__all__ = ["FakePrestaShop", "Options"]
