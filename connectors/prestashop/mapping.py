"""Records of the webservice to canonical observations. Pure.

Clocks: products, their variants and prices, and orders carry `date_upd` (1 s, the shop's zone; see `times`). A changed
combination does not move its product's `date_upd`, so the read sequence decides between two reads of one second.
Stock has no time at all: its clock is the read's own start.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.kit import golden
from connectors.kit.contract import Account, Envelope, Ignored, Link, Mapped
from connectors.prestashop import orders, records, settings
from connectors.prestashop.payload import Node, scaled
from connectors.prestashop.settings import Settings
from schemas.entities import Channel, EntityType, Op

DATE_UPD = "date_upd"
READ_SEQUENCE = "read_sequence"
FETCH_PRODUCT = "product"
_SECOND = 1_000_000


class PrestaShopMapping:
    """Implements contract.CanonicalMapping."""

    revision = 1

    def map(self, account: Account, envelope: Envelope) -> list[Mapped] | Ignored:
        """Raises Invalid, naming the field at fault, and Misconfigured for a wrong setting."""
        read = _Read(account, settings.of(account), envelope)
        if envelope.op is Op.DELETE:
            return _gone(read)
        by_topic = {
            records.PRODUCTS: _product,
            records.COMBINATIONS: _presence,
            records.STOCK: _stock,
            records.ORDERS: _order,
        }
        mapper = by_topic.get(envelope.topic)
        return mapper(read) if mapper else Ignored(f"topic {envelope.topic!r} has no canonical entity")


@dataclass(frozen=True, slots=True)
class _Read:
    account: Account
    settings: Settings
    envelope: Envelope

    @property
    def node(self) -> Node:
        return Node.parse(f"{self.envelope.topic}.{self.envelope.resource_id}", self.envelope.body)

    @property
    def started_at(self) -> int:
        return self.envelope.read_started_at or self.envelope.received_at

    @property
    def sequence(self) -> int:
        return self.envelope.read_sequence or 0


def _product(read: _Read) -> list[Mapped] | Ignored:
    node = read.node
    product, combinations = node.child("product"), node.children("combinations")
    if product.value.get("state") in ("0", 0):
        return Ignored("a product that was never saved in the back office")
    variants = [_Variant.of_combination(product, one) for one in combinations] or [_Variant.of_product(product)]
    dated = _dated(read, product)
    mapped = [_product_record(read, product, variants, dated)]
    for variant in variants:
        mapped.append(_variant_record(read, product, variant, dated))
        if variant.sku:  # without one the variant alone becomes a dead letter, whose body holds the price
            mapped.append(_price_record(read, variant, dated))
    return mapped


@dataclass(frozen=True, slots=True)
class _Variant:
    """A combination, or a simple product, which is its own only variant. `weight` in the shop's unit."""

    remote_id: str
    product_id: str
    node: Node
    sku: str
    price: Decimal
    weight: Decimal

    @classmethod
    def of_product(cls, product: Node) -> _Variant:
        remote_id = records.variant_id(product.id("id"), "0")
        price, weight = product.decimal("price"), product.optional_decimal("weight") or Decimal(0)
        return cls(remote_id, product.id("id"), product, product.text("reference"), price, weight)

    @classmethod
    def of_combination(cls, product: Node, combination: Node) -> _Variant:
        """Price and weight of a combination are impacts on its product's."""
        if combination.id("id_product") != product.id("id"):
            raise combination.wrong("id_product", f"the id of its product, {product.id('id')}")
        weight = (product.optional_decimal("weight") or Decimal(0)) + (combination.optional_decimal("weight") or 0)
        return cls(
            records.variant_id(product.id("id"), combination.id("id")),
            product.id("id"),
            combination,
            combination.text("reference"),
            product.decimal("price") + combination.decimal("price"),
            weight,
        )

    @property
    def barcode(self) -> str | None:
        return self.node.text("ean13") or self.node.text("upc") or self.node.text("isbn") or None


def _dated(read: _Read, node: Node) -> dict[str, Any]:
    at, text = node.moment("date_upd", read.settings.zone)
    return {
        "clock": at,
        "clock_id": DATE_UPD,
        "sequence": read.sequence,
        "source_time": at,
        "source_time_text": text,
        "resolution": _SECOND,
    }


def _product_record(read: _Read, product: Node, variants: list[_Variant], dated: Mapping[str, Any]) -> Mapped:
    language, remote_id = read.settings.language, product.id("id")
    active = product.flag("active")
    status, skus = "ACTIVE" if active else "DRAFT", [variant.sku for variant in variants]
    title = product.title("name", language)
    fields = {
        "title": title,
        "description_html": product.title("description", language),
        "status": status,
        "status_raw": f"active={int(active)}",
        "vendor": product.text("manufacturer_name") or None,
        "product_type": None,
        "tags": [],
        "handle": product.title("link_rewrite", language),
        "variant_skus": sorted({golden.variant(sku) for sku in skus if sku}),
        "extra": _extra(product, "id_category_default", "visibility", "condition", "product_type"),
    }
    return Mapped(
        type=EntityType.PRODUCT,
        remote_id=remote_id,
        link=Link(golden.product(skus, read.account.id, remote_id)),
        fields=fields,
        comparable=golden.comparable_product(title, status),
        **dated,
    )


