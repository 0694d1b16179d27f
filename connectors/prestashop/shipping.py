"""A shipment told to the shop: the tracking number of the order's carrier, and the order's state. Sans-I/O flows.

Both are absolute and looked at first, so telling twice changes nothing. A shop has one tracking number per carrier of
an order: those of several shipments stand behind each other there. The state moves only when a shipment holds the
whole order, because the platform has no state for a part of it.
Sources: PrestaShop, classes/order/OrderCarrier.php and OrderHistory.php; Validate::isTrackingNumber.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from decimal import Decimal
from typing import Any

from connectors.kit import golden
from connectors.kit.contract import Account, Request, Response, Write, Written
from connectors.kit.errors import Invalid, Unlinkable
from connectors.prestashop import orders, records, settings, wire
from connectors.prestashop.records import Row
from schemas.identity import InvalidKey, normalise_sku

CARRIERS, HISTORIES = "order_carriers", "order_histories"
_BETWEEN = ", "
_LONGEST = 64  # characters of order_carrier.tracking_number
_NUMBER = re.compile(r"[~:#,%&_=()\[\].? +\-@/a-zA-Z0-9]+")
WriteFlow = Generator[Request, Response, Written]


def ship(account: Account, write: Write) -> WriteFlow:
    """Writes tracking and state where the shop does not hold them yet. Raises Unlinkable for an order it does not have,
    Invalid for a cancelled one."""
    _check(write)
    order, carrier = yield from _read(account, write)
    numbers, state = _numbers_to_write(write, carrier), _state_to_write(account, write, order)
    if carrier is not None and numbers is not None:
        fields = {**carrier, "tracking_number": numbers}
        request = wire.replace(account, CARRIERS, fields, write.op_id, **_mailing(account))
        wire.one(request, (yield request), CARRIERS)
    if state is not None:
        fields = {"id_order": str(order["id"]), "id_order_state": state}
        request = wire.create(account, HISTORIES, fields, write.op_id, **_mailing(account))
        wire.one(request, (yield request), HISTORIES)
    return Written(no_op=numbers is None and state is None)


def look_up(account: Account, write: Write) -> Generator[Request, Response, Written | None]:
    """Whether the shipment is told: Written, or None."""
    _check(write)
    order, carrier = yield from _read(account, write)
    is_told = _numbers_to_write(write, carrier) is None and _state_to_write(account, write, order) is None
    return Written() if is_told else None


def _check(write: Write) -> None:
    if write.record.get("status") in ("CANCELLED", "PENDING"):
        raise Invalid(
            f"{write.golden_key}: a shipment that is {write.record['status']} is nothing a shop can be told",
            hint="narrow the flow: when: {status: SHIPPED}",
        )


def _read(account: Account, write: Write) -> Generator[Request, Response, tuple[Row, Row | None]]:
    """The order, and its newest carrier; None for one that needs none."""
    try:
        _, order_id = golden.placed_at(str(write.record["order"]))
    except InvalidKey as error:
        raise Invalid(f"{write.golden_key}: {error}") from error
    request = wire.read_one(account, records.ORDERS, order_id)
    order = wire.one(request, (yield request), records.ORDERS)
    if order is None:
        raise Unlinkable(f"{write.golden_key}: account {account.id!r} has no order {order_id}")
    if orders.state(order, settings.of(account))[0] == "CANCELLED":
        raise Invalid(
            f"{write.golden_key}: order {order_id} at account {account.id!r} was cancelled, and yet it was shipped",
            reason="order_cancelled",
            hint="call the shipment back, or open the order again",
        )
    request = wire.read(account, CARRIERS, filter_id_order=f"[{order_id}]", sort="[id_ASC]", display="full")
    found = wire.rows(request, (yield request), CARRIERS)
    return order, found[-1] if found else None


# ----------------------------------------------------------------------------------------------- tracking


def _numbers_to_write(write: Write, carrier: Row | None) -> str | None:
    """What the carrier's tracking number has to become; None when it says all of it already."""
    ours = _numbers(write)
    if carrier is None or not ours:
        return None
    held = [part for part in str(carrier.get("tracking_number") or "").split(_BETWEEN) if part]
    missing = [number for number in ours if number not in held]
    if not missing:
        return None
    text = _BETWEEN.join((*held, *missing))
    if len(text) > _LONGEST:
        raise Invalid(
            f"{write.golden_key}: {text!r} is longer than the {_LONGEST} characters a shop keeps of tracking numbers"
        )
    return text


def _numbers(write: Write) -> list[str]:
    numbers = [str(one["number"]) for one in write.record.get("tracking") or () if one.get("number")]
    for number in numbers:
        if not _NUMBER.fullmatch(number):
            raise Invalid(f"{write.golden_key}: {number!r} is not what a shop takes as a tracking number")
    return numbers


# ----------------------------------------------------------------------------------------------- state


def _state_to_write(account: Account, write: Write, order: Row) -> str | None:
    """The state the order has to get; None when it stays as it is."""
    setting = settings.of(account)
    if orders.state(order, setting)[2] == "FULFILLED" or not _is_whole(write, order):
        return None
    return setting.shipped_state


def _is_whole(write: Write, order: Row) -> bool:
    """Whether the shipment holds every unit of the order. One without lines does."""
    lines = write.record.get("lines") or ()
    if not lines:
        return True
    shipped: dict[str, Decimal] = {}
    for line in lines:
        shipped[line["sku"]] = shipped.get(line["sku"], Decimal(0)) + line["quantity"]
    ordered: dict[str, Decimal] = {}
    for row in _rows(order):
        name = _sku(row)
        ordered[name] = ordered.get(name, Decimal(0)) + Decimal(str(row.get("product_quantity") or 0))
    return all(shipped.get(name, Decimal(0)) >= units for name, units in ordered.items() if name)


def _rows(order: Row) -> list[Mapping[str, Any]]:
    associations = order.get("associations")
    found = associations.get("order_rows") if isinstance(associations, dict) else None
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _sku(row: Mapping[str, Any]) -> str:
    try:
        return normalise_sku(str(row.get("product_reference") or ""))
    except InvalidKey:
        return ""


def _mailing(account: Account) -> dict[str, str]:
    """Whether the shop mails the customer. Source: PrestaShop, webservice, `sendemail`."""
    return {"sendemail": "1"} if settings.of(account).notify_customer else {}
