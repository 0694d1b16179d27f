"""A shipment told to the shop: fulfilments of the order's fulfilment orders, with tracking. Sans-I/O flows.

The API has no key for it, so the tracking number is the marker: every write reads the order first and creates only what
is not yet in a fulfilment with one of the shipment's numbers. That makes it repeatable, and a doubt can be looked up. A
shipment without a number cannot be told from another one: in doubt a person decides.

One call may hold fulfilment orders of one location only. Sources: shopify.dev, fulfillmentCreate, FulfillmentInput,
FulfillmentOrder, Fulfillment.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from connectors.kit import golden
from connectors.kit.contract import Account, Request, Response, Write, Written
from connectors.kit.errors import Invalid, Unlinkable
from connectors.shopify import graphql, queries, reads, settings
from connectors.shopify.payload import gid
from connectors.shopify.writing import WriteFlow, mutation
from schemas.identity import InvalidKey, normalise_sku

_OPEN = frozenset({"OPEN", "IN_PROGRESS"})  # states of a fulfilment order that can be fulfilled
_VOID = frozenset({"CANCELLED", "ERROR", "FAILURE"})  # states of a fulfilment that ships nothing
Node = Mapping[str, Any]
Parts = dict[str, list[dict[str, Any]]]  # fulfilment order -> its line items and quantities


def fulfil(account: Account, write: Write) -> WriteFlow:
    """Creates what the shop does not have of a shipment yet. Raises Unlinkable for an order it does not know, Invalid
    when it has less left to ship than was shipped."""
    _check(write)
    order = yield from _order(account, write)
    chosen = _missing(write, order)
    if not chosen:
        return Written(no_op=True)
    for parts in chosen:
        variables = {"fulfillment": _input(account, write, parts)}
        sent = mutation(account, write.op_id, "create_fulfilment", queries.CREATE_FULFILMENT, variables)
        graphql.payload(sent, (yield sent), "fulfillmentCreate")
    return Written()


def look_up(account: Account, write: Write) -> Generator[Request, Response, Written | None]:
    """Whether the shipment is told: Written, or None. Raises Invalid where nothing marks it."""
    _check(write)
    if not _numbers(write):
        raise Invalid(
            f"{write.golden_key}: a shipment without tracking number cannot be recognised at account {account.id!r}",
            hint="look at the order's fulfilments there",
        )
    order = yield from _order(account, write)
    return None if _missing(write, order) else Written()


def _check(write: Write) -> None:
    if write.record.get("status") in ("CANCELLED", "PENDING"):
        raise Invalid(
            f"{write.golden_key}: a shipment that is {write.record['status']} is nothing a shop can be told",
            hint="narrow the flow: when: {status: SHIPPED}",
        )


# ----------------------------------------------------------------------------------------------- reading


def _order(account: Account, write: Write) -> Generator[Request, Response, Node]:
    try:
        _, order_id = golden.placed_at(str(write.record["order"]))
    except InvalidKey as error:
        raise Invalid(f"{write.golden_key}: {error}") from error
    variables = {"id": gid("Order", order_id), **queries.ORDER_PAGES}
    found = yield from reads.ask(
        account, "read_order", queries.ORDER_TO_FULFIL, variables, queries.ORDER_TO_FULFIL_COST, "order"
    )
    if not isinstance(found, dict):
        raise Unlinkable(f"{write.golden_key}: account {account.id!r} has no order {order_id}")
    if _is_cut(found):
        raise Invalid(
            f"{write.golden_key}: order {order_id} at account {account.id!r} has more than {queries.ORDER_PAGES}",
            reason="too_large",
            hint="tell this shipment in the shop's admin",
        )
    return found


def _is_cut(order: Node) -> bool:
    """Whether it has more of anything than was asked for."""
    fulfilments, groups = order.get("fulfillments") or [], order.get("fulfillmentOrders")
    connections = [
        groups,
        *(one.get("lineItems") for one in _nodes(groups)),
        *(one.get("fulfillmentLineItems") for one in fulfilments),
    ]
    more = any(((one or {}).get("pageInfo") or {}).get("hasNextPage") for one in connections)
    return more or len(fulfilments) >= queries.ORDER_PAGES["fulfilments"]


@dataclass
class _Left:
    """Units of one line item of a fulfilment order that can still be fulfilled."""

    order: str
    location: str
    item: str
    line: str
    sku: str
    units: int


def _left(order: Node) -> list[_Left]:
    found = []
    for each in _nodes(order.get("fulfillmentOrders")):
        can_ship = each.get("status") in _OPEN
        place = ((each.get("assignedLocation") or {}).get("location") or {}).get("id") or ""
        for item in _nodes(each.get("lineItems")):
            line = item.get("lineItem") or {}
            units = int(item.get("remainingQuantity") or 0) if can_ship else 0
            found.append(_Left(each["id"], place, item["id"], _tail(line.get("id")), _sku(line), units))
    return found


def _told(write: Write, order: Node) -> dict[str, int]:
    """Units by line id that stand in fulfilments with one of the shipment's tracking numbers already."""
    ours, units = set(_numbers(write)), dict[str, int]()
    for each in order.get("fulfillments") or []:
        numbers = {entry.get("number") for entry in each.get("trackingInfo") or []}
        if each.get("status") in _VOID or not ours & numbers:
            continue
        for item in _nodes(each.get("fulfillmentLineItems")):
            line = _tail((item.get("lineItem") or {}).get("id"))
            units[line] = units.get(line, 0) + int(item.get("quantity") or 0)
    return units


