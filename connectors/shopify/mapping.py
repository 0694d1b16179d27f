"""Vendor JSON of a shop -> canonical observations. Pure.

Webhook topics carry REST resources; reads carry the GraphQL nodes that `queries` asks for, under our own topics
`product`, `variant`, `inventory_item`, `inventory_level`, `order` and `sku`.
"""

from __future__ import annotations

from collections.abc import Callable

from connectors.kit.contract import Account, Envelope, Ignored, Link, Mapped
from connectors.shopify.context import INVENTORY_ITEM, ORDER, PRODUCT, SKU, Context
from connectors.shopify.inventory import read_item, read_level, webhook_disconnect, webhook_item, webhook_level
from connectors.shopify.orders import read_order, webhook_order
from connectors.shopify.payload import Node
from connectors.shopify.products import gone_sku, read_product, read_variant, webhook_product
from connectors.shopify.webhook import COMPLIANCE_TOPICS
from schemas.entities import EntityType, Op

Shape = Callable[[Context, Node], list[Mapped] | Ignored]


def _deleted_product(context: Context, node: Node) -> list[Mapped]:
    remote_id = node.id("id")
    return [context.delete(EntityType.PRODUCT, remote_id, Link(via=(EntityType.PRODUCT, remote_id)))]


def _deleted_item(context: Context, node: Node) -> list[Mapped]:
    """An inventory item lives and dies with its variant."""
    name = f"{INVENTORY_ITEM}:{node.id('id')}"
    return [context.delete(EntityType.VARIANT, name, Link(via=(EntityType.VARIANT, name)))]


def _present_sku(context: Context, node: Node) -> Ignored:
    return Ignored("says only that the SKU is there; its product's record says what it holds")


def _hidden_order(context: Context, node: Node) -> Ignored:
    return Ignored("the absence of an order says nothing: old ones are shown to apps with read_all_orders only")


_UPSERTS: dict[str, Shape] = {
    "products/create": webhook_product,
    "products/update": webhook_product,
    "products/delete": _deleted_product,
    "inventory_levels/update": webhook_level,
    "inventory_levels/connect": webhook_level,
    "inventory_levels/disconnect": webhook_disconnect,
    "inventory_items/update": webhook_item,
    **dict.fromkeys(
        ("orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/fulfilled"), webhook_order
    ),
    PRODUCT: read_product,
    "variant": read_variant,
    INVENTORY_ITEM: read_item,
    "inventory_level": read_level,
    ORDER: read_order,
    SKU: _present_sku,
}
_DELETES: dict[str, Shape] = {
    PRODUCT: _deleted_product,
    INVENTORY_ITEM: _deleted_item,
    ORDER: _hidden_order,
    SKU: gone_sku,
}


class ShopifyMapping:
    """Implements contract.CanonicalMapping."""

    revision = 1

    def map(self, account: Account, envelope: Envelope) -> list[Mapped] | Ignored:
        """Raises Invalid naming topic and JSON path; Misconfigured when a setting it needs is missing."""
        if envelope.topic in COMPLIANCE_TOPICS:
            return Ignored(f"{envelope.topic}: answered by the merchant, never mapped")
        shape = (_DELETES if envelope.op is Op.DELETE else _UPSERTS).get(envelope.topic)
        if shape is None:
            return Ignored(f"no canonical entity for topic {envelope.topic!r}")
        return shape(Context(account, envelope), _node(envelope))


def _node(envelope: Envelope) -> Node:
    """A record that a complete scan did not find has no body: its name is all that is known."""
    if envelope.op is Op.DELETE and not envelope.body:
        return Node.of(envelope.topic, {"id": envelope.resource_id, "sku": envelope.resource_id})
    return Node.parse(envelope.topic, envelope.body)
