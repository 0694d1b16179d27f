"""The fake shop's webservice without the wire: it must be as unforgiving as the real one."""

from __future__ import annotations

from base64 import b64encode
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest

from connectors.kit.clock import ManualClock
from connectors.kit.fakelimit import Limit
from connectors.prestashop import xml
from connectors.prestashop.fake.api import Answer, Api, Call
from connectors.prestashop.fake.edits import BadEdit, edit
from connectors.prestashop.fake.options import Options, UnknownOption
from connectors.prestashop.fake.store import NotThere, Shop


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def shop(clock: ManualClock) -> Shop:
    """A mug, and a poster in two sizes."""
    shop = Shop(Options(), clock)
    shop.create_product("Mug", {"MUG": "11.90"}, stock=3)
    clock.advance(5)
    shop.create_product("Poster", {"P-40": "29", "P-60": "49"}, stock=2)
    return shop


def call(shop: Shop, path: str, /, *write: bytes, **query: str) -> Answer:
    """A GET, or with a body a PUT, with the shop's key; `filter_x` stands for `filter[x]`."""
    options = {
        (f"filter[{name.removeprefix('filter_')}]" if name.startswith("filter_") else name): value
        for name, value in query.items()
    }
    headers = {"authorization": "Basic " + b64encode(f"{shop.options.key}:".encode()).decode(), "x-request-id": "op-1"}
    return Api(shop).answer(
        Call("PUT" if write else "GET", path, {"output_format": "JSON", **options}, headers, b"".join(write))
    )


def ids(answer: Answer) -> list[int]:
    """Ids of a list reply."""
    assert answer.status == 200, answer.body
    content = orjson.loads(answer.body)
    return [row["id"] for row in next(iter(content.values()))] if content else []


def code(answer: Answer) -> tuple[int, int]:
    """HTTP status and the webservice's code."""
    return answer.status, orjson.loads(answer.body)["errors"][0]["code"]


def full(shop: Shop, resource: str, remote_id: int) -> dict[str, Any]:
    """One record as the webservice shows it."""
    answer = call(shop, f"{resource}/{remote_id}")
    found: dict[str, Any] = next(iter(orjson.loads(answer.body).values()))
    return found


def writable(row: dict[str, Any]) -> dict[str, Any]:
    """Without what may not be written."""
    return {k: v for k, v in row.items() if k not in ("associations", "quantity", "manufacturer_name")}


def test_lists_show_ids_unless_more_is_asked_for(shop: Shop) -> None:
    assert orjson.loads(call(shop, "products").body) == {"products": [{"id": 1}, {"id": 2}]}
    row = orjson.loads(call(shop, "products", display="[id,price]").body)["products"][0]
    assert row == {"id": 1, "price": "11.900000"}
    assert "associations" in orjson.loads(call(shop, "products", display="full").body)["products"][1]


def test_an_empty_list_is_brackets_and_one_record_stands_under_the_singular(shop: Shop) -> None:
    assert call(shop, "products", filter_id="[99]").body == b"[]"
    assert "product" in orjson.loads(call(shop, "products/1").body)
    assert "products" in orjson.loads(call(shop, "products/1", display="full").body)
    missing = call(shop, "products/99")
    assert (missing.status, missing.body, missing.authenticated) == (404, b"", True)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"filter_id": "[1]"}, [1]),
        ({"filter_id": "[1|2]"}, [1, 2]),
        ({"filter_id": "[1,2]"}, [1, 2]),
        ({"filter_id": "[2,1]"}, [1, 2]),
        ({"filter_id": ">[1]"}, [2]),
        ({"filter_id": "<[2]"}, [1]),
        ({"filter_id": "![1]"}, [2]),
        ({"filter_reference": "MUG"}, [1]),
        ({"filter_reference": "[MU]%"}, [1]),
        ({"filter_price": ">[12]"}, [2]),
        ({"date": "1", "filter_date_upd": "[2026-03-01 13:00:00,2026-03-01 13:00:04]"}, [1]),
        ({"date": "1", "filter_date_upd": "[2026-03-01 13:00:00,2026-03-01 13:00:05]"}, [1, 2]),
        ({"sort": "[price_DESC]"}, [2, 1]),
        ({"sort": "id_DESC"}, [2, 1]),
        ({"date": "1", "sort": "[date_upd_DESC,id_ASC]"}, [2, 1]),
        ({"limit": "1"}, [1]),
        ({"limit": "1,5"}, [2]),
    ],
)
def test_filters_sorting_and_paging_are_the_vendors(shop: Shop, query: dict[str, str], expected: list[int]) -> None:
    assert ids(call(shop, "products", **query)) == expected


