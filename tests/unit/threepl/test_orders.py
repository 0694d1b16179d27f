"""What the warehouse is told of an order, decided by what it holds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit import errors
from connectors.kit.contract import Request, Response, Write, Written
from connectors.kit.testing import refusal, replay, response
from connectors.rest.destination import RestDestination
from connectors.threepl import PLATFORM
from connectors.threepl.orders import body
from schemas.entities import EntityType, Op
from tests.unit.threepl.support import account, line, order

LINES = [{"line_id": "11", "sku": "TEE-M", "quantity": 2}]


def destination() -> RestDestination:
    assert isinstance(PLATFORM.destination, RestDestination)
    return PLATFORM.destination


def held(version: int | None = 1, status: str = "received", **values: Any) -> dict[str, Any]:
    """An order as the warehouse shows it; without a version it is not from us."""
    metadata = {} if version is None else {"operation": f"op-{version}", "version": version}
    return {
        "id": "ORD-1", "reference": "shop-1:1001", "status": status, "lines": LINES, "metadata": metadata, **values,
    }  # fmt: skip


def listed(*orders: dict[str, Any]) -> Response:
    """The reply to a search."""
    return response(200, orjson.dumps({"data": orders}))


def stored(**values: Any) -> Response:
    """The reply to a write."""
    return response(201, orjson.dumps(held(**values)))


def run(write: Write, *replies: Response) -> tuple[Written, list[Request]]:
    """A write over replies."""
    written, requests = replay(destination().write(account(), write), replies)
    assert isinstance(written, Written)
    return written, requests


def verify(write: Write, *orders: dict[str, Any]) -> Any:
    """A look-up of what is held."""
    return replay(destination().verify(account(), write), [listed(*orders)])[0]


# ----------------------------------------------------------------------------------------------- the body


def test_an_order_is_told_by_its_golden_id_with_its_lines_and_its_operation() -> None:
    assert body(account(ship_from="HAM1"), order(line("11", "TEE-M", "2"), version=7, op_id="f3|1001")) == {
        "reference": "shop-1:1001",
        "number": "#1001",
        "lines": LINES,
        "metadata": {"operation": "f3|1001", "version": 7},
        "placed_at": "2026-03-01T11:00:00.000Z",
        "warehouse": "HAM1",
    }


def test_a_time_as_the_codec_reads_it_is_told_in_utc() -> None:
    placed = datetime(2026, 3, 1, 12, 0, tzinfo=UTC).astimezone(timezone(timedelta(hours=5)))
    assert body(account(), order(placed_at=placed))["placed_at"] == "2026-03-01T12:00:00.000Z"
    assert "placed_at" not in body(account(), order(placed_at=None))


def test_an_order_id_of_any_letters_is_its_reference_as_it_is() -> None:
    known = order()
    encoded = Write(known.type, known.op, "t1|order|shop-1:10%2501%257C", 1, "", {}, known.record, (), "op-1")
    assert body(account(), encoded)["reference"] == "shop-1:10%01%7C"


@pytest.mark.parametrize("quantity", ["1.5", "-1", "1000001"])
def test_units_that_nobody_can_pick_are_a_dead_letter(quantity: str) -> None:
    error = refusal(lambda: body(account(), order(line("11", "A", quantity))))
    assert (type(error), error.reason) == (errors.Invalid, "quantity")


def test_a_line_without_a_sku_is_refused_unless_the_account_leaves_it_out() -> None:
    write = order(line("11", "TEE-M", "2"), line("12", None))
    error = refusal(lambda: body(account(), write))
    assert (error.reason, "line 12" in str(error)) == ("line_without_sku", True)
    assert body(account(lines_without_sku="leave_out"), write)["lines"] == LINES


def test_an_order_with_nothing_to_ship_is_passed_over() -> None:
    for write in (order(line("11", "A", "0")), order(fulfilment_status="FULFILLED")):
        assert isinstance(refusal(lambda write=write: run(write)), errors.Skip)  # type: ignore[misc]


# ----------------------------------------------------------------------------------------------- decisions


def test_what_the_warehouse_does_not_hold_is_created_under_the_operations_name() -> None:
    written, (find, create) = run(order(), listed(), stored())
    assert (find.method, find.query, find.writes) == ("GET", {"reference": "shop-1:1001"}, False)
    assert (create.method, create.path, create.headers["idempotency-key"]) == ("POST", "/v1/orders", "op-1")
    assert not written.no_op


def test_an_order_of_another_reference_in_the_list_is_not_ours() -> None:
    _, requests = run(order(), listed(held(reference="shop-1:10015")), stored())
    assert requests[-1].operation == "create_order"


@pytest.mark.parametrize("found", [held(1), held(2), held(5, "shipped"), held(1, "cancelled")])
def test_what_it_was_told_already_or_something_newer_is_left_alone(found: dict[str, Any]) -> None:
    written, requests = run(order(), listed(found))
    assert (written.no_op, len(requests)) == (True, 1)


@pytest.mark.parametrize("found", [held(1), held(None), held(1, lines=[])])
def test_an_older_version_is_amended_in_place(found: dict[str, Any]) -> None:
    _, (_, amend) = run(order(version=2, op_id="op-2"), listed(found), stored())
    assert (amend.method, amend.path, amend.operation) == ("PUT", "/v1/orders/ORD-1", "amend_order")


def test_a_newer_version_with_the_same_lines_does_not_disturb_what_is_being_picked() -> None:
    written, requests = run(order(version=2, op_id="op-2"), listed(held(1, "picking")))
    assert (written.no_op, len(requests)) == (True, 1)


def test_an_order_that_the_warehouse_cancelled_is_settled_by_a_person() -> None:
    error = refusal(lambda: run(order(version=2, op_id="op-2"), listed(held(1, "cancelled"))))
    assert (type(error), error.reason) == (errors.Invalid, "order_cancelled")


def test_of_several_orders_of_one_reference_the_live_one_counts() -> None:
    cancelled, live = held(3, "cancelled", id="ORD-1"), held(1, id="ORD-2")
    _, requests = run(order(version=2, op_id="op-2"), listed(cancelled, live), stored())
    assert requests[-1].path == "/v1/orders/ORD-2"


@pytest.mark.parametrize("write", [order(version=2, status="CANCELLED"), order(version=2, op=Op.DELETE)])
def test_an_order_that_its_shop_took_back_is_cancelled(write: Write) -> None:
    _, requests = run(write, listed(held(1)), stored(status="cancelled"))
    assert (requests[-1].path, requests[-1].operation) == ("/v1/orders/ORD-1/cancel", "cancel_order")
    for found in ([], [held(1, "cancelled")], [held(3)]):
        written, asked = run(write, listed(*found))
        assert (written.no_op, len(asked)) == (True, 1)


@pytest.mark.parametrize("status", ["OPEN", "CANCELLED"])
def test_a_change_is_meant_for_the_revision_that_was_found_and_a_new_order_for_none(status: str) -> None:
    write = order(version=2, op_id="op-2", status=status)
    _, (_, change) = run(write, listed(held(1, etag='"7"')), stored())
    assert change.headers["if-match"] == '"7"'
    _, (_, blind) = run(write, listed(held(1)), stored())
    assert "if-match" not in blind.headers
    _, (_, create) = run(order(), listed(), stored())
    assert "if-match" not in create.headers


@pytest.mark.parametrize("status", ["OPEN", "CANCELLED"])
def test_an_order_that_changed_since_the_look_is_looked_at_again(status: str) -> None:
    changed = response(412, b'{"error": {"code": "order_changed", "message": "read it again"}}')
    write = order(version=2, op_id="op-2", status=status)
    error = refusal(lambda: run(write, listed(held(1, etag='"7"')), changed))
    assert (type(error), error.reason) == (errors.Conflict, "order_changed")


@given(
    st.sampled_from(["received", "picking", "shipped", "cancelled"]),
    st.integers(0, 4),
    st.integers(0, 4),
    st.booleans(),
)
def test_no_write_goes_back_behind_what_the_warehouse_was_told(
    status: str, told: int, version: int, withdrawn: bool
) -> None:
    write = order(version=version, op_id=f"op-{version}", status="CANCELLED" if withdrawn else "OPEN")
    flow = destination().write(account(), write)
    next(flow)
    try:
        request = flow.send(listed(held(told, status)))
    except (StopIteration, errors.Invalid):
        return
    assert version > told
    assert orjson.loads(request.body)["metadata"]["version"] == version


# ----------------------------------------------------------------------------------------------- look-ups


def test_an_operation_is_found_by_what_it_left() -> None:
    write = order(version=2, op_id="op-2")
    assert verify(write) is None
    assert verify(write, held(1)) is None
    assert verify(write, held(None)) is None
    assert verify(write, held(2)) == Written(no_op=False)
    assert verify(write, held(3)) == Written(no_op=True)


def test_a_withdrawal_is_found_by_the_order_being_cancelled() -> None:
    write = order(version=2, op_id="op-2", status="CANCELLED")
    assert verify(write, held(1)) is None
    assert verify(write, held(1, "cancelled")) is not None


def test_only_orders_are_taken() -> None:
    assert destination().supports(EntityType.ORDER, Op.UPSERT)
    assert not destination().supports(EntityType.PRICE, Op.UPSERT)
    stranger = Write(EntityType.PRICE, Op.UPSERT, "t1|price|X", 1, "", {}, {}, (), "op-1")
    for asked in (destination().write, destination().verify):
        error = refusal(lambda asked=asked: asked(account(), stranger))  # type: ignore[misc]
        assert error.reason == "unsupported"


def test_the_units_of_a_line_are_whole_numbers_on_the_wire() -> None:
    (told,) = body(account(), order(line("1", "A", "3.000000")))["lines"]
    assert (told["quantity"], type(told["quantity"])) == (3, int)
    assert Decimal(told["quantity"]) == 3
