"""What a fake shop holds beside its tables. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Row = dict[str, Any]


@dataclass(frozen=True)
class Sold:
    """A sellable unit: a combination, or a product without any."""

    product: Row
    combination: Row | None

    @property
    def remote_id(self) -> str:
        """product id:combination id."""
        return f"{self.product['id']}:{self.combination['id'] if self.combination else 0}"

    @property
    def sku(self) -> str:
        """Its reference."""
        return str((self.combination or self.product)["reference"])

    @property
    def price(self) -> Decimal:
        """The product's price and the combination's impact on it."""
        impact = Decimal(self.combination["price"]) if self.combination else Decimal(0)
        return Decimal(self.product["price"]) + impact


@dataclass
class Index:
    """Ways into the tables. Rows are the tables' own, so only new, gone and renamed records make it stale."""

    combinations: dict[str, list[Row]] = field(default_factory=dict)
    by_sku: dict[str, Sold] = field(default_factory=dict)
    by_id: dict[str, Sold] = field(default_factory=dict)
    stock: dict[str, dict[str, Row]] = field(default_factory=dict)

    def sold(self, product: Row) -> list[Sold]:
        """The sellable units of a product."""
        combinations = self.combinations.get(str(product["id"]), [])
        return [Sold(product, one) for one in combinations] or [Sold(product, None)]

    @classmethod
    def of(cls, products: Iterable[Row], combinations: Iterable[Row], stock: Iterable[Row]) -> Index:
        """Combinations and stock (by combination id) are found by product id, in the order of their ids."""
        index = cls()
        for row in combinations:
            index.combinations.setdefault(row["id_product"], []).append(row)
        for product in products:
            for sold in index.sold(product):
                index.by_id[sold.remote_id] = sold
                index.by_sku.setdefault(sold.sku, sold)
        for row in stock:
            # A row without a shop belongs to a group's shared stock and is not seen in this shop.
            if row["id_shop"] == "1":
                index.stock.setdefault(row["id_product"], {})[row["id_product_attribute"]] = row
        return index