@pytest.mark.parametrize(
    ("path", "query", "expected"),
    [
        ("products", {"filter_date_upd": "[2026-03-01,2026-03-02]"}, (400, 32)),
        ("products", {"filter_color": "[red]"}, (400, 32)),
        ("products", {"filter_id": ""}, (400, 33)),
        ("products", {"filter_quantity": "[1]"}, (400, 34)),
        ("products", {"sort": "[date_upd_ASC]"}, (400, 38)),
        ("products", {"sort": "[id]"}, (400, 37)),
        ("products", {"limit": "1,2,3"}, (400, 39)),
        ("products", {"display": "[color]"}, (400, 35)),
        ("products", {"display": "all"}, (400, 36)),
        ("stock_availables", {"date": "1", "filter_date_upd": "[2026-03-01,2026-03-02]"}, (500, 0)),
        ("colors", {}, (400, 27)),
    ],
)
def test_what_the_webservice_does_not_understand_it_refuses(
    shop: Shop, path: str, query: dict[str, str], expected: tuple[int, int]
) -> None:
    assert code(call(shop, path, **query)) == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", 16),
        ("Basic " + b64encode(b":").decode(), 17),
        ("Basic " + b64encode(b"short:").decode(), 18),
        ("Basic " + b64encode(b"X" * 32 + b":").decode(), 20),
        ("Basic ???", 17),
    ],
)
def test_a_wrong_key_is_refused_with_its_own_code(shop: Shop, header: str, expected: int) -> None:
    answer = Api(shop).answer(Call("GET", "products", {"output_format": "JSON"}, {"authorization": header}, b""))
    assert code(answer) == (401, expected)
    assert not answer.authenticated


def test_a_webservice_that_is_switched_off_says_so(shop: Shop) -> None:
    shop.options.webservice = False
    assert code(call(shop, "products")) == (503, 22)


def test_orders_cannot_be_written_and_xml_is_the_default(shop: Shop) -> None:
    assert code(call(shop, "orders", b"")) == (405, 25)
    answer = Api(shop).answer(Call("GET", "products/1", {"ws_key": shop.options.key}, {}, b""))
    assert ET.fromstring(answer.body).findtext("product/reference") == "MUG"


def test_a_put_replaces_and_an_absent_optional_field_becomes_its_default(shop: Shop) -> None:
    fields = writable(full(shop, "products", 1))
    del fields["active"]
    answer = call(shop, "products", xml.document("product", {**fields, "price": "12"}))
    assert answer.status == 200
    assert (shop.tables["products"][1]["price"], shop.tables["products"][1]["active"]) == ("12", "0")


def test_a_put_moves_the_date_of_a_product_and_a_combination_has_none(shop: Shop, clock: ManualClock) -> None:
    clock.advance(60)
    call(shop, "products", xml.document("product", writable(full(shop, "products", 1))))
    call(shop, "combinations", xml.document("combination", writable(full(shop, "combinations", 1))))
    assert shop.tables["products"][1]["date_upd"] == "2026-03-01 13:01:05"
    assert shop.tables["products"][2]["date_upd"] == "2026-03-01 13:00:05"


@pytest.mark.parametrize(
    ("entity", "changes", "without", "expected"),
    [
        ("product", {"quantity": "3"}, (), (400, 93)),
        ("product", {"manufacturer_name": "Me"}, (), (400, 93)),
        ("product", {"price": "-1"}, (), (400, 85)),
        ("product", {"price": ""}, (), (400, 85)),
        ("product", {"name": ""}, (), (400, 84)),
        ("product", {}, ("price",), (400, 41)),
        ("product", {}, ("id",), (400, 90)),
        ("product", {"id": "99"}, (), (404, 92)),
        ("stock_available", {"quantity": "2.5"}, (), (400, 85)),
        ("stock_available", {}, ("depends_on_stock",), (400, 41)),
    ],
)
def test_what_may_not_be_written_is_refused_and_changes_nothing(
    shop: Shop, entity: str, changes: dict[str, str], without: tuple[str, ...], expected: tuple[int, int]
) -> None:
    resource = f"{entity}s"
    before = full(shop, resource, 1)
    fields = writable(before) if entity == "product" else before
    fields = {name: value for name, value in {**fields, **changes}.items() if name not in without}
    assert code(call(shop, resource, xml.document(entity, fields))) == expected
    assert full(shop, resource, 1) == before
    assert shop.journal == []


