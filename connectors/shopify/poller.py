"""Reads everything that changed at a shop, window by window. Sans-I/O flows.

A window is closed (`updated_at` between two whole seconds); rows that change while it is paged leave it at its far end
and are found by the next one. Windows overlap because the search index behind `query:` lags and clocks differ. Stock
has its own resource: a level's change does not move its item's or product's `updated_at`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.kit.contract import Account, Flow, Json, Observation, Page, Request, Resource, Response
from connectors.kit.errors import Invalid, Misconfigured
from connectors.shopify import queries, reads, settings
from connectors.shopify.context import PRODUCT
from connectors.shopify.payload import gid, nanoseconds

PRODUCTS, INVENTORY = "products", "inventory"
_SECOND = 1_000_000
_WINDOW_CAP = 20_000  # a connection ends at 25,000 objects: start a new window before
PageFlow = Generator[Request, Response, Page]


class ShopifyPoller:
    """Implements contract.Poller."""

    def resources(self, account: Account) -> tuple[Resource, ...]:
        """Stock first; it is offered when the account names locations."""
        interval = settings.seconds(account, "poll_interval", 60.0)
        products = Resource(PRODUCTS, interval)
        if not settings.locations(account).id_of:
            return (products,)
        return (Resource(INVENTORY, interval), products)

    def page(self, account: Account, resource: str, cursor: Mapping[str, Json], now: int) -> Flow:
        """Cursor: {from, until: microseconds; after: page; location: code; count}. Raises Invalid for another
        resource."""
        if resource == PRODUCTS:
            return _products(account, _opened(account, cursor, now))
        if resource == INVENTORY:
            return _inventory(account, _opened(account, cursor, now))
        raise Invalid(f"account {account.id!r}: cannot poll {resource!r}", hint=f"known: {PRODUCTS}, {INVENTORY}")


# ----------------------------------------------------------------------------------------------- windows


def _opened(account: Account, cursor: Mapping[str, Json], now: int) -> dict[str, Json]:
    """The window the cursor is in, or a new one from where the last one ended, less the overlap, until now."""
    if "until" in cursor:
        return dict(cursor)
    overlap = int(settings.seconds(account, "poll_overlap", 120.0) * _SECOND)
    read_until = int(cursor.get("read_until", 0))
    until = max(now, read_until) // _SECOND * _SECOND
    return {"from": max(0, read_until - overlap), "until": until}


def _closed(window: Mapping[str, Json]) -> dict[str, Json]:
    return {"read_until": window["until"]}


def _search(window: Mapping[str, Json]) -> str:
    upper = f"updated_at:<='{_utc(window['until'])}'"
    return f"updated_at:>='{_utc(window['from'])}' AND {upper}" if window["from"] else upper


def _utc(micros: int) -> str:
    return datetime.fromtimestamp(micros // _SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# ----------------------------------------------------------------------------------------------- products


def _products(account: Account, window: dict[str, Json]) -> PageFlow:
    """One page of products in the order they changed, each with all its variants."""
    variables = {
        "first": queries.PRODUCT_PAGE,
        "after": window.get("after"),
        "query": _search(window),
        "variants": queries.VARIANTS_PER_PRODUCT,
    }
    cost = queries.PRODUCTS_COST
    found = yield from reads.ask(account, "poll_products", queries.PRODUCTS, variables, cost, "products")
    connection = found or {}
    nodes: list[dict[str, Any]] = []
    for node in connection.get("nodes") or []:
        whole = yield from reads.whole_product(account, node)
        nodes.append(whole)
    observed = [reads.seen(PRODUCT, _id(node), node) for node in nodes]
    after = reads.next_page(connection)
    if after is None:
        return Page(observed, _closed(window), done=True)
    return Page(observed, _advanced(window, after, nodes), done=False)


def _advanced(window: dict[str, Json], after: str, nodes: list[dict[str, Any]]) -> dict[str, Json]:
    count = int(window.get("count", 0)) + len(nodes)
    reached = (nanoseconds(nodes[-1].get("updatedAt") or "") or 0) // 1000 if nodes else 0
    if count >= _WINDOW_CAP and reached > window["from"]:
        return {"from": reached, "until": window["until"]}
    return {**window, "after": after, "count": count}


# ----------------------------------------------------------------------------------------------- inventory


def _inventory(account: Account, window: dict[str, Json]) -> PageFlow:
    """One page of the levels of one location; a pass goes through the locations in the order of their codes."""
    known = settings.locations(account).id_of
    left = [code for code in sorted(known) if code >= window.get("location", "")]
    if not left:
        return Page((), _closed(window), done=True)
    code = left[0]
    variables = {
        "id": gid("Location", known[code]),
        "first": queries.LEVEL_PAGE,
        "after": window.get("after") if code == window.get("location") else None,
        "query": _search(window),
    }
    cost = queries.LOCATION_LEVELS_COST
    found = yield from reads.ask(account, "poll_levels", queries.LOCATION_LEVELS, variables, cost, "location")
    if found is None:
        raise Misconfigured(
            f"account {account.id!r}: location {known[code]}={code} does not exist",
            hint="correct the account's setting locations",
        )
    connection = found.get("inventoryLevels") or {}
    observed = [_level(node) for node in connection.get("nodes") or []]
    after = reads.next_page(connection)
    if after is not None:
        return Page(observed, {**window, "location": code, "after": after}, done=False)
    if len(left) > 1:
        return Page(observed, {"from": window["from"], "until": window["until"], "location": left[1]}, done=False)
    return Page(observed, _closed(window), done=True)


def _level(node: dict[str, Any]) -> Observation:
    return reads.seen("inventory_level", f"{_id(node['item'])}:{_id(node['location'])}", node)


def _id(node: Mapping[str, Any]) -> str:
    return str(node["id"]).rpartition("/")[2]
