"""Products, variants and prices out of webhook (REST) and GraphQL payloads. Pure.

Both shapes are read into the same facts first, so that a webhook and a read of one product give equal records.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.kit import golden
from connectors.kit.contract import Link, Mapped
from connectors.kit.jsonbody import Moment
from connectors.shopify import settings
from connectors.shopify.context import INVENTORY_ITEM, PRODUCT, SKU, Context, sku_or_none
from connectors.shopify.payload import Node
from schemas.entities import Completeness, EntityType
from schemas.identity import normalise_sku

_STATUS = {"active": "ACTIVE", "draft": "DRAFT", "archived": "ARCHIVED"}
_GRAMS = {
    "g": Decimal(1),
    "kg": Decimal(1000),
    "lb": Decimal("453.59237"),
    "oz": Decimal("28.349523125"),
    "GRAMS": Decimal(1),
    "KILOGRAMS": Decimal(1000),
    "POUNDS": Decimal("453.59237"),
    "OUNCES": Decimal("28.349523125"),
}


@dataclass(frozen=True, slots=True)
class VariantFacts:
    """One variant, whichever API said it."""

    id: str
    product_id: str
    item_id: str
    sku: str | None
    barcode: str | None
    price: Decimal
    compare_at: Decimal | None
    options: dict[str, str]
    weight_grams: Decimal | None
    requires_shipping: bool | None
    updated: Moment


# ----------------------------------------------------------------------------------------------- shapes


def webhook_product(context: Context, node: Node) -> list[Mapped]:
    """A `products/*` payload: the product, then each variant and its price."""
    remote_id = node.id("id")
    names = [option.text("name") or "" for option in node.children("options")]
    variants = [_webhook_variant(variant, remote_id, names) for variant in node.children("variants")]
    tags = [tag.strip() for tag in (node.text("tags") or "").split(",")]
    # A payload carries the first hundred variants only; `variant_gids` lists all of them.
    complete = len(node.children("variant_gids")) <= len(variants)
    described = (node.text("body_html"), tags, node.moment("updated_at"))
    return [_product(context, node, remote_id, described, variants, complete=complete), *_all(context, variants)]


def read_product(context: Context, node: Node) -> list[Mapped]:
    """A GraphQL Product node: the same records as its webhook gives."""
    remote_id = node.id("id")
    connection = node.optional_child("variants")
    nodes = connection.children("nodes") if connection else []
    variants = [_read_variant(variant, remote_id) for variant in nodes]
    described = (node.text("descriptionHtml"), node.texts("tags"), node.moment("updatedAt"))
    return [_product(context, node, remote_id, described, variants, complete=True), *_all(context, variants)]


def read_variant(context: Context, node: Node) -> list[Mapped]:
    """A GraphQL ProductVariant node with its product's id: the variant and its price."""
    product = node.optional_child("product")
    if product is None:
        raise node.wrong("product", "the variant's product")
    return variant_records(context, _read_variant(node, product.id("id")))


def _webhook_variant(node: Node, product_id: str, names: list[str]) -> VariantFacts:
    values = (node.text(f"option{position}") for position in (1, 2, 3))
    return VariantFacts(
        id=node.id("id"),
        product_id=product_id,
        item_id=node.id("inventory_item_id"),
        sku=sku_or_none(node),
        barcode=node.text("barcode"),
        price=node.decimal("price"),
        compare_at=node.optional_decimal("compare_at_price"),
        options={name: value for name, value in zip(names, values, strict=False) if name and value},
        weight_grams=_weight(node, "weight", "weight_unit"),
        requires_shipping=node.flag("requires_shipping"),
        updated=node.moment("updated_at"),
    )


def _read_variant(node: Node, product_id: str) -> VariantFacts:
    item = node.optional_child("inventoryItem")
    if item is None:
        raise node.wrong("inventoryItem", "the variant's inventory item")
    measurement = item.optional_child("measurement")
    weight = measurement.optional_child("weight") if measurement else None
    options = {option.text("name") or "": option.text("value") or "" for option in node.children("selectedOptions")}
    return VariantFacts(
        id=node.id("id"),
        product_id=product_id,
        item_id=item.id("id"),
        sku=sku_or_none(node),
        barcode=node.text("barcode"),
        price=node.decimal("price"),
        compare_at=node.optional_decimal("compareAtPrice"),
        options={name: value for name, value in options.items() if name and value},
        weight_grams=_weight(weight, "value", "unit") if weight else None,
        requires_shipping=item.flag("requiresShipping"),
        updated=node.moment("updatedAt"),
    )


def _weight(node: Node, value: str, unit: str) -> Decimal | None:
    number, name = node.optional_decimal(value), node.text(unit)
    if number is None or name is None:
        return None
    if name not in _GRAMS:
        raise node.wrong(unit, "a unit of weight: " + ", ".join(_GRAMS))
    return (number * _GRAMS[name]).quantize(Decimal("0.001"))


