"""What a fake warehouse holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from connectors.kit import fakeshop


@dataclass
class Line:
    """Units of a SKU, and the line's id at the shop."""

    sku: str
    quantity: int
    line_id: str = ""


@dataclass
class Order:
    """An order; `reference`, `number` and `metadata` are its sender's own. `version` counts its changes, whoever made
    them. Times are microseconds UTC."""

    id: str
    reference: str
    number: str
    lines: list[Line]
    metadata: dict[str, Any]
    warehouse: str
    created_at: int
    status: str = "received"  # received, picking, shipped, cancelled
    version: int = 1

    @property
    def etag(self) -> str:
        """Its revision, as a strong entity tag."""
        return f'"{self.version}"'


@dataclass
class Shipment:
    """What leaves the warehouse for an order. `version` counts its changes."""

    id: str
    order: Order
    lines: list[Line]
    updated_at: int
    status: str = "packed"  # packed, shipped, delivered, cancelled
    version: int = 1
    carrier: str = ""
    tracking: list[dict[str, str]] = field(default_factory=list)
    shipped_at: int | None = None
    delivered_at: int | None = None


@dataclass
class Stock:
    """Units of a SKU at a site; `reserved` are those of open orders."""

    id: str
    sku: str
    warehouse: str
    on_hand: int
    reserved: int
    updated_at: int
    version: int = 1

    @property
    def available(self) -> int:
        """What may still be sold."""
        return self.on_hand - self.reserved


@dataclass(frozen=True)
class Accepted(fakeshop.Accepted):
    """`reference`: of the order that was created, amended or cancelled; `request_id` is its idempotency key."""

    reference: str = ""
