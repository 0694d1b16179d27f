"""Orders handed over to the warehouse: created, amended and cancelled exactly once. Sans-I/O flows.

The reference is the order's golden id. What we sent stands in the order's `metadata`: the operation and the version of
our record. Every write looks for the reference first, so an operation that is repeated after the vendor has forgotten
its key, or that comes behind a newer one, finds what it would have done and sends nothing. A change names the revision
it was decided on, so what happens to the order between our look and our write is seen before it is written over.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from decimal import Decimal
from typing import Any

from connectors.kit.contract import Account, Json, Request, Response, Write, Written
from connectors.kit.errors import Invalid, Skip
from connectors.rest.api import unreadable
from connectors.rest.destination import VerifyFlow, WriteFlow
from connectors.rest.outcomes import lookup
from connectors.rest.payload import iso
from connectors.threepl import settings
from connectors.threepl.api import API
from schemas.entities import Op
from schemas.identity import GoldenKey

Order = dict[str, Any]
OPEN, CANCELLED = "received", "cancelled"
_MOST_UNITS = 1_000_000


def write(account: Account, write: Write) -> WriteFlow:
    """Create, amend or cancel, as the record and what the warehouse holds demand.

    Raises Invalid for an order that cannot be handed over and for one that the warehouse will not change any more,
    Skip for one with nothing to ship, Conflict for one that was changed since we looked, and as Api.content does.
    """
    if _withdraws(write):
        return _cancel(account, write)
    if write.record.get("fulfilment_status") == "FULFILLED":
        raise Skip(f"{write.golden_key} is fulfilled already", reason="already_fulfilled")
    return _hand_over(account, write, body(account, write))


def verify(account: Account, write: Write) -> VerifyFlow:
    """Written when the warehouse holds this operation or a newer one, None when it holds neither."""
    held = yield from _held(account, write)
    if held is None or not _is_settled(held, write):
        return None
    return Written(no_op=lookup(held, ("metadata", "operation")) != write.op_id)


def body(account: Account, write: Write) -> Order:
    """What the warehouse is told of an order. Raises Invalid naming the line at fault, Skip when no line is left."""
    lines = list(_lines(account, write))
    if not lines:
        raise Skip(f"{write.golden_key} has no line to ship", reason="nothing_to_ship")
    placed_at, site = write.record.get("placed_at"), settings.ship_from(account)
    return {
        "reference": _reference(write),
        "number": write.record["number"],
        "lines": lines,
        "metadata": _metadata(write),
        **({"placed_at": iso(placed_at)} if placed_at is not None else {}),
        **({"warehouse": site} if site else {}),
    }


# ----------------------------------------------------------------------------------------------- writes


def _hand_over(account: Account, write: Write, wanted: Order) -> WriteFlow:
    held = yield from _held(account, write)
    if held is None:
        request = API.send(account, "POST", "/orders", "create_order", wanted, write.op_id)
    elif _is_settled(held, write) or (held["status"] not in (OPEN, CANCELLED) and held["lines"] == wanted["lines"]):
        return Written(no_op=True)
    elif held["status"] == CANCELLED:
        raise Invalid(
            f"{write.golden_key}: order {held['id']} was cancelled by the warehouse",
            reason="order_cancelled",
            hint="settle it with the warehouse; nothing was sent",
        )
    else:
        request = _change(account, write, held, "PUT", "", "amend_order", wanted)
    yield from _carry_out(request)
    return Written()


def _cancel(account: Account, write: Write) -> WriteFlow:
    held = yield from _held(account, write)
    if held is None or _is_settled(held, write):
        return Written(no_op=True)
    content = {"metadata": _metadata(write)}
    yield from _carry_out(_change(account, write, held, "POST", "/cancel", "cancel_order", content))
    return Written()


def _change(
    account: Account, write: Write, held: Order, method: str, action: str, operation: str, content: Order
) -> Request:
    """A write to the order that was found, at the revision that was found."""
    path, revision = "/orders/{id}" + action, API.etag(held)
    return API.send(account, method, path, operation, content, write.op_id, if_match=revision, id=held["id"])


def _carry_out(request: Request) -> Generator[Request, Response, None]:
    response = yield request
    _order(request, response, API.content(request, response))


# ----------------------------------------------------------------------------------------------- what is held


def _held(account: Account, write: Write) -> Generator[Request, Response, Order | None]:
    """The order of this reference; of several one that is not cancelled, the newest of them."""
    request = API.get(account, "/orders", "find_order", {"reference": _reference(write)})
    response = yield request
    found = API.content(request, response).get("data")
    if not isinstance(found, list):
        raise unreadable(request, response, "expected a list of orders")
    orders = [_order(request, response, one) for one in found]
    mine = [one for one in orders if one["reference"] == _reference(write)]
    return max(mine, key=lambda one: (one["status"] != CANCELLED, _version(one)), default=None)


def _order(request: Request, response: Response, value: Json) -> Order:
    """Raises OutcomeUnknown or Retry for what is no order of ours to read."""
    if not (
        isinstance(value, dict) and all(isinstance(value.get(name), str) for name in ("id", "status", "reference"))
    ):
        raise unreadable(request, response, "expected an order")
    return {"lines": [], **value}


def _is_settled(held: Order, write: Write) -> bool:
    """Whether the warehouse needs not be told: it holds this version or a newer one, or is rid of what we withdraw."""
    if _version(held) >= write.golden_version:
        return True
    return _withdraws(write) and held["status"] == CANCELLED


def _version(held: Order) -> int:
    """The version of our record it was told last; -1 for an order that is not from us."""
    found = lookup(held, ("metadata", "version"))
    return found if isinstance(found, int) else -1


# ----------------------------------------------------------------------------------------------- what is said


def _withdraws(write: Write) -> bool:
    return write.op is Op.DELETE or write.record.get("status") == "CANCELLED"


def _reference(write: Write) -> str:
    return GoldenKey.parse(write.golden_key).golden_id


def _metadata(write: Write) -> dict[str, Json]:
    return {"operation": write.op_id, "version": write.golden_version}


def _lines(account: Account, write: Write) -> Iterator[Order]:
    leave_out = settings.leaves_out(account)
    for line in write.record.get("lines", ()):
        units = _units(write, line)
        if not line.get("sku"):
            if leave_out:
                continue
            raise Invalid(
                f"{write.golden_key}: line {line['line_id']} has no SKU",
                reason="line_without_sku",
                hint="give the product a SKU, or set lines_without_sku to leave_out",
            )
        if units:
            yield {"line_id": line["line_id"], "sku": line["sku"], "quantity": units}


def _units(write: Write, line: Mapping[str, Any]) -> int:
    quantity = Decimal(line["quantity"])
    if quantity != quantity.to_integral_value() or not 0 <= quantity <= _MOST_UNITS:
        raise Invalid(
            f"{write.golden_key}: line {line['line_id']} is for {quantity} units",
            reason="quantity",
            hint=f"a warehouse ships whole units, up to {_MOST_UNITS} of a line",
        )
    return int(quantity)
