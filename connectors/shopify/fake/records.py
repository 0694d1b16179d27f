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
class Fulfillment:
    """A shipment that the shop was told: units by line id, tracking numbers and addresses."""

    id: int
    order_id: int
    created_at: int
    lines: dict[int, int]
    numbers: list[str] = field(default_factory=list)
    urls: list[str] = field(default_factory=list)
    company: str | None = None
    status: str = "success"

    @property
    def updated_at(self) -> int:
        """It does not change here."""
        return self.created_at


@dataclass
class Order:
    """An order; lines are (line id, variant, quantity, unit price). It has one fulfilment order, with its own id and
    with the lines' ids."""

    id: int
    number: int
    created_at: int
    updated_at: int
    lines: list[tuple[int, Variant, int, Decimal]]
    customer_id: int | None = None
    financial_status: str = "paid"
    fulfillment_status: str | None = None
    cancelled_at: int | None = None
    fulfillments: list[Fulfillment] = field(default_factory=list)

    def remaining(self) -> dict[int, int]:
        """Units by line id that are in no fulfilment; none of a cancelled order."""
        told = [one.lines for one in self.fulfillments if one.status == "success"]
        left = {line: units - sum(each.get(line, 0) for each in told) for line, _, units, _ in self.lines}
        return dict.fromkeys(left, 0) if self.cancelled_at else left


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
