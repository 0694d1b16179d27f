"""Stock levels out of webhook and GraphQL payloads. Pure.

A level's remote id is `<inventory item id>:<location id>`. Negative stock is legal here (sold more than there was) and
is mapped as it is.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from connectors.kit import golden
from connectors.kit.contract import Ignored, Link, Mapped
from connectors.shopify.context import INVENTORY_ITEM, Context, sku_or_none, unknown_location
from connectors.shopify.payload import Node
from connectors.shopify.products import read_variant
from schemas.entities import Completeness, EntityType
from schemas.identity import normalise_sku

_QUANTITIES = ("available", "on_hand", "committed", "incoming")


# ----------------------------------------------------------------------------------------------- webhooks


def webhook_level(context: Context, node: Node) -> list[Mapped] | Ignored:
    """`inventory_levels/update` and `/connect`. It names the inventory item only, so the level links through the
    variant that is known as that item, and `available: null` says that the shop does not count it."""
    placed = _place(context, node)
    if isinstance(placed, Ignored):
        return placed
    item, location, code = placed
    available = node.optional_decimal("available")
    fields = _fields("", code, {"available": available}, tracked=available is not None)
    return [
        context.upsert(
            EntityType.INVENTORY_LEVEL,
            f"{item}:{location}",
            _via_item(item, code),
            node.moment("updated_at"),
            fields,
            golden.comparable_inventory_level(available),
            aliases={"inventory_item_id": item, "location_id": location},
            fetch=context.fetch(INVENTORY_ITEM, item),
        )
    ]


def webhook_disconnect(context: Context, node: Node) -> list[Mapped] | Ignored:
    """`inventory_levels/disconnect`: the item is no longer stocked there."""
    placed = _place(context, node)
    if isinstance(placed, Ignored):
        return placed
    item, location, code = placed
    return [context.delete(EntityType.INVENTORY_LEVEL, f"{item}:{location}", _via_item(item, code))]


def webhook_item(context: Context, node: Node) -> list[Mapped]:
    """`inventory_items/update` says neither price nor stock: a hint to read the item."""
    item = node.id("id")
    return [
        context.upsert(
            EntityType.VARIANT,
            f"{INVENTORY_ITEM}:{item}",
            Link(via=(EntityType.VARIANT, f"{INVENTORY_ITEM}:{item}")),
            node.moment("updated_at"),
            {},
            (),
            completeness=Completeness.HINT,
            fetch=context.fetch(INVENTORY_ITEM, item),
        )
    ]


def _place(context: Context, node: Node) -> tuple[str, str, str] | Ignored:
    item, location = node.id("inventory_item_id"), node.id("location_id")
    known = context.locations
    if location in known.ignored:
        return Ignored(f"location {location} is in ignored_locations")
    if location not in known.code_of:
        raise unknown_location(context, location)
    return item, location, known.code_of[location]


def _via_item(item: str, code: str) -> Link:
    return Link(via=(EntityType.VARIANT, f"{INVENTORY_ITEM}:{item}"), suffix=code)


# ----------------------------------------------------------------------------------------------- reads


def read_item(context: Context, node: Node) -> list[Mapped]:
    """A GraphQL InventoryItem node: its variant, the price, and its levels at all known locations."""
    variant = node.optional_child("variant")
    records: list[Mapped] = []
    if variant is not None:
        value = {**variant.value, "sku": node.value.get("sku"), "inventoryItem": node.value}
        records = read_variant(context, Node(variant.at, value))
    levels = node.optional_child("inventoryLevels")
    for level in levels.children("nodes") if levels else []:
        records += _read_level(context, level, node)
    return records


def read_level(context: Context, node: Node) -> list[Mapped] | Ignored:
    """A GraphQL InventoryLevel node with its item. Raises Invalid for an unknown location."""
    item, location = node.optional_child("item"), node.optional_child("location")
    if item is None:
        raise node.wrong("item", "the level's inventory item")
    if location is not None and location.id("id") not in _settled_locations(context):
        raise unknown_location(context, location.id("id"))
    return _read_level(context, node, item) or Ignored("the location is in ignored_locations")


def _settled_locations(context: Context) -> set[str]:
    known = context.locations
    return {*known.code_of, *known.ignored}


def _read_level(context: Context, node: Node, item: Node) -> list[Mapped]:
    """One level, none at an ignored location. A level at an unknown one has an empty link: among others of the same
    item it alone becomes a dead letter."""
    place = node.optional_child("location")
    if place is None:
        raise node.wrong("location", "the level's location")
    known, item_id, location = context.locations, item.id("id"), place.id("id")
    if location in known.ignored:
        return []
    sku, code = sku_or_none(item), known.code_of.get(location, "")
    tracked = item.flag("tracked") is not False
    quantities = _quantities(node) if tracked else {}
    fields = _fields(normalise_sku(sku) if sku else "", code, quantities, tracked=tracked)
    return [
        context.upsert(
            EntityType.INVENTORY_LEVEL,
            f"{item_id}:{location}",
            Link(golden.inventory_level(sku, code)) if sku and code else Link(),
            node.moment("updatedAt"),
            fields,
            golden.comparable_inventory_level(fields["available"]),
            aliases={"inventory_item_id": item_id, "location_id": location},
        )
    ]


def _quantities(node: Node) -> dict[str, Decimal | None]:
    found = {entry.text("name"): entry.decimal("quantity") for entry in node.children("quantities")}
    if "available" not in found:
        raise node.wrong("quantities", 'a quantity with the name "available"')
    return {name: found.get(name) for name in _QUANTITIES}


def _fields(sku: str, code: str, quantities: dict[str, Decimal | None], *, tracked: bool) -> dict[str, Any]:
    return {
        "sku": sku,
        "location": code,
        **{name: quantities.get(name) for name in _QUANTITIES},
        "tracked": tracked,
        "extra": {},
    }