# ----------------------------------------------------------------------------------------------- deletions


def gone_sku(context: Context, node: Node) -> list[Mapped]:
    """No variant of the shop has this SKU any more: its variant, its price and its levels are gone, and so is the
    product of which it was the smallest SKU.

    By SKU, and not by the id of the variant that had it: a variant that was deleted and made anew under its old SKU is
    there, and so is a product.
    """
    sku = sku_or_none(node)
    if sku is None:
        raise node.wrong("sku", "a SKU")
    remote_id, currency = f"{SKU}:{normalise_sku(sku)}", settings.currency(context.account)
    named = [
        (EntityType.VARIANT, golden.variant(sku)),
        (EntityType.PRICE, golden.price(sku, currency)),
        (EntityType.PRODUCT, golden.product([sku], context.account.id, remote_id)),
    ]
    levels = [(code, golden.inventory_level(sku, code)) for code in sorted(context.locations.id_of)]
    return [
        *(context.delete(kind, remote_id, Link(golden_id)) for kind, golden_id in named),
        *(context.delete(EntityType.INVENTORY_LEVEL, f"{remote_id}:{code}", Link(level)) for code, level in levels),
    ]


# ----------------------------------------------------------------------------------------------- records


def _product(
    context: Context,
    node: Node,
    remote_id: str,
    described: tuple[str | None, list[str], Moment],
    variants: list[VariantFacts],
    *,
    complete: bool,
) -> Mapped:
    description, tags, updated = described
    if not complete:
        # The golden id is the smallest SKU, which may be one of those left out.
        link = Link(via=(EntityType.PRODUCT, remote_id))
        hint = {"completeness": Completeness.HINT, "fetch": context.fetch(PRODUCT, remote_id)}
        return context.upsert(EntityType.PRODUCT, remote_id, link, updated, {}, (), **hint)
    raw = node.text("status")
    skus = sorted(normalise_sku(variant.sku) for variant in variants if variant.sku)
    title, status = node.text("title"), _STATUS.get((raw or "").lower(), "UNKNOWN")
    fields: dict[str, Any] = {
        "title": title,
        "description_html": description,
        "status": status,
        "status_raw": raw.lower() if raw else None,
        "vendor": node.text("vendor"),
        "product_type": node.text("product_type" if "product_type" in node.value else "productType"),
        "tags": sorted(tag for tag in tags if tag),
        "handle": node.text("handle"),
        "variant_skus": skus,
        "extra": {},
    }
    link = Link(golden.product(skus, context.account.id, remote_id))
    comparable = golden.comparable_product(title, status)
    fetch = context.fetch(PRODUCT, remote_id)
    return context.upsert(EntityType.PRODUCT, remote_id, link, updated, fields, comparable, fetch=fetch)


def _all(context: Context, variants: list[VariantFacts]) -> list[Mapped]:
    return [record for variant in variants for record in variant_records(context, variant)]


def variant_records(context: Context, variant: VariantFacts) -> list[Mapped]:
    """The variant and its price. Without a SKU there is no entity: the variant has an empty link, so that it alone
    becomes a dead letter, and its price, which has no key without it, stands in that letter's body."""
    fields = {
        "product_remote_id": variant.product_id,
        "sku": variant.sku or "",
        "barcode": variant.barcode,
        "options": variant.options,
        "weight_grams": variant.weight_grams,
        "requires_shipping": variant.requires_shipping,
        "extra": {},
    }
    mapped = context.upsert(
        EntityType.VARIANT,
        variant.id,
        Link(golden.variant(variant.sku)) if variant.sku else Link(),
        variant.updated,
        fields,
        golden.comparable_variant(variant.sku or "", variant.barcode),
        aliases={"product_id": variant.product_id, "inventory_item_id": variant.item_id},
        known_as=(f"{INVENTORY_ITEM}:{variant.item_id}",),
        fetch=context.fetch(PRODUCT, variant.product_id) if variant.sku else None,
    )
    return [mapped, _price(context, variant, variant.sku)] if variant.sku else [mapped]


def _price(context: Context, variant: VariantFacts, sku: str) -> Mapped:
    amount = context.priced(variant.price)
    currency = amount["currency"]
    fields = {
        "sku": normalise_sku(sku),
        "price_list": golden.DEFAULT_PRICE_LIST,
        "amount": amount,
        "compare_at": None if variant.compare_at is None else context.priced(variant.compare_at),
        "extra": {},
    }
    return context.upsert(
        EntityType.PRICE,
        f"{variant.id}:{currency}",
        Link(golden.price(sku, currency)),
        variant.updated,
        fields,
        golden.comparable_price(variant.price, currency, amount["tax"]),
        aliases={"variant_id": variant.id, "product_id": variant.product_id},
        fetch=context.fetch(PRODUCT, variant.product_id),
    )