def _variant_record(read: _Read, product: Node, variant: _Variant, dated: Mapping[str, Any]) -> Mapped:
    values = sorted((node.id("id") for node in variant.node.association("product_option_values")), key=int)
    extra = _extra(variant.node, "mpn", "supplier_reference", "minimal_quantity")
    if variant.node is not product and values:
        extra["product_option_values"] = ",".join(values)[:256]
    fields = {
        "product_remote_id": variant.product_id,
        "sku": variant.sku,
        "barcode": variant.barcode,
        "options": {},
        "weight_grams": scaled(variant.weight * read.settings.grams),
        "requires_shipping": not product.flag("is_virtual") if "is_virtual" in product.value else None,
        "extra": extra,
    }
    return Mapped(
        type=EntityType.VARIANT,
        remote_id=variant.remote_id,
        link=Link(golden.variant(variant.sku) if variant.sku else ""),
        fields=fields,
        comparable=golden.comparable_variant(variant.sku, variant.barcode),
        **dated,
    )


def _price_record(read: _Read, variant: _Variant, dated: Mapping[str, Any]) -> Mapped:
    currency, tax = read.settings.currency, read.settings.price_tax
    fields = {
        "sku": golden.variant(variant.sku),
        "price_list": golden.DEFAULT_PRICE_LIST,
        "amount": {"amount": scaled(variant.price), "currency": currency, "tax": tax},
        "compare_at": None,
        "extra": {},
    }
    return Mapped(
        type=EntityType.PRICE,
        remote_id=variant.remote_id,
        link=Link(golden.price(variant.sku, currency)),
        fields=fields,
        comparable=golden.comparable_price(variant.price, currency, tax),
        aliases={"variant_id": variant.remote_id},
        **dated,
    )


def _presence(read: _Read) -> Ignored:
    return Ignored("says only that the variant is there; its product's record says what it holds")


def _stock(read: _Read) -> list[Mapped] | Ignored:
    node = read.node
    row, has_combinations = node.child("stock_available"), node.flag("has_combinations")
    attribute = row.optional_id("id_product_attribute") or "0"
    if attribute == "0" and has_combinations:
        return Ignored("the sum over a product's combinations")
    remote_id, quantity = records.variant_id(row.id("id_product"), attribute), row.integer("quantity")
    fields = {
        "sku": "",
        "location": read.settings.location,
        "on_hand": _quantity(row, "physical_quantity"),
        "available": scaled(quantity),
        "committed": _quantity(row, "reserved_quantity"),
        "incoming": None,
        "tracked": True,
        "extra": _extra(row, "out_of_stock", "depends_on_stock", "location"),
    }
    # What a fetch could not link, another fetch of the same product cannot link either.
    fetched = read.envelope.channel is Channel.FETCH
    return [
        Mapped(
            type=EntityType.INVENTORY_LEVEL,
            remote_id=remote_id,
            link=Link(via=(EntityType.VARIANT, remote_id), suffix=read.settings.location),
            fields=fields,
            comparable=golden.comparable_inventory_level(quantity),
            aliases={"variant_id": remote_id, "stock_available_id": row.id("id")},
            fetch=None if fetched else (FETCH_PRODUCT, row.id("id_product")),
            **_by_read(read),
        )
    ]


def _gone(read: _Read) -> list[Mapped] | Ignored:
    """A record that a complete read did not find. Its entity is the one it was linked to when it was there."""
    topic, remote_id = read.envelope.topic, read.envelope.resource_id
    if topic not in (records.PRODUCTS, records.COMBINATIONS, records.STOCK):
        return Ignored(f"the absence of a record of {topic!r} says nothing: orders are archived, never deleted")
    dated = {**_by_read(read), "clock_id": DATE_UPD, "resolution": _SECOND}
    if records.split_variant_id(remote_id) is None:
        return [_deletion(EntityType.PRODUCT, remote_id, Link(via=(EntityType.PRODUCT, remote_id)), dated)]
    link = Link(via=(EntityType.VARIANT, remote_id), suffix=read.settings.location)
    level = _deletion(EntityType.INVENTORY_LEVEL, remote_id, link, _by_read(read))
    if topic == records.STOCK:
        return [level]
    kinds = (EntityType.VARIANT, EntityType.PRICE)
    return [*(_deletion(kind, remote_id, Link(via=(kind, remote_id)), dated) for kind in kinds), level]


def _deletion(kind: EntityType, remote_id: str, link: Link, by_clock: Mapping[str, Any]) -> Mapped:
    return Mapped(type=kind, remote_id=remote_id, link=link, fields={}, comparable=(), op=Op.DELETE, **by_clock)


def _by_read(read: _Read) -> dict[str, Any]:
    at = read.started_at
    return {
        "clock": at,
        "clock_id": READ_SEQUENCE,
        "sequence": read.sequence,
        "source_time": at,
        "resolution": 0,
    }


def _quantity(row: Node, name: str) -> Decimal | None:
    value = row.optional_decimal(name)
    return None if value is None else scaled(value)


def _order(read: _Read) -> list[Mapped]:
    order = read.node.child("order")
    fields = orders.fields(order, read.settings)
    remote_id = order.id("id")
    mapped = Mapped(
        type=EntityType.ORDER,
        remote_id=remote_id,
        link=Link(golden.order(read.account.id, remote_id)),
        fields=fields,
        comparable=golden.comparable_order(fields),
        **_dated(read, order),
    )
    return [mapped, *orders.held(mapped, read.account.id, read.settings)]


def _extra(node: Node, *names: str) -> dict[str, str]:
    found = {name: node.text(name) for name in names}
    return {name: text[:256] for name, text in found.items() if text}
