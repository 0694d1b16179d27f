"""Reads everything that changed at a shop. Sans-I/O flows.

Products, orders and stock have a date: closed windows (`polling`). Stock has its own resource: a level's change does
not move its item's or product's `updated_at`. What was deleted has no date: the list of all SKUs is read now and then,
and the courier's snapshot tells which are gone.

Rights: read_products, read_inventory, read_orders and read_customers (of a customer the id alone is read); orders
older than 60 days are shown to apps with read_all_orders only. Sources: shopify.dev, Order, access-scopes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from connectors.kit.contract import Account, Flow, Json, Observation, Page, Request, Resource, Response
from connectors.kit.errors import Invalid, Misconfigured
from connectors.shopify import polling, queries, reads, settings
from connectors.shopify.context import ORDER, PRODUCT, SKU
from connectors.shopify.payload import gid

PRODUCTS, INVENTORY, ORDERS, SKUS = "products", "inventory", "orders", "skus"
PageFlow = Generator[Request, Response, Page]
WholeNode = Callable[[Account, dict[str, Any]], reads.NodeFlow]


class ShopifyPoller:
    """Implements contract.Poller."""

    def resources(self, account: Account) -> tuple[Resource, ...]:
        """Stock first; it is offered when the account names locations. The list of SKUs, which costs as many points as
        the shop has variants, comes last and rarely."""
        interval, longest = settings.poll_intervals(account)
        wanted = {
            INVENTORY: bool(settings.locations(account).id_of),
            ORDERS: settings.flag(account, "poll_orders", default=True),
            PRODUCTS: True,
        }
        dated = (Resource(name, interval, longest=longest) for name, offered in wanted.items() if offered)
        return (*dated, Resource(SKUS, settings.seconds(account, "scan_interval", 21_600.0), scan=True))

    def page(self, account: Account, resource: str, cursor: Mapping[str, Json], now: int) -> Flow:
        """Cursor of a window: see `polling`, of stock also {location: code}; of the SKUs {after: page, above: variant
        id}. Raises Invalid for another resource."""
        if resource == SKUS:
            return _skus(account, dict(cursor))
        flows = {PRODUCTS: _products, ORDERS: _orders, INVENTORY: _inventory}
        if resource not in flows:
            known = f"known: {PRODUCTS}, {ORDERS}, {INVENTORY}, {SKUS}"
            raise Invalid(f"account {account.id!r}: cannot poll {resource!r}", hint=known)
        return flows[resource](account, polling.opened(account, cursor, now))


# ----------------------------------------------------------------------------------------------- products, orders


def _products(account: Account, window: dict[str, Json]) -> PageFlow:
    """One page of products in the order they changed, each with all its variants."""
    variables = {**_page(window, queries.PRODUCT_PAGE), "variants": queries.VARIANTS_PER_PRODUCT}
    cost = queries.PRODUCTS_COST
    found = yield from reads.ask(account, "poll_products", queries.PRODUCTS, variables, cost, "products")
    return (yield from _dated(account, window, found or {}, PRODUCT, reads.whole_product))


def _orders(account: Account, window: dict[str, Json]) -> PageFlow:
    """One page of orders in the order they changed, each with all its lines."""
    variables = {**_page(window, queries.ORDER_PAGE), "lines": queries.LINES_PER_ORDER}
    found = yield from reads.ask(account, "poll_orders", queries.ORDERS, variables, queries.ORDERS_COST, "orders")
    return (yield from _dated(account, window, found or {}, ORDER, reads.whole_order))


def _page(window: Mapping[str, Json], first: int) -> dict[str, Json]:
    return {"first": first, "after": window.get("after"), "query": polling.search(window)}


def _dated(
    account: Account, window: dict[str, Json], connection: Mapping[str, Any], topic: str, whole: WholeNode
) -> PageFlow:
    nodes: list[dict[str, Any]] = []
    for node in connection.get("nodes") or []:
        complete = yield from whole(account, node)
        nodes.append(complete)
    observed = [reads.seen(topic, _id(node), node) for node in nodes]
    after = reads.next_page(connection)
    if after is None:
        return Page(observed, polling.closed(window), done=True)
    return Page(observed, polling.advanced(window, after, nodes), done=False)


# ----------------------------------------------------------------------------------------------- inventory


def _inventory(account: Account, window: dict[str, Json]) -> PageFlow:
    """One page of the levels of one location; a pass goes through the locations in the order of their codes."""
    known = settings.locations(account).id_of
    left = [code for code in sorted(known) if code >= window.get("location", "")]
    if not left:
        return Page((), polling.closed(window), done=True)
    code = left[0]
    variables = {
        "id": gid("Location", known[code]),
        "first": queries.LEVEL_PAGE,
        "after": window.get("after") if code == window.get("location") else None,
        "query": polling.search(window),
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
    return Page(observed, polling.closed(window), done=True)


def _level(node: dict[str, Any]) -> Observation:
    return reads.seen("inventory_level", f"{_id(node['item'])}:{_id(node['location'])}", node)


# ----------------------------------------------------------------------------------------------- what is there


def _skus(account: Account, cursor: dict[str, Json]) -> PageFlow:
    """One page of the SKUs of all variants in the order of their ids. Before the connection ends, it begins anew
    above the last id."""
    above = cursor.get("above")
    variables = {
        "first": queries.SKU_PAGE,
        "after": cursor.get("after"),
        "query": f"id:>{above}" if above else None,
    }
    cost = queries.SKUS_COST
    found = yield from reads.ask(account, "poll_skus", queries.SKUS, variables, cost, "productVariants")
    connection = found or {}
    nodes = connection.get("nodes") or []
    observed = [_present(str(node["sku"])) for node in nodes if _names(node.get("sku"))]
    after = reads.next_page(connection)
    if after is None:
        return Page(observed, {}, done=True, complete_scan=True)
    count = int(cursor.get("count", 0)) + len(nodes)
    if nodes and count >= polling.WINDOW_CAP:
        return Page(observed, {"above": _id(nodes[-1])}, done=False)
    return Page(observed, {**cursor, "after": after, "count": count}, done=False)


def _names(sku: object) -> bool:
    """Whether it can name an entity and a row: it has a visible character and no NUL."""
    return isinstance(sku, str) and bool(sku.strip()) and "\x00" not in sku


def _present(sku: str) -> Observation:
    return reads.seen(SKU, sku, {"sku": sku})


def _id(node: Mapping[str, Any]) -> str:
    return str(node["id"]).rpartition("/")[2]
