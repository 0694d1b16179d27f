"""The shop itself: its records, the edits that change them, and what each edit tells the world."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from connectors.kit.clock import Clock
from connectors.kit.fakeshop import NotThere
from connectors.shopify.fake import render
from connectors.shopify.fake.options import Options
from connectors.shopify.fake.records import Accepted, Change, Fulfillment, Level, Order, Product, Variant

_SECOND = 1_000_000
API, ADMIN = "api", "admin"
__all__ = ["ADMIN", "API", "NotThere", "Shop"]


class Shop:
    """One shop. Every edit returns nothing, appends to `journal` what was accepted and passes to `emit` what changed;
    an edit that leaves everything as it was is accepted, but moves no time and tells nobody.

    `locations`: id -> name. Edits take the merchant's words (SKU, location id); `by` and `request_id` say whose they
    are.
    """

    def __init__(self, options: Options, clock: Clock, emit: Callable[[Change], None], locations: dict[int, str]):
        self.options, self.locations = options, locations
        self._clock, self._emit = clock, emit
        self.products: dict[int, Product] = {}
        self.variants: dict[int, Variant] = {}
        self.items: dict[int, Variant] = {}
        self.skus: dict[str, Variant] = {}
        self.levels: dict[tuple[int, int], Level] = {}
        self.orders: dict[int, Order] = {}
        self.journal: list[Accepted] = []
        self._next_id = 1000
        self._last_trigger = 0

    # ------------------------------------------------------------------------------------------- products

    def create_product(self, title: str, skus: dict[str, str], stock: int | None = 0, **more: Any) -> Product:
        """A product with one variant per SKU (SKU -> price), stocked with `stock` at every location (None: nowhere).
        `more`: fields of the product record."""
        now = self._now()
        product = Product(self._new_id(), title, now, now, **more)
        for sku, price in skus.items():
            self._add_variant(product, sku, Decimal(price), stock)
        self.products[product.id] = product
        self._tell("products/create", product.id, self._product_payload(product))
        return product

    def _add_variant(self, product: Product, sku: str, price: Decimal, stock: int | None) -> None:
        now = self._now()
        variant = Variant(self._new_id(), self._new_id(), product.id, sku, price, now, now, option=sku or "one")
        product.variants.append(variant)
        self.variants[variant.id] = self.items[variant.item_id] = self.skus[variant.sku] = variant
        if stock is not None:
            for location in self.locations:
                self.levels[variant.item_id, location] = Level(variant.item_id, location, stock, now, now)

    def set_title(self, product_id: int, title: str) -> None:
        """Rename a product."""
        product = self.product(product_id)
        changed, product.title = product.title != title, title
        self._record(ADMIN, "product", str(product.id), "", title, changed)
        if changed:
            self._touch_product(product)

    def set_price(self, variant: Variant, price: Decimal, by: str = ADMIN, request_id: str = "") -> None:
        """Set a variant's price."""
        changed, variant.price = variant.price != price, price
        remote_id = f"{variant.id}:{self.options.currency}"
        self._record(by, "price", remote_id, variant.sku, render.money(price), changed, request_id=request_id)
        if changed:
            self._touch_variant(variant)

    def set_compare_at(self, variant: Variant, price: Decimal | None) -> None:
        """Set or remove a variant's struck-through price."""
        if variant.compare_at != price:
            variant.compare_at = price
            self._touch_variant(variant)

    def delete_product(self, product_id: int) -> None:
        """Delete a product with its variants and their levels."""
        product = self.products.pop(self.product(product_id).id)
        for variant in product.variants:
            del self.variants[variant.id], self.items[variant.item_id]
            self.skus.pop(variant.sku, None)
            for key in [key for key in self.levels if key[0] == variant.item_id]:
                del self.levels[key]
        self._record(ADMIN, "product", str(product.id), "", "deleted", changed=True)
        self._tell("products/delete", product.id, {"id": product.id})

    # ------------------------------------------------------------------------------------------- stock

    def set_available(
        self,
        variant: Variant,
        location: int,
        available: int,
        by: str = ADMIN,
        request_id: str = "",
        reference: str = "",
    ) -> None:
        """Set what may be sold at a location. Raises NotThere when the item is not stocked there."""
        level = self.level(variant.item_id, location)
        changed, level.available = level.available != available, available
        self._record(
            by, "inventory_level", f"{variant.item_id}:{location}", variant.sku, str(available), changed,
            location=str(location), request_id=request_id, reference=reference,
        )  # fmt: skip
        if changed:
            level.updated_at = self._now()
            self._tell("inventory_levels/update", variant.item_id, render.level(level, variant, self.options))

    def set_tracked(self, variant: Variant, tracked: bool) -> None:
        """Count an item or stop counting it."""
        variant.tracked = tracked
        for level in self.levels_of(variant.item_id):
            level.updated_at = self._now()
            self._tell("inventory_levels/update", variant.item_id, render.level(level, variant, self.options))

    def connect(self, variant: Variant, location: int) -> None:
        """Stock an item at a location."""
        now = self._now()
        level = self.levels[variant.item_id, location] = Level(variant.item_id, location, 0, now, now)
        self._tell("inventory_levels/connect", variant.item_id, render.level(level, variant, self.options))

    def disconnect(self, variant: Variant, location: int) -> None:
        """Stop stocking an item at a location."""
        self.level(variant.item_id, location)
        del self.levels[variant.item_id, location]
        payload = {"inventory_item_id": variant.item_id, "location_id": location}
        self._tell("inventory_levels/disconnect", variant.item_id, payload)

    # ------------------------------------------------------------------------------------------- orders

    def create_order(self, lines: dict[str, int], customer_id: int | None = None) -> Order:
        """An order of SKU -> units at today's prices."""
        now, chosen = self._now(), [(self.by_sku(sku), units) for sku, units in lines.items()]
        rows = [(self._new_id(), variant, units, variant.price) for variant, units in chosen]
        order = Order(self._new_id(), 1001 + len(self.orders), now, now, rows, customer_id)
        self.orders[order.id] = order
        self._tell("orders/create", order.id, render.order(order, self.options))
        return order

    def update_order(self, order_id: int, *, cancel: bool = False, **fields: str) -> None:
        """Change statuses of an order or cancel it. Raises NotThere."""
        order = self.orders.get(order_id)
        if order is None:
            raise NotThere(f"no order {order_id}")
        order.updated_at = self._now()
        for name, value in fields.items():
            setattr(order, name, value)
        if cancel:
            order.cancelled_at = order.updated_at
        topic = "orders/cancelled" if cancel else "orders/updated"
        self._tell(topic, order.id, render.order(order, self.options))

    def fulfil(
        self, order: Order, lines: dict[int, int], by: str = ADMIN, request_id: str = "", **tracking: Any
    ) -> Fulfillment:
        """Ship units (by line id) of an order. `tracking`: numbers, urls, company. Who asks for more than remains gets
        it all the same: whoever calls it has checked that."""
        made = Fulfillment(self._new_id(), order.id, self._now(), lines, **tracking)
        order.fulfillments.append(made)
        order.updated_at = made.created_at
        order.fulfillment_status = "partial" if any(order.remaining().values()) else "fulfilled"
        numbers = " ".join(made.numbers)
        self._record(by, "fulfilment", str(order.id), "", numbers, changed=True, request_id=request_id)
        self._tell("orders/updated", order.id, render.order(order, self.options))
        return made

    # ------------------------------------------------------------------------------------------- finding

    def product(self, product_id: int) -> Product:
        """Raises NotThere."""
        if product_id not in self.products:
            raise NotThere(f"no product {product_id}")
        return self.products[product_id]

    def by_sku(self, sku: str) -> Variant:
        """Raises NotThere."""
        if sku not in self.skus:
            raise NotThere(f"no variant with SKU {sku!r}")
        return self.skus[sku]

    def level(self, item_id: int, location: int) -> Level:
        """Raises NotThere."""
        if (item_id, location) not in self.levels:
            raise NotThere(f"item {item_id} is not stocked at location {location}")
        return self.levels[item_id, location]

    def levels_of(self, item_id: int) -> list[Level]:
        """The item's levels in the order of their locations."""
        found = (self.levels.get((item_id, location)) for location in sorted(self.locations))
        return [level for level in found if level is not None]

    # ------------------------------------------------------------------------------------------- inside

    def _now(self) -> int:
        return self._clock.now() // _SECOND * _SECOND

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _touch_variant(self, variant: Variant) -> None:
        variant.updated_at = self._now()
        self._touch_product(self.products[variant.product_id])

    def _touch_product(self, product: Product) -> None:
        product.updated_at = self._now()
        self._tell("products/update", product.id, self._product_payload(product))

    def _product_payload(self, product: Product) -> dict[str, Any]:
        return render.product(product, self._quantities(product.variants), self.options)

    def _quantities(self, variants: Iterable[Variant]) -> dict[int, int]:
        return {each.item_id: sum(level.available for level in self.levels_of(each.item_id)) for each in variants}

    def _record(self, actor: str, kind: str, remote_id: str, sku: str, value: str, changed: bool, **more: str) -> None:
        sequence, now = len(self.journal) + 1, self._clock.now()
        self.journal.append(Accepted(sequence, now, actor, kind, remote_id, sku, value, changed, **more))

    def _tell(self, topic: str, resource_id: int, payload: dict[str, Any]) -> None:
        # Two triggers within one microsecond still differ, as nanoseconds do.
        self._last_trigger = max(self._clock.now() * 1000, self._last_trigger + 1)
        self._emit(Change(topic, resource_id, payload, self._last_trigger))
