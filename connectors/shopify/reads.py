"""Flows that read one record whole, however many pages it has. Sans-I/O; shared by fetches and polls."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from functools import partial
from typing import Any

import orjson

from connectors.kit.contract import Account, Observation, Request, Response
from connectors.shopify import graphql, queries
from connectors.shopify.context import INVENTORY_ITEM, ORDER, PRODUCT
from connectors.shopify.payload import gid
from schemas.entities import Op

NodeFlow = Generator[Request, Response, dict[str, Any]]
ReadFlow = Generator[Request, Response, list[Observation]]
ValueFlow = Generator[Request, Response, Any]


def ask(
    account: Account, operation: str, document: str, variables: Mapping[str, Any], cost: float, root: str
) -> ValueFlow:
    """One read; returns what stands under `root`, None for a record that is gone."""
    sent = graphql.request(account, operation, document, variables, cost=cost)
    reply = yield sent
    return graphql.data(sent, reply).get(root)


def product(account: Account, remote_id: str) -> ReadFlow:
    """One product with all its variants, or its deletion."""
    variables = {"id": gid("Product", remote_id), "variants": queries.VARIANTS_PER_PRODUCT}
    node = yield from ask(account, "read_product", queries.PRODUCT, variables, queries.PRODUCT_COST, "product")
    if not isinstance(node, dict):
        return [gone(PRODUCT, remote_id)]
    whole = yield from whole_product(account, node)
    return [seen(PRODUCT, remote_id, whole)]


def whole_product(account: Account, node: dict[str, Any]) -> NodeFlow:
    """The node with the variants behind its first page added to it."""
    variables = {"id": node["id"], "first": queries.VARIANT_PAGE}
    cost = queries.PRODUCT_VARIANTS_COST
    read = partial(ask, account, "read_variants", queries.PRODUCT_VARIANTS, cost=cost, root="product")
    return (yield from _with_rest(node, "variants", variables, read))


def order(account: Account, remote_id: str) -> ReadFlow:
    """One order with all its lines, or its absence: one older than 60 days is not shown to an app without the scope
    read_all_orders."""
    variables = {"id": gid("Order", remote_id), "lines": queries.LINES_PER_ORDER}
    node = yield from ask(account, "read_order", queries.ORDER, variables, queries.ORDER_COST, "order")
    if not isinstance(node, dict):
        return [gone(ORDER, remote_id)]
    whole = yield from whole_order(account, node)
    return [seen(ORDER, remote_id, whole)]


def whole_order(account: Account, node: dict[str, Any]) -> NodeFlow:
    """The node with the lines behind its first page added to it."""
    variables = {"id": node["id"], "first": queries.LINE_PAGE}
    cost = queries.ORDER_LINES_COST
    read = partial(ask, account, "read_lines", queries.ORDER_LINES, cost=cost, root="order")
    return (yield from _with_rest(node, "lineItems", variables, read))


def inventory_item(account: Account, remote_id: str) -> ReadFlow:
    """One inventory item with its variant and its levels at all locations, or its deletion."""
    node: dict[str, Any] | None = None
    after: str | None = None
    while node is None or after:
        variables = {"id": gid("InventoryItem", remote_id), "levels": queries.LEVELS_PER_ITEM, "after": after}
        cost = queries.INVENTORY_ITEM_COST
        found = yield from ask(account, "read_item", queries.INVENTORY_ITEM, variables, cost, "inventoryItem")
        if not isinstance(found, dict):
            return [gone(INVENTORY_ITEM, remote_id)]
        before = (node or {}).get("inventoryLevels") or {}
        node = {**found, "inventoryLevels": _joined(before, found.get("inventoryLevels"))}
        after = next_page(node["inventoryLevels"])
    return [seen(INVENTORY_ITEM, remote_id, node)]


def next_page(connection: Mapping[str, Any]) -> str | None:
    """The cursor of the next page of a connection; None at its end."""
    info = connection.get("pageInfo") or {}
    return info.get("endCursor") if info.get("hasNextPage") else None


def seen(topic: str, remote_id: str, node: Mapping[str, Any]) -> Observation:
    """A record that was read."""
    return Observation(topic, remote_id, orjson.dumps(node))


def gone(topic: str, remote_id: str) -> Observation:
    """A record that is no longer there."""
    return Observation(topic, remote_id, orjson.dumps({"id": remote_id}), Op.DELETE)


def _with_rest(
    node: dict[str, Any], name: str, variables: Mapping[str, Any], read: Callable[[Mapping[str, Any]], ValueFlow]
) -> NodeFlow:
    """The node with all pages of its connection `name`. `read`: asks for one more, with these variables and `after`."""
    connection = node.get(name) or {}
    while after := next_page(connection):
        more = yield from read({**variables, "after": after})
        connection = _joined(connection, (more or {}).get(name))
    return {**node, name: connection}


def _joined(before: Mapping[str, Any], page: Mapping[str, Any] | None) -> dict[str, Any]:
    page = page or {}
    return {**page, "nodes": [*(before.get("nodes") or []), *(page.get("nodes") or [])]}
