"""What a fake shop holds. Times are microseconds UTC, cut to whole seconds as the real ones are."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from connectors.kit import fakeshop


@dataclass
class Variant:
    """A sellable unit; its inventory item shares its life."""

    id: int
    item_id: int
    product_id: int
    sku: str
    price: Decimal
    created_at: int
    updated_at: int
    compare_at: Decimal | None = None
    barcode: str | None = None
    option: str = "Default Title"
    grams: int = 0
    tracked: bool = True


@dataclass
class Product:
    """The parent of variants."""

    id: int
    title: str
    created_at: int
    updated_at: int
    status: str = "active"
    description: str = ""
    vendor: str = ""
    product_type: str = ""
    tags: list[str] = field(default_factory=list)
    variants: list[Variant] = field(default_factory=list)


@dataclass
class Level:
    """Stock of one item at one location. `available` may be negative: sold more than there was."""

    item_id: int
    location_id: int
    available: int
    created_at: int
    updated_at: int


@dataclass
class Order:
    """An order; lines are (line id, variant, quantity, unit price)."""

    id: int
    number: int
    created_at: int
    updated_at: int
    lines: list[tuple[int, Variant, int, Decimal]]
    customer_id: int | None = None
    financial_status: str = "paid"
    fulfillment_status: str | None = None
    cancelled_at: int | None = None


@dataclass(frozen=True)
class Change:
    """Something a webhook tells of: the payload as of the trigger, and nanoseconds since the epoch."""

    topic: str
    resource_id: int
    payload: dict[str, Any]
    triggered_at: int


@dataclass(frozen=True)
class Accepted(fakeshop.Accepted):
    """`reference`: the reference document of an adjustment of stock."""

    reference: str = ""
