"""What PrestaShop documents about limits: none. Pure data.

The webservice of the core neither counts nor reports requests; what refuses is the host or a CDN in front of it
(429, 503, 508, 520 to 524). What Sluice asks of a shop is the account's own setting: `rate`, `burst`, `max_in_flight`.
"""

from __future__ import annotations

from connectors.kit.limits import Kind, Limit

LIMITS: tuple[Limit, ...] = (
    Limit(
        "Webservice", Kind.NONE, 0.0, "requests", 0.0, "the shop's host",
        "none in the core; a host or CDN answers 429, 503, 508 or 520 to 524, with or without Retry-After",
        "https://devdocs.prestashop-project.org/9/webservice/", "2026-11", endpoints=("/api/*",),
        note="ask the host for a figure and set `rate` and `burst` of the account by it",
    ),
)  # fmt: skip
