"""A fake warehouse's data and everything that changes it. Every change of a shipment is announced."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.kit.clock import Clock
from connectors.kit.fakeshop import BadEdit, NotThere
from connectors.threepl.fake.options import Options
from connectors.threepl.fake.records import Accepted, Line, Order, Shipment, Stock

ADMIN, API = "admin", "api"
_NEXT = {"packed": "shipped", "shipped": "delivered"}


class Shop:
    """Orders, shipments and stock. Edits raise NotThere for what is not there and BadEdit for what cannot be."""

    def __init__(self, options: Options, clock: Clock, announce: Callable[[Shipment], None]) -> None:
        self.options, self._clock, self._announce = options, clock, announce
        self.orders: dict[str, Order] = {}
        self.shipments: dict[str, Shipment] = {}
        self.stock: dict[str, Stock] = {}
        self.journal: list[Accepted] = []

    # ------------------------------------------------------------------------------------------- stock

    def create_product(self, title: str, skus: Mapping[str, Any], stock: int = 0) -> list[Stock]:
        """So many units of each SKU at the default site; the API knows neither titles nor prices."""
        return [self.set_stock(sku, stock) for sku in skus]

    def set_stock(self, sku: str, on_hand: int) -> Stock:
        """A count of the shelf."""
        one = self._stock(sku)
        changed, one.on_hand = one.on_hand != on_hand, on_hand
        self._touch(one)
        self._note(ADMIN, "inventory_level", one.id, str(one.available), sku=sku, changed=changed)
        return one

    def _stock(self, sku: str) -> Stock:
        found = next((one for one in self.stock.values() if one.sku == sku), None)
        if found is None:
            found = Stock(f"STK-{len(self.stock) + 1}", sku, self.options.site, 0, 0, self._clock.now(), version=0)
            self.stock[found.id] = found
        return found

    def _reserve(self, lines: Sequence[Line], sign: int) -> None:
        for line in lines:
            one = self._stock(line.sku)
            one.reserved += sign * line.quantity
            self._touch(one)

    # ------------------------------------------------------------------------------------------- orders

    def create_order(self, order: Mapping[str, Any], key: str = "", actor: str = API) -> Order:
        """An order of decoded and checked values."""
        one = Order(
            id=f"ORD-{len(self.orders) + 1}",
            reference=order["reference"],
            number=order.get("number", ""),
            lines=_lines(order["lines"]),
            metadata=order.get("metadata", {}),
            warehouse=order.get("warehouse", self.options.site),
            created_at=self._clock.now(),
        )
        self.orders[one.id] = one
        self._reserve(one.lines, 1)
        self._note(actor, "order", one.id, _text(one.lines), key=key, reference=one.reference)
        return one

    def amend_order(self, one: Order, order: Mapping[str, Any], key: str = "", actor: str = API) -> Order:
        """Other lines, number and metadata."""
        self._reserve(one.lines, -1)
        one.lines, one.number = _lines(order["lines"]), order.get("number", one.number)
        self._reserve(one.lines, 1)
        self._told(one, order)
        self._note(actor, "amendment", one.id, _text(one.lines), key=key, reference=one.reference)
        return one

    def cancel_order(self, one: Order, order: Mapping[str, Any], key: str = "", actor: str = API) -> Order:
        """Nothing of it will be shipped."""
        one.status = "cancelled"
        self._reserve(one.lines, -1)
        self._told(one, order)
        self._note(actor, "cancellation", one.id, "", key=key, reference=one.reference)
        return one

    def order(self, name: str) -> Order:
        """By id, else the newest of a reference. Raises NotThere."""
        found = self.orders.get(name) or next(
            (one for one in reversed(self.orders.values()) if one.reference == name), None
        )
        if found is None:
            raise NotThere(f"no order {name!r}")
        return found

    def by_reference(self, reference: str) -> list[Order]:
        """The oldest first, without those that the list does not show yet."""
        shown = self._clock.now() - round(self.options.index_lag * 1_000_000)
        return [one for one in self.orders.values() if one.reference == reference and one.created_at <= shown]

    def _told(self, one: Order, order: Mapping[str, Any]) -> None:
        one.version += 1
        one.metadata = order.get("metadata", one.metadata)

    # ------------------------------------------------------------------------------------------- shipments

    def pack(self, name: str, units: Mapping[str, int] | None = None) -> Shipment:
        """Pack an order, or so many units of some SKUs of it. From then on its lines stand."""
        order = self.order(name)
        if order.status not in ("received", "picking"):
            raise BadEdit(f"order {order.id} is {order.status}")
        order.status, order.version = "picking", order.version + 1
        packed = [
            Line(line.sku, line.quantity if units is None else units[line.sku], line.line_id)
            for line in order.lines
            if units is None or line.sku in units
        ]
        one = Shipment(f"SHP-{len(self.shipments) + 1}", order, packed, self._clock.now())
        self.shipments[one.id] = one
        return self._changed(one)

    def advance(self, shipment_id: str, carrier: str = "DHL") -> Shipment:
        """From packed to shipped to delivered."""
        one = self.shipment(shipment_id)
        if one.status not in _NEXT:
            raise BadEdit(f"shipment {one.id} is {one.status}")
        one.status = _NEXT[one.status]
        if one.status == "delivered":
            one.delivered_at = self._clock.now()
        else:
            self._leave(one, carrier)
        one.version += 1
        return self._changed(one)

    def cancel_shipment(self, shipment_id: str) -> Shipment:
        """Unpack what has not left."""
        one = self.shipment(shipment_id)
        if one.status != "packed":
            raise BadEdit(f"shipment {one.id} is {one.status}")
        one.status, one.version = "cancelled", one.version + 1
        return self._changed(one)

    def shipment(self, shipment_id: str) -> Shipment:
        """Raises NotThere."""
        found = self.shipments.get(shipment_id)
        if found is None:
            raise NotThere(f"no shipment {shipment_id!r}")
        return found

    def _leave(self, one: Shipment, carrier: str) -> None:
        number = f"JJD{one.id.removeprefix('SHP-'):0>10}"
        one.carrier, one.shipped_at = carrier, self._clock.now()
        one.tracking = [{"number": number, "url": f"https://track.example/{number}"}]
        one.order.status, one.order.version = "shipped", one.order.version + 1
        for line in one.lines:
            held = self._stock(line.sku)
            held.on_hand, held.reserved = held.on_hand - line.quantity, held.reserved - line.quantity
            self._touch(held)

    def _changed(self, one: Shipment) -> Shipment:
        one.updated_at = self._clock.now()
        self._note(ADMIN, "shipment", one.id, one.status, reference=one.order.reference)
        self._announce(one)
        return one

    # ------------------------------------------------------------------------------------------- inside

    def _touch(self, one: Stock) -> None:
        one.version, one.updated_at = one.version + 1, self._clock.now()

    def _note(
        self,
        actor: str,
        kind: str,
        remote_id: str,
        value: str,
        *,
        sku: str = "",
        changed: bool = True,
        key: str = "",
        reference: str = "",
    ) -> None:
        sequence, now = len(self.journal) + 1, self._clock.now()
        self.journal.append(
            Accepted(sequence, now, actor, kind, remote_id, sku, value, changed, "", key, reference=reference)
        )


def _lines(values: Sequence[Mapping[str, Any]]) -> list[Line]:
    return [Line(value["sku"], value["quantity"], value.get("line_id") or "") for value in values]


def _text(lines: Sequence[Line]) -> str:
    return ", ".join(f"{line.quantity} x {line.sku}" for line in lines)