# ----------------------------------------------------------------------------------------------- choosing


def _missing(write: Write, order: Node) -> list[Parts]:
    """What is still to be told, one entry per location; nothing when all is."""
    told, left = _told(write, order), _left(order)
    lines: Sequence[Node] = write.record.get("lines") or ()
    chosen = _of_lines(write, lines, left, told) if lines else [(one, one.units) for one in left if one.units]
    if not lines and not chosen and not told:
        raise _too_much(write, "everything that was left", "nothing")
    by_place: dict[str, Parts] = {}
    for one, units in chosen:
        parts = by_place.setdefault(one.location, {})
        parts.setdefault(one.order, []).append({"id": one.item, "quantity": units})
    return list(by_place.values())


def _of_lines(
    write: Write, lines: Iterable[Node], left: Sequence[_Left], told: dict[str, int]
) -> list[tuple[_Left, int]]:
    chosen: list[tuple[_Left, int]] = []
    for line in lines:
        wanted = _units(write, line["quantity"])
        named = line.get("line_id")
        mine = [one for one in left if (one.line == named if named else one.sku == line["sku"])]
        for name in dict.fromkeys([named] if named else [one.line for one in mine]):
            taken = min(wanted, told.get(name, 0))
            told[name] = told.get(name, 0) - taken
            wanted -= taken
        for one in mine:
            units = min(wanted, one.units)
            if units:
                one.units -= units
                wanted -= units
                chosen.append((one, units))
        if wanted:
            raise _too_much(write, f"{line['quantity'].normalize():f} of {line['sku']}", f"{wanted} fewer")
    return chosen


def _too_much(write: Write, shipped: str, left: str) -> Invalid:
    return Invalid(
        f"{write.golden_key}: {shipped} was shipped, and the shop has {left} left to fulfil",
        reason="already_fulfilled",
        hint="likely a person marked it as shipped there; compare the order's fulfilments",
    )


def _units(write: Write, quantity: Decimal) -> int:
    if quantity != quantity.to_integral_value() or quantity <= 0:
        raise Invalid(f"{write.golden_key}: {quantity} units shipped: a shop counts whole units")
    return int(quantity)


# ----------------------------------------------------------------------------------------------- writing


def _input(account: Account, write: Write, parts: Parts) -> dict[str, Any]:
    groups = [{"fulfillmentOrderId": order, "fulfillmentOrderLineItems": items} for order, items in parts.items()]
    made: dict[str, Any] = {
        "lineItemsByFulfillmentOrder": groups,
        "notifyCustomer": settings.flag(account, "notify_customer"),
    }
    tracking = _tracking(write)
    return {**made, "trackingInfo": tracking} if tracking else made


def _tracking(write: Write) -> dict[str, Any]:
    numbers, carrier = _numbers(write), write.record.get("carrier")
    urls = [str(one["url"]) for one in write.record.get("tracking") or () if one.get("url")]
    told: dict[str, Any] = {"company": carrier} if carrier else {}
    if numbers:
        told["numbers"] = numbers
    if urls:
        told["urls"] = urls
    return told


def _numbers(write: Write) -> list[str]:
    return [str(one["number"]) for one in write.record.get("tracking") or () if one.get("number")]


def _nodes(connection: Any) -> list[Node]:
    nodes = connection.get("nodes") if isinstance(connection, Mapping) else None
    return [node for node in nodes if isinstance(node, Mapping)] if isinstance(nodes, list) else []


def _tail(name: Any) -> str:
    return str(name or "").rpartition("/")[2]


def _sku(line: Node) -> str:
    try:
        return normalise_sku(str(line.get("sku") or ""))
    except InvalidKey:
        return ""