def test_broken_xml_is_refused(shop: Shop) -> None:
    assert code(call(shop, "products", b"<prestashop><product>")) == (500, 127)


def test_the_sum_row_follows_its_combinations(shop: Shop) -> None:
    row = full(shop, "stock_availables", 3)
    assert row["id_product_attribute"] == "1"
    call(shop, "stock_availables", xml.document("stock_available", {**row, "quantity": "40"}))
    assert full(shop, "stock_availables", 2)["quantity"] == "42"
    shop.set_available("P-60", 1)
    assert full(shop, "stock_availables", 2)["quantity"] == "41"
    shop.delete_combination("P-40")
    assert full(shop, "stock_availables", 2)["quantity"] == "1"


def test_a_stock_row_written_without_its_shop_is_lost_to_the_shop(shop: Shop) -> None:
    row = full(shop, "stock_availables", 1)
    del row["id_shop"]
    call(shop, "stock_availables", xml.document("stock_available", row))
    assert 1 not in ids(call(shop, "stock_availables"))


def test_stock_that_depends_on_warehouses_keeps_its_quantity(shop: Shop) -> None:
    shop.tables["stock_availables"][1]["depends_on_stock"] = "1"
    row = full(shop, "stock_availables", 1)
    call(shop, "stock_availables", xml.document("stock_available", {**row, "quantity": "40"}))
    assert full(shop, "stock_availables", 1)["quantity"] == "3"


def test_the_journal_names_who_wrote_what(shop: Shop) -> None:
    shop.set_available("MUG", 8)
    shop.set_price("P-60", "50")
    row = full(shop, "stock_availables", 1)
    call(shop, "stock_availables", xml.document("stock_available", row))
    found = [(one.actor, one.kind, one.sku, one.value, one.changed, one.request_id) for one in shop.journal]
    assert found == [
        ("admin", "inventory_level", "MUG", "8", True, ""),
        ("admin", "price", "P-60", "50", True, ""),
        ("api", "inventory_level", "MUG", "8", False, "op-1"),
    ]


def test_languages_are_a_list_as_soon_as_there_are_two(clock: ManualClock) -> None:
    shop = Shop(Options(languages=2), clock)
    shop.create_product("Mug", {"MUG": "1"})
    assert full(shop, "products", 1)["name"] == [{"id": "1", "value": "Mug"}, {"id": "2", "value": "Mug"}]
    fields = {**writable(full(shop, "products", 1)), "name": [{"id": "2", "value": "Tasse"}]}
    call(shop, "products", xml.document("product", fields))
    assert shop.tables["products"][1]["name"] == {"1": "Mug", "2": "Tasse"}


def test_the_shop_stamps_its_own_time(clock: ManualClock) -> None:
    shop = Shop(Options(timezone="America/New_York", clock_skew=-60.0), clock)
    assert shop.time == "2026-03-01 06:59:00"


def test_ids_are_never_used_twice(shop: Shop) -> None:
    shop.delete_product(2)
    assert shop.create_product("New", {"NEW": "1"})["id"] == 3
    with pytest.raises(NotThere):
        shop.by_sku("P-40")


def test_the_limit_lets_the_rate_through_and_names_the_wait(clock: ManualClock) -> None:
    limit = Limit(Options(rate=2.0, burst=3.0), clock)
    assert [limit.take() for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]
    clock.advance(0.5)
    assert limit.take() == 0.0
    assert limit.take() > 0
    assert (limit.stats.accepted, limit.stats.throttled, limit.stats.max_rate) == (4, 2, 6)


def test_edits_by_other_processes_are_checked(shop: Shop) -> None:
    assert edit(shop, {"do": "set_available", "sku": "MUG", "available": 9}) == {"sequence": 1}
    assert "product_id" in edit(shop, {"do": "create_product", "title": "Cup", "variants": {"CUP": "3"}})
    wrongs: list[Any] = [
        {"do": "burn"},
        {"do": "set_price"},
        {"do": "set_available", "sku": "MUG", "available": "x"},
        [],
    ]
    for wrong in wrongs:
        with pytest.raises(BadEdit):
            edit(shop, wrong)


def test_options_are_checked_before_any_is_changed() -> None:
    options = Options()
    with pytest.raises(UnknownOption, match="speed"):
        options.change({"rate": 5, "speed": 1})
    with pytest.raises(UnknownOption, match="outage"):
        options.change({"outage": 1})
    assert options.rate == 0.0
