"""Closed windows of what is polled by its time of change. Pure.

A window lies between two whole seconds of `updated_at`; rows that change while it is paged leave it at its far end and
are found by the next one. Windows overlap because the search index behind `query:` lags and clocks differ. The cursor
of an open window is {from, until: microseconds; after: page; count: rows read}, of a closed one {read_until}.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.kit.contract import Account, Json
from connectors.shopify import settings
from connectors.shopify.payload import nanoseconds

WINDOW_CAP = 20_000  # a connection ends at 25,000 objects: start a new window before
_SECOND = 1_000_000


def opened(account: Account, cursor: Mapping[str, Json], now: int) -> dict[str, Json]:
    """The window the cursor is in, or a new one from where the last one ended, less the overlap, until now."""
    if "until" in cursor:
        return dict(cursor)
    overlap = int(settings.seconds(account, "poll_overlap", 120.0) * _SECOND)
    read_until = int(cursor.get("read_until", 0))
    until = max(now, read_until) // _SECOND * _SECOND
    return {"from": max(0, read_until - overlap), "until": until}


def closed(window: Mapping[str, Json]) -> dict[str, Json]:
    """The cursor between two passes."""
    return {"read_until": window["until"]}


def advanced(window: dict[str, Json], after: str, nodes: list[dict[str, Any]]) -> dict[str, Json]:
    """The cursor behind a page; a new window from the last row on before the connection ends."""
    count = int(window.get("count", 0)) + len(nodes)
    reached = (nanoseconds(nodes[-1].get("updatedAt") or "") or 0) // 1000 if nodes else 0
    if count >= WINDOW_CAP and reached > window["from"]:
        return {"from": reached, "until": window["until"]}
    return {**window, "after": after, "count": count}


def search(window: Mapping[str, Json]) -> str:
    """The window as a search term."""
    upper = f"updated_at:<='{_utc(window['until'])}'"
    return f"updated_at:>='{_utc(window['from'])}' AND {upper}" if window["from"] else upper


def _utc(micros: int) -> str:
    return datetime.fromtimestamp(micros // _SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
