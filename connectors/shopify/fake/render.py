"""Webhook payloads: REST resources as the vendor documents them. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from connectors.shopify.fake.options import Options
from connectors.shopify.fake.records import Fulfillment, Level, Order, Product, Variant

_VARIANTS_IN_A_PAYLOAD = 100


def utc(micros: int) -> str:
    """GraphQL's form of a time: whole seconds and Z."""
    return datetime.fromtimestamp(micros // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def local(micros: int, options: Options) -> str:
    """REST's form of a time: whole seconds with the shop's offset."""
    zone = timezone(timedelta(minutes=options.utc_offset))
    return datetime.fromtimestamp(micros // 1_000_000, zone).isoformat()


def triggered(nanos: int) -> str:
    """The form of the triggered-at header: nine fractional digits and Z."""
    return utc(nanos // 1000)[:-1] + f".{nanos % 1_000_000_000:09d}Z"


def money(amount: Decimal) -> str:
    """Two digits behind the point, as the shop writes prices."""
    return format(amount, ".2f") if amount == round(amount, 2) else format(amount.normalize(), "f")


def product(one: Product, quantities: dict[int, int], options: Options) -> dict[str, Any]:
    """`products/create` and `/update`. `quantities`: inventory item -> units over all locations."""
    shown = one.variants[:_VARIANTS_IN_A_PAYLOAD]
    return {
        "admin_graphql_api_id": f"gid://shopify/Product/{one.id}",
        "body_html": one.description,
        "created_at": local(one.created_at, options),
        "handle": handle(one),
        "id": one.id,
        "product_type": one.product_type,
        "published_at": local(one.created_at, options),
        "template_suffix": None,
        "title": one.title,
        "updated_at": local(one.updated_at, options),
        "vendor": one.vendor,
        "status": one.status,
        "published_scope": "global",
        "tags": ", ".join(one.tags),
        "variants": [_variant(each, at, quantities, options) for at, each in enumerate(shown, 1)],
        "options": [{"name": "Size", "id": one.id + 1, "product_id": one.id, "position": 1, "values": []}],
        "images": [],
        "image": None,
        "variant_gids": [
            {
                "admin_graphql_api_id": f"gid://shopify/ProductVariant/{each.id}",
                "updated_at": utc(each.updated_at),
            }
            for each in one.variants
        ],
    }


def _variant(one: Variant, position: int, quantities: dict[int, int], options: Options) -> dict[str, Any]:
    return {
        "admin_graphql_api_id": f"gid://shopify/ProductVariant/{one.id}",
        "barcode": one.barcode,
        "compare_at_price": None if one.compare_at is None else money(one.compare_at),
        "created_at": local(one.created_at, options),
        "id": one.id,
        "inventory_policy": "deny",
        "position": position,
        "price": money(one.price),
        "product_id": one.product_id,
        "sku": one.sku,
        "taxable": True,
        "title": one.option,
        "updated_at": local(one.updated_at, options),
        "option1": one.option,
        "option2": None,
        "option3": None,
        "image_id": None,
        "inventory_item_id": one.item_id,
        "inventory_quantity": quantities.get(one.item_id, 0),
        "old_inventory_quantity": quantities.get(one.item_id, 0),
    }


def handle(one: Product) -> str:
    """The product's URL handle."""
    return "-".join(one.title.lower().split())


def level(one: Level, variant: Variant, options: Options) -> dict[str, Any]:
    """`inventory_levels/update` and `/connect`; an untracked item has no quantity."""
    return {
        "inventory_item_id": one.item_id,
        "location_id": one.location_id,
        "available": one.available if variant.tracked else None,
        "updated_at": local(one.updated_at, options),
        "admin_graphql_api_id": (f"gid://shopify/InventoryLevel/{one.location_id}?inventory_item_id={one.item_id}"),
    }


def order(one: Order, options: Options) -> dict[str, Any]:
    """`orders/*`, with the personal data a real one has, so that a leak of it can be seen."""
    total = sum((price * quantity for _, _, quantity, price in one.lines), Decimal(0))
    customer = {"id": one.customer_id, "email": "jane@example.com", "first_name": "Jane"} if one.customer_id else None
    return {
        "id": one.id,
        "admin_graphql_api_id": f"gid://shopify/Order/{one.id}",
        "cancelled_at": None if one.cancelled_at is None else local(one.cancelled_at, options),
        "closed_at": None,
        "contact_email": "jane@example.com",
        "created_at": local(one.created_at, options),
        "currency": options.currency,
        "financial_status": one.financial_status,
        "fulfillment_status": one.fulfillment_status,
        "name": f"#{one.number}",
        "order_number": one.number,
        "processed_at": local(one.created_at, options),
        "taxes_included": options.taxes_included,
        "total_price": money(total),
        "updated_at": local(one.updated_at, options),
        "customer": customer,
        "fulfillments": [_fulfillment(each, options) for each in one.fulfillments],
        "refunds": [],
        "line_items": [
            {
                "id": line_id,
                "variant_id": variant.id,
                "product_id": variant.product_id,
                "sku": variant.sku,
                "quantity": quantity,
                "price": money(price),
            }
            for line_id, variant, quantity, price in one.lines
        ],
    }


def _fulfillment(one: Fulfillment, options: Options) -> dict[str, Any]:
    return {
        "id": one.id,
        "order_id": one.order_id,
        "status": one.status,
        "created_at": local(one.created_at, options),
        "updated_at": local(one.updated_at, options),
        "tracking_company": one.company,
        "tracking_number": one.numbers[0] if one.numbers else None,
        "tracking_numbers": one.numbers,
        "line_items": [{"id": line, "quantity": units} for line, units in one.lines.items()],
    }
