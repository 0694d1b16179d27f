"""The shop's records as GraphQL sees them. Nested records are callables, so only what is asked for is built."""

from __future__ import annotations

from typing import Any

from connectors.shopify.fake import render
from connectors.shopify.fake.connection import above, page, search
from connectors.shopify.fake.order_nodes import of_order
from connectors.shopify.fake.records import Level, Product, Variant
from connectors.shopify.fake.store import Shop

Node = dict[str, Any]


class Nodes:
    """Views of one shop. `now` is microseconds UTC; it dates the search index."""

    def __init__(self, shop: Shop, now: int) -> None:
        self._shop = shop
        self._indexed_until = now - int(shop.options.index_lag * 1_000_000)

    # ------------------------------------------------------------------------------------------- roots

    def product(self, info: Any, id: str) -> Node | None:
        """Query.product."""
        found = self._shop.products.get(number(id))
        return self.of_product(found) if found else None

    def variant(self, info: Any, id: str) -> Node | None:
        """Query.productVariant."""
        found = self._shop.variants.get(number(id))
        return self.of_variant(found) if found else None

    def nodes(self, info: Any, ids: list[str]) -> list[Node | None]:
        """Query.nodes, of variants: in the order of the ids, null for what is not there."""
        found = (self._shop.variants.get(number(one)) if "/ProductVariant/" in one else None for one in ids)
        return [{**self.of_variant(one), "__typename": "ProductVariant"} if one else None for one in found]

    def item(self, info: Any, id: str) -> Node | None:
        """Query.inventoryItem."""
        found = self._shop.items.get(number(id))
        return self.of_item(found) if found else None

    def location(self, info: Any, id: str | None = None) -> Node | None:
        """Query.location."""
        place = number(id) if id else min(self._shop.locations)
        return self.of_location(place) if place in self._shop.locations else None

    def products(
        self,
        info: Any,
        first: int | None = None,
        after: str | None = None,
        query: str | None = None,
        sortKey: str = "ID",  # noqa: N803 - the argument's name in the schema
        reverse: bool = False,
    ) -> Node:
        """Query.products; sorts by id or time of change."""
        found = search(self._shop.products.values(), query, self._indexed_until)
        by_time = sortKey == "UPDATED_AT"
        return page(found, lambda one: (one.updated_at if by_time else 0, one.id), self.of_product, first, after)

    def variants(
        self,
        info: Any,
        first: int | None = None,
        after: str | None = None,
        query: str | None = None,
        sortKey: str = "ID",  # noqa: N803 - the argument's name in the schema
        reverse: bool = False,
    ) -> Node:
        """Query.productVariants; sorts by id."""
        least = above(query)
        found = [one for one in self._shop.variants.values() if one.id > least]
        return page(found, lambda one: (one.id,), self.of_variant, first, after)

    def orders(
        self,
        info: Any,
        first: int | None = None,
        after: str | None = None,
        query: str | None = None,
        sortKey: str = "PROCESSED_AT",  # noqa: N803 - the argument's name in the schema
        reverse: bool = False,
    ) -> Node:
        """Query.orders; sorts by time of change, or by when they were placed."""
        found = search(self._shop.orders.values(), query, self._indexed_until)
        by_time = sortKey == "UPDATED_AT"
        key = lambda one: (one.updated_at if by_time else one.created_at, one.id)  # noqa: E731
        return page(found, key, lambda one: of_order(one, self._shop), first, after)

    def shop(self, info: Any) -> Node:
        """Query.shop."""
        options = self._shop.options
        return {
            "id": "gid://shopify/Shop/1",
            "name": options.shop_domain.partition(".")[0],
            "currencyCode": options.currency,
            "taxesIncluded": options.taxes_included,
            "myshopifyDomain": options.shop_domain,
        }

    # ------------------------------------------------------------------------------------------- records

    def of_product(self, one: Product) -> Node:
        """Product."""

        def variants(info: Any, first: int | None = None, after: str | None = None) -> Node:
            return page(one.variants, lambda variant: (variant.id,), self.of_variant, first, after)

        return {
            "id": f"gid://shopify/Product/{one.id}",
            "legacyResourceId": str(one.id),
            "title": one.title,
            "descriptionHtml": one.description,
            "vendor": one.vendor,
            "productType": one.product_type,
            "tags": one.tags,
            "handle": render.handle(one),
            "status": one.status.upper(),
            "createdAt": render.utc(one.created_at),
            "updatedAt": render.utc(one.updated_at),
            "variants": variants,
        }

    def of_variant(self, one: Variant) -> Node:
        """ProductVariant."""
        return {
            "id": f"gid://shopify/ProductVariant/{one.id}",
            "legacyResourceId": str(one.id),
            "sku": one.sku,
            "barcode": one.barcode,
            "title": one.option,
            "position": 1,
            "price": render.money(one.price),
            "compareAtPrice": None if one.compare_at is None else render.money(one.compare_at),
            "createdAt": render.utc(one.created_at),
            "updatedAt": render.utc(one.updated_at),
            "selectedOptions": [{"name": "Size", "value": one.option}],
            "inventoryItem": lambda info: self.of_item(one),
            "inventoryQuantity": lambda info: sum(level.available for level in self._shop.levels_of(one.item_id)),
            "product": lambda info: self.of_product(self._shop.products[one.product_id]),
        }

    def of_item(self, one: Variant) -> Node:
        """InventoryItem."""

        def levels(info: Any, first: int | None = None, after: str | None = None, query: str | None = None) -> Node:
            found = search(self._shop.levels_of(one.item_id), query, self._indexed_until)
            return page(found, lambda level: (level.location_id,), self.of_level, first, after)

        def level(info: Any, locationId: str) -> Node | None:  # noqa: N803 - the argument's name in the schema
            found = self._shop.levels.get((one.item_id, number(locationId)))
            return None if found is None else self.of_level(found)

        return {
            "id": f"gid://shopify/InventoryItem/{one.item_id}",
            "legacyResourceId": str(one.item_id),
            "sku": one.sku,
            "tracked": one.tracked,
            "requiresShipping": True,
            "measurement": {
                "id": f"gid://shopify/InventoryItemMeasurement/{one.item_id}",
                "weight": {"value": float(one.grams), "unit": "GRAMS"},
            },
            "createdAt": render.utc(one.created_at),
            "updatedAt": render.utc(one.created_at),
            "variant": lambda info: self.of_variant(one),
            "inventoryLevel": level,
            "inventoryLevels": levels,
        }

    def of_level(self, one: Level) -> Node:
        """InventoryLevel."""
        units = {"available": one.available, "on_hand": one.available, "committed": 0, "incoming": 0}

        def quantities(info: Any, names: list[str]) -> list[Node]:
            return [
                {
                    "id": f"gid://shopify/InventoryQuantity/{one.item_id}?name={name}",
                    "name": name,
                    "quantity": units[name],
                }
                for name in names
                if name in units
            ]

        return {
            "id": f"gid://shopify/InventoryLevel/{one.location_id}?inventory_item_id={one.item_id}",
            "createdAt": render.utc(one.created_at),
            "updatedAt": render.utc(one.updated_at),
            "item": lambda info: self.of_item(self._shop.items[one.item_id]),
            "location": lambda info: self.of_location(one.location_id),
            "quantities": quantities,
        }

    def of_location(self, place: int) -> Node:
        """Location."""

        def levels(info: Any, first: int | None = None, after: str | None = None, query: str | None = None) -> Node:
            here = [level for level in self._shop.levels.values() if level.location_id == place]
            found = search(here, query, self._indexed_until)
            return page(found, lambda level: (level.item_id,), self.of_level, first, after)

        return {
            "id": f"gid://shopify/Location/{place}",
            "legacyResourceId": str(place),
            "name": self._shop.locations[place],
            "inventoryLevels": levels,
        }


def number(gid: str) -> int:
    """The number in a global id; 0, which no record has, for anything else."""
    digits = gid.rpartition("/")[2].partition("?")[0]
    return int(digits) if digits.isdecimal() and digits.isascii() else 0
