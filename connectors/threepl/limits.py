"""What the warehouse documents about limits. Pure data.

The figures are those of its standard contract; an account with another one says so in `rate` and `burst`.
"""

from __future__ import annotations

from connectors.kit.limits import Kind, Limit

LIMITS: tuple[Limit, ...] = (
    Limit(
        "Warehouse API", Kind.REFILL, 10.0, "requests", 1.0, "an access token",
        "X-RateLimit-Limit, -Remaining and -Reset (seconds) in every reply; 429 with Retry-After",
        "connectors/threepl/api.py", "2026-11", endpoints=("/v1/*",),
        note="20 requests at once",
    ),
)  # fmt: skip
