"""The fake warehouse without the wire: keys, lists, stock and what people do in it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from connectors.kit.clock import ManualClock
from connectors.kit.fakeshop import NotThere
from connectors.threepl.fake.api import Answer, Api, Call
from connectors.threepl.fake.edits import BadEdit, edit
from connectors.threepl.fake.options import Options, UnknownOption
from connectors.threepl.fake.records import Shipment
from connectors.threepl.fake.store import Shop

ORDER: dict[str, Any] = {"reference": "shop-1:1", "lines": [{"sku": "A", "quantity": 2}]}


class Warehouse:
    """A warehouse, its clock and what it announced."""

    def __init__(self, **options: Any) -> None:
        self.clock, self.told = ManualClock(), list[Shipment]()
        self.shop = Shop(Options(**options), self.clock, self.told.append)
        self.shop.set_stock("A", 10)
        self.api = Api(self.shop, self.clock)

    def call(self, method: str, path: str, body: Any = None, key: str = "", /, **query: str) -> Answer:
        """One request with the right token."""
        headers = {"authorization": f"Bearer {self.shop.options.api_token}", "idempotency-key": key}
        return self.api.answer(Call(method, path, query, headers, b"" if body is None else orjson.dumps(body)))

    def create(self, key: str = "k1", **values: Any) -> Answer:
        """A new order."""
        return self.call("POST", "orders", {**ORDER, **values}, key)


@pytest.fixture
def warehouse() -> Warehouse:
    return Warehouse()


def told(answer: Answer) -> Any:
    """The body, or the code of an error."""
    content = orjson.loads(answer.body)
    return content["error"]["code"] if answer.status >= 400 else content


def test_a_key_is_answered_with_its_first_reply_for_a_day(warehouse: Warehouse) -> None:
    first = warehouse.create()
    warehouse.clock.advance(86_399)
    again = warehouse.create()
    assert (again.status, again.body, again.replayed) == (first.status, first.body, True)
    warehouse.clock.advance(1)
    assert told(warehouse.create())["id"] == "ORD-2"
    assert [one.replayed for one in warehouse.api.accepted] == [False, True, False]


def test_a_key_of_another_request_is_refused_and_none_is_too(warehouse: Warehouse) -> None:
    warehouse.create()
    other = warehouse.create(lines=[{"sku": "B", "quantity": 1}])
    assert (other.status, told(other)) == (422, "idempotency_key_reused")
    assert told(warehouse.create(key="")) == "idempotency_key_missing"
    assert len(warehouse.shop.orders) == 1


def test_a_refused_order_leaves_its_key_free(warehouse: Warehouse) -> None:
    assert warehouse.create(lines=[]).status == 422
    assert warehouse.create().status == 201


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"reference": ""}, "invalid_reference"),
        ({"lines": []}, "invalid_lines"),
        ({"lines": [{"quantity": 1}]}, "invalid_lines"),
        ({"lines": [{"sku": "A", "quantity": 0}]}, "invalid_lines"),
        ({"lines": [{"sku": "A", "quantity": 1.5}]}, "invalid_lines"),
        ({"lines": [{"sku": "A", "quantity": True}]}, "invalid_lines"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(warehouse: Warehouse, values: dict[str, Any], code: str) -> None:
    assert told(warehouse.create(**values)) == code
    assert warehouse.shop.orders == {}


def test_a_reference_is_unique_only_where_the_warehouse_wants_it() -> None:
    for unique, status in ((False, 201), (True, 409)):
        warehouse = Warehouse(unique_references=unique)
        warehouse.create("k1")
        assert warehouse.create("k2").status == status


def test_an_order_holds_stock_until_it_is_cancelled_or_leaves(warehouse: Warehouse) -> None:
    def stock() -> tuple[int, int]:
        (one,) = warehouse.shop.stock.values()
        return one.on_hand, one.available

    warehouse.create()
    assert stock() == (10, 8)
    warehouse.call("PUT", "orders/ORD-1", {**ORDER, "lines": [{"sku": "A", "quantity": 5}]}, "k2")
    assert stock() == (10, 5)
    warehouse.call("POST", "orders/ORD-1/cancel", {}, "k3")
    assert stock() == (10, 10)
    warehouse.create("k4")
    warehouse.shop.advance(warehouse.shop.pack("ORD-2").id)
    assert stock() == (8, 8)


def test_an_order_at_work_is_neither_changed_nor_cancelled(warehouse: Warehouse) -> None:
    warehouse.create()
    shipment = warehouse.shop.pack("shop-1:1")
    for _ in range(2):
        for method, path in (("PUT", "orders/ORD-1"), ("POST", "orders/ORD-1/cancel")):
            refused = warehouse.call(method, path, ORDER, "k2")
            assert (refused.status, told(refused)) == (409, "order_not_open")
        if shipment.status == "packed":
            warehouse.shop.advance(shipment.id)


def test_a_cancelled_order_can_be_cancelled_again(warehouse: Warehouse) -> None:
    warehouse.create()
    for key in ("k2", "k3"):
        assert told(warehouse.call("POST", "orders/ORD-1/cancel", {}, key))["status"] == "cancelled"
    assert [one.kind for one in warehouse.shop.journal] == ["inventory_level", "order", "cancellation"]


def test_every_change_of_a_shipment_is_announced_with_a_higher_version(warehouse: Warehouse) -> None:
    warehouse.create()
    shipment = warehouse.shop.pack("shop-1:1")
    versions = [shipment.version]
    for _ in range(2):
        warehouse.clock.advance(1)
        versions.append(warehouse.shop.advance(shipment.id).version)
    assert (versions, len(warehouse.told)) == ([1, 2, 3], 3)
    with pytest.raises(BadEdit):
        warehouse.shop.advance(shipment.id)
    with pytest.raises(BadEdit):
        warehouse.shop.cancel_shipment(shipment.id)


def test_a_cursor_is_a_place_that_is_forgotten(warehouse: Warehouse) -> None:
    for sku in "BCD":
        warehouse.clock.advance(1)
        warehouse.shop.set_stock(sku, 1)
    first = told(warehouse.call("GET", "stock", limit="3"))
    assert [one["sku"] for one in first["data"]] == ["A", "B", "C"]
    warehouse.clock.advance(1)
    warehouse.shop.set_stock("A", 5)  # moves to the end
    rest = told(warehouse.call("GET", "stock", limit="3", cursor=first["next_cursor"]))
    assert ([one["sku"] for one in rest["data"]], rest["next_cursor"]) == (["D", "A"], None)
    warehouse.clock.advance(600)
    gone = warehouse.call("GET", "stock", cursor=first["next_cursor"])
    assert (gone.status, told(gone)) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "stock/STK-9", 404, "not_found"),
        ("GET", "returns", 404, "route_not_found"),
        ("DELETE", "orders/ORD-1", 405, "method_not_allowed"),
        ("GET", "orders", 422, "reference_missing"),
        ("PUT", "orders/ORD-9", 404, "not_found"),
    ],
)
def test_what_is_not_there_is_told_apart(warehouse: Warehouse, method: str, path: str, status: int, code: str) -> None:
    answer = warehouse.call(method, path, ORDER if method == "PUT" else None, "k1")
    assert (answer.status, told(answer)) == (status, code)


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "many"}, {"updated_after": "soon"}])
def test_a_parameter_that_makes_no_sense_is_refused(warehouse: Warehouse, query: dict[str, str]) -> None:
    assert warehouse.call("GET", "stock", **query).status == 422


def test_a_wrong_token_is_told_nothing(warehouse: Warehouse) -> None:
    answer = warehouse.api.answer(Call("GET", "stock", {}, {"authorization": "Bearer guess"}, b""))
    assert (answer.status, told(answer)) == (401, "unauthorized")


def test_an_edit_names_what_it_lacks(warehouse: Warehouse) -> None:
    assert edit(warehouse.shop, {"do": "set_stock", "sku": "B", "on_hand": 4})["stock_id"] == "STK-2"
    with pytest.raises(BadEdit):
        edit(warehouse.shop, {"do": "set_stock", "sku": "B"})
    with pytest.raises(NotThere):
        edit(warehouse.shop, {"do": "pack", "order": "shop-1:9"})
    with pytest.raises(UnknownOption):
        warehouse.shop.options.change({"speed": 1})
