"""Changes at the fake warehouse that are meant for one revision of an order."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.clock import ManualClock
from connectors.threepl.fake.api import Answer, Api, Call
from connectors.threepl.fake.conditions import holds
from connectors.threepl.fake.edits import BadEdit, edit
from connectors.threepl.fake.options import Options
from connectors.threepl.fake.store import Shop

ORDER: dict[str, Any] = {"reference": "shop-1:1", "lines": [{"sku": "A", "quantity": 2}]}
MORE: dict[str, Any] = {**ORDER, "lines": [{"sku": "A", "quantity": 5}]}
CHANGES = [("PUT", "orders/ORD-1", MORE), ("POST", "orders/ORD-1/cancel", {"metadata": {"version": 2}})]
TAGS = st.from_regex(r'"[!#-~]*"', fullmatch=True)


class Warehouse:
    """A warehouse with one order."""

    def __init__(self) -> None:
        self.shop = Shop(Options(), ManualClock(), lambda _: None)
        self.shop.set_stock("A", 10)
        self.api = Api(self.shop, ManualClock())
        self.created = self.call("POST", "orders", ORDER, "k1")

    def call(self, method: str, path: str, body: Any, key: str = "", if_match: str | None = None) -> Answer:
        """One request with the right token."""
        headers = {"authorization": f"Bearer {self.shop.options.api_token}", "idempotency-key": key}
        condition = {} if if_match is None else {"if-match": if_match}
        return self.api.answer(Call(method, path, {}, {**headers, **condition}, orjson.dumps(body)))

    def etag(self) -> str:
        """As the order is shown alone."""
        return self.call("GET", "orders/ORD-1", None).etag

    def everything(self) -> Any:
        """What is held and what was done."""
        return repr((self.shop.orders, self.shop.stock, self.shop.journal, self.api.accepted))


@pytest.fixture
def warehouse() -> Warehouse:
    return Warehouse()


@pytest.mark.parametrize(
    ("if_match", "met"),
    [
        (None, True),
        ("*", True),
        ('"1"', True),
        ('"0", "1"', True),
        (' "0" ,\t"1" ', True),
        ('"a,b", "1"', True),
        ('"2"', False),
        ('W/"1"', False),
        ('"0", W/"1"', False),
        ('"0,"1"', False),
        ("1", False),
        ("", False),
        ('"1', False),
    ],
)
def test_a_condition_is_met_by_the_very_revision(if_match: str | None, met: bool) -> None:
    assert holds(if_match, '"1"') is met


@given(TAGS, st.lists(TAGS), st.booleans())
def test_a_list_of_revisions_is_met_by_each_of_its_strong_ones_alone(etag: str, others: list[str], weak: bool) -> None:
    among = [*others, f"W/{etag}" if weak else etag]
    assert holds(", ".join(among), etag) is (not weak or etag in others)


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_a_change_meant_for_another_revision_changes_nothing(
    warehouse: Warehouse, method: str, path: str, body: Any
) -> None:
    seen = warehouse.etag()
    edit(warehouse.shop, {"do": "amend_order", "order": "ORD-1", "units": {"A": 3}})
    before = warehouse.everything()
    refused = warehouse.call(method, path, body, "k2", seen)
    assert (refused.status, orjson.loads(refused.body)["error"]["code"]) == (412, "order_changed")
    assert warehouse.everything() == before


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_a_refused_change_leaves_its_key_free_for_the_revision_of_today(
    warehouse: Warehouse, method: str, path: str, body: Any
) -> None:
    warehouse.call(method, path, body, "k2", '"0"')
    again = warehouse.call(method, path, body, "k2", warehouse.etag())
    assert (again.status, again.replayed) == (200, False)


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
@pytest.mark.parametrize("condition", ["as it was", "of today", "none"])
def test_a_change_that_was_carried_out_is_answered_again_whatever_the_order_is_at_by_then(
    warehouse: Warehouse, method: str, path: str, body: Any, condition: str
) -> None:
    seen = warehouse.etag()
    first = warehouse.call(method, path, body, "k2", seen)
    before = len(warehouse.shop.journal)
    again = warehouse.call(
        method, path, body, "k2", {"as it was": seen, "of today": warehouse.etag(), "none": None}[condition]
    )
    assert (again.status, again.body, again.etag, again.replayed) == (200, first.body, first.etag, True)
    assert len(warehouse.shop.journal) == before


def test_every_change_of_an_order_moves_its_revision_and_a_look_does_not(warehouse: Warehouse) -> None:
    seen = [warehouse.etag()]
    warehouse.call("PUT", "orders/ORD-1", MORE, "k2")
    seen.append(warehouse.etag())
    edit(warehouse.shop, {"do": "amend_order", "order": "ORD-1", "units": {"A": 3}})
    seen.append(warehouse.etag())
    shipment = warehouse.shop.pack("ORD-1")
    seen.append(warehouse.etag())
    warehouse.shop.advance(shipment.id)
    seen += [warehouse.etag(), warehouse.etag()]
    assert len(set(seen)) == 5
    assert seen[-1] == seen[-2]


def test_an_order_shown_alone_has_the_same_revision_in_its_header_and_a_list_has_none(warehouse: Warehouse) -> None:
    for answer in (warehouse.created, warehouse.call("GET", "orders/ORD-1", None)):
        assert answer.etag == orjson.loads(answer.body)["etag"] == '"1"'
    assert warehouse.call("GET", "stock", None).etag == ""


def test_what_is_not_there_is_said_before_any_condition(warehouse: Warehouse) -> None:
    assert warehouse.call("PUT", "orders/ORD-9", MORE, "k2", '"1"').status == 404


def test_people_change_units_until_somebody_picks_them(warehouse: Warehouse) -> None:
    edit(warehouse.shop, {"do": "amend_order", "order": "shop-1:1", "units": {"A": 3, "B": 9}})
    assert [(line.sku, line.quantity) for line in warehouse.shop.order("ORD-1").lines] == [("A", 3)]
    (stock,) = warehouse.shop.stock.values()
    assert stock.available == 7
    warehouse.shop.pack("ORD-1")
    with pytest.raises(BadEdit):
        edit(warehouse.shop, {"do": "amend_order", "order": "ORD-1", "units": {"A": 4}})
