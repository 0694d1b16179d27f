"""The shop itself: its tables, and the edits a merchant makes in the back office."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from connectors.kit import golden
from connectors.kit.clock import Clock
from connectors.kit.fakeshop import Accepted, NotThere
from connectors.prestashop import times
from connectors.prestashop.fake.options import Options
from connectors.prestashop.fake.records import Index, Row, Sold
from connectors.prestashop.fake.schema import (
    CARRIERS,
    COMBINATIONS,
    HISTORIES,
    ORDERS,
    PRODUCTS,
    RESOURCES,
    STOCK,
    Resource,
)

API, ADMIN = "api", "admin"
__all__ = ["ADMIN", "API", "NotThere", "Shop"]


class Shop:
    """One shop. Values are text as the webservice prints them; `tables`: resource name -> id -> row.

    Edits take the merchant's words (SKUs); `journal` has every accepted write of stock and prices, whoever made it.
    """

    def __init__(self, options: Options, clock: Clock) -> None:
        self.options, self._clock = options, clock
        self.tables: dict[str, dict[int, Row]] = {name: {} for name in RESOURCES}
        self.lines: dict[int, list[Row]] = {}
        self.journal: list[Accepted] = []
        self._index: Index | None = None
        self._last_ids = dict.fromkeys(RESOURCES, 0)

    @property
    def now(self) -> int:
        """Microseconds UTC on the shop's own clock."""
        return self._clock.now() + round(self.options.clock_skew * 1_000_000)

    @property
    def time(self) -> str:
        """The shop's naive time, as it stamps records."""
        return times.text(self.now, ZoneInfo(self.options.timezone))

    # ------------------------------------------------------------------------------------------- catalogue

    def create_product(self, name: str, skus: Mapping[str, str], stock: int = 0, **more: str) -> Row:
        """A product with `skus` (SKU -> price): a simple one for one SKU, with a combination each for several.
        `more`: fields of the product."""
        first = next(iter(skus))
        combined = len(skus) > 1
        row = self._insert(
            PRODUCTS,
            {
                "reference": "" if combined else first,
                "price": _money(Decimal(skus[first])),
                "active": "1",
                "state": "1",
                "type": "simple",
                "minimal_quantity": "1",
                "name": self._in_all_languages(name),
                "link_rewrite": self._in_all_languages(name.lower().replace(" ", "-")),
                "description": self._in_all_languages(""),
                "date_add": self.time,
                "date_upd": self.time,
                **more,
            },
        )
        self._add_stock(row["id"], 0, 0 if combined else stock)
        if combined:
            for sku, price in skus.items():
                self.add_combination(row["id"], sku, price, stock)
        return row

    def add_combination(self, id_product: int, sku: str, price: str, stock: int = 0) -> Row:
        """A combination more. Raises NotThere."""
        product = self.row(PRODUCTS, id_product)
        impact = Decimal(price) - Decimal(product["price"])
        values = {"id_product": str(id_product), "reference": sku, "price": _money(impact), "minimal_quantity": "1"}
        row = self._insert(COMBINATIONS, values)
        self._add_stock(id_product, row["id"], stock)
        self.recompute_sum(str(id_product))
        return row

    def update_product(self, id_product: int, **fields: str) -> None:
        """Change text fields of a product, e.g. name, reference, active. Raises NotThere."""
        row = self.row(PRODUCTS, id_product)
        for name, value in fields.items():
            row[name] = self._in_all_languages(value) if PRODUCTS.fields[name].i18n else value
        row["date_upd"] = self.time
        self.reindex()

    def set_price(self, sku: str, price: str) -> None:
        """Set what a SKU costs; of a combination its impact changes, and no date. Raises NotThere."""
        sold = self.by_sku(sku)
        before = sold.price
        if sold.combination is None:
            sold.product.update(price=_money(Decimal(price)), date_upd=self.time)
        else:
            sold.combination["price"] = _money(Decimal(price) - Decimal(sold.product["price"]))
        self.note_price(sold, before, ADMIN)

    def delete_product(self, id_product: int) -> None:
        """Delete a product with its combinations and stock. Raises NotThere."""
        self.row(PRODUCTS, id_product)
        del self.tables[PRODUCTS.name][id_product]
        for resource in (COMBINATIONS, STOCK):
            self._delete_where(resource, id_product=str(id_product))

    def delete_combination(self, sku: str) -> None:
        """Delete a combination and its stock. Raises NotThere."""
        combination = self.by_sku(sku).combination
        if combination is None:
            raise NotThere(f"{sku!r} is not a combination")
        del self.tables[COMBINATIONS.name][combination["id"]]
        self._delete_where(STOCK, id_product_attribute=str(combination["id"]))
        self.recompute_sum(combination["id_product"])

    # ------------------------------------------------------------------------------------------- stock

    def set_available(self, sku: str, quantity: int) -> None:
        """Set what may be sold. Raises NotThere."""
        row = self.stock_of(self.by_sku(sku))
        before, row["quantity"] = row["quantity"], str(quantity)
        self.note_stock(row, before, ADMIN)

    def recompute_sum(self, id_product: str) -> None:
        """Row 0 of a product with combinations holds the sum of the others, as after every save."""
        rows = self.index.stock.get(id_product, {})
        parts = [int(row["quantity"]) for attribute, row in rows.items() if attribute != "0"]
        if parts and "0" in rows:
            rows["0"]["quantity"] = str(sum(parts))

    def stock_of(self, sold: Sold) -> Row:
        """Raises NotThere."""
        id_product, _, attribute = sold.remote_id.partition(":")
        found = self.index.stock.get(id_product, {}).get(attribute)
        if found is None:
            raise NotThere(f"no stock of {sold.sku!r}")
        return found

    # ------------------------------------------------------------------------------------------- orders

    def create_order(self, lines: Mapping[str, int], state: int = 2, customer: int = 0) -> Row:
        """An order of SKU -> units at today's prices, which takes them from stock. Raises NotThere."""
        chosen = [(self.by_sku(sku), units) for sku, units in lines.items()]
        total = _money(sum((sold.price * units for sold, units in chosen), Decimal(0)))
        values = {
            "id_currency": "1",
            "id_customer": str(customer),
            "current_state": str(state),
            "module": "ps_wirepayment",
            "payment": "Bank transfer",
            "total_paid": total,
            "total_paid_tax_incl": total,
            "reference": f"FAKE{len(self.tables[ORDERS.name]) + 1:05d}",
            "date_add": self.time,
            "date_upd": self.time,
        }
        row = self._insert(ORDERS, values)
        self._insert(CARRIERS, {"id_order": str(row["id"]), "id_carrier": "2", "date_add": self.time})
        self.lines[row["id"]] = [_line(index, sold, units) for index, (sold, units) in enumerate(chosen, 1)]
        for sold, units in chosen:
            stock = self.stock_of(sold)
            before, stock["quantity"] = stock["quantity"], str(int(stock["quantity"]) - units)
            self.note_stock(stock, before, ADMIN)
        return row

    def update_order(self, id_order: int, state: int) -> None:
        """Move an order to another state. Raises NotThere."""
        self.row(ORDERS, id_order).update(current_state=str(state), date_upd=self.time)

    def add_history(self, values: Mapping[str, Any], request_id: str = "") -> Row:
        """A row of an order's history, which moves the order to that state. Raises NotThere."""
        order = self.row(ORDERS, int(values["id_order"]))
        row = self._insert(HISTORIES, {**values, "date_add": self.time})
        changed, state = order["current_state"] != values["id_order_state"], values["id_order_state"]
        self.update_order(order["id"], int(state))
        self._note(API, "order_state", str(order["id"]), "", state, changed, "", request_id)
        return row

    def note_tracking(self, row: Row, before: str, request_id: str) -> None:
        """Record a write of an order's tracking number."""
        number = row["tracking_number"]
        self._note(API, "fulfilment", row["id_order"], "", number, number != before, "", request_id)

    # ------------------------------------------------------------------------------------------- finding

    def row(self, resource: Resource, remote_id: int) -> Row:
        """Raises NotThere."""
        found = self.tables[resource.name].get(remote_id)
        if found is None:
            raise NotThere(f"no {resource.entity} {remote_id}")
        return found

    @property
    def index(self) -> Index:
        """Ways into the tables."""
        if self._index is None:
            tables = (self.tables[resource.name].values() for resource in (PRODUCTS, COMBINATIONS, STOCK))
            self._index = Index.of(*tables)
        return self._index

    def reindex(self) -> None:
        """To be called when a record came, went or changed what it is found by."""
        self._index = None

    def by_sku(self, sku: str) -> Sold:
        """Raises NotThere."""
        found = self.index.by_sku.get(sku)
        if found is None:
            raise NotThere(f"nothing with reference {sku!r}")
        return found

    # ------------------------------------------------------------------------------------------- journal

    def note_stock(self, row: Row, before: str, actor: str, request_id: str = "") -> None:
        """Record a write of a stock row and bring the sum row up to date."""
        remote_id = f"{row['id_product']}:{row['id_product_attribute']}"
        sold = self.index.by_id.get(remote_id)
        changed = before != row["quantity"]
        sku = sold.sku if sold else ""
        self._note(
            actor, "inventory_level", remote_id, sku, row["quantity"], changed, self.options.location, request_id
        )
        self.recompute_sum(row["id_product"])

    def note_price(self, sold: Sold, before: Decimal, actor: str, request_id: str = "") -> None:
        """Record a write of a price."""
        value = golden.decimal_text(sold.price)
        self._note(actor, "price", sold.remote_id, sold.sku, value, sold.price != before, "", request_id)

    def _note(
        self, actor: str, kind: str, remote_id: str, sku: str, value: str, changed: bool, location: str, request_id: str
    ) -> None:
        sequence, now = len(self.journal) + 1, self._clock.now()
        self.journal.append(Accepted(sequence, now, actor, kind, remote_id, sku, value, changed, location, request_id))

    # ------------------------------------------------------------------------------------------- inside

    def _insert(self, resource: Resource, values: Mapping[str, Any]) -> Row:
        self._last_ids[resource.name] += 1
        remote_id = self._last_ids[resource.name]
        row: Row = {name: field.default for name, field in resource.fields.items()}
        row.update(values, id=remote_id)
        self.tables[resource.name][remote_id] = row
        self.reindex()
        return row

    def _add_stock(self, id_product: int, attribute: int, quantity: int) -> None:
        values = {"id_product": str(id_product), "id_product_attribute": str(attribute), "quantity": str(quantity)}
        self._insert(STOCK, {**values, "id_shop": "1", "depends_on_stock": "0", "out_of_stock": "2"})

    def _delete_where(self, resource: Resource, **values: str) -> None:
        table = self.tables[resource.name]
        for remote_id, row in list(table.items()):
            if all(row[name] == value for name, value in values.items()):
                del table[remote_id]
        self.reindex()

    def _in_all_languages(self, text: str) -> dict[str, str]:
        return {str(language): text for language in range(1, self.options.languages + 1)}


def _money(amount: Decimal) -> str:
    return f"{amount:.6f}"


def _line(index: int, sold: Sold, units: int) -> Row:
    return {
        "id": str(index),
        "product_id": str(sold.product["id"]),
        "product_attribute_id": str(sold.combination["id"] if sold.combination else 0),
        "product_quantity": str(units),
        "product_name": next(iter(sold.product["name"].values())),
        "product_reference": sold.sku,
        "unit_price_tax_incl": _money(sold.price),
        "unit_price_tax_excl": _money(sold.price),
    }
