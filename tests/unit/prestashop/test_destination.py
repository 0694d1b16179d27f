"""Writes, fetches and what replies mean, by hand-made replies."""

from __future__ import annotations

from base64 import b64encode
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest

from connectors.kit import errors
from connectors.kit.contract import Account, Request, Response, Write, Written
from connectors.kit.testing import refusal, replay, response
from connectors.prestashop import PLATFORM, wire
from schemas.entities import EntityType, Op
from tests.unit.prestashop.support import KEY, account, changed, rows

DESTINATION = PLATFORM.destination
assert DESTINATION is not None
READ = Request("GET", "/api/orders", "read_orders", "/api/orders")
PUT = Request("PUT", "/api/products/7", "write_product", "/api/products/{id}", writes=True)


def write(kind: EntityType, variant_id: str, **record: Any) -> Write:
    """A set of one level or price."""
    return Write(kind, Op.UPSERT, f"t1|{kind}|X", 3, variant_id, {"variant_id": variant_id}, record, (), "op-1")


def level(variant_id: str, available: Decimal | None) -> Write:
    return write(EntityType.INVENTORY_LEVEL, variant_id, sku="X", location="MAIN", available=available)


def price(variant_id: str, amount: str, currency: str = "EUR", tax: str = "EXCLUDED") -> Write:
    return write(EntityType.PRICE, variant_id, amount={"amount": Decimal(amount), "currency": currency, "tax": tax})


def run(wanted: Write, *replies: Response, **settings: str) -> tuple[Written, list[Request]]:
    """Run a write. Returns what it said and the requests it made."""
    assert DESTINATION is not None
    found, requests = replay(DESTINATION.write(account(**settings), wanted), replies)
    assert isinstance(found, Written)
    return found, requests


def reply(name: str, content: Any) -> Response:
    return response(200, orjson.dumps({name: content}))


def sent(request: Request) -> dict[str, str | None]:
    """The fields of a PUT."""
    root = ET.fromstring(request.body)
    assert root.tag == "prestashop"
    return {element.tag: element.text for element in root[0]}


STOCK = reply("stock_availables", rows("stock_availables"))
SIMPLE, COMBINED = rows("products_simple")[0], rows("products_combined")[0]
POSTER = rows("combinations")[1]


# ----------------------------------------------------------------------------------------------- stock


def test_stock_is_set_by_sending_the_whole_row_with_another_quantity() -> None:
    stored = changed(rows("stock_availables")[1], quantity="9")
    found, (read, put) = run(level("4:16", Decimal(9)), STOCK, reply("stock_available", stored))
    assert read.query["filter[id_product]"] == "[4]"
    assert not read.writes
    assert (put.method, put.path, put.endpoint) == (
        "PUT",
        "/api/stock_availables/55",
        "/api/stock_availables/{id}",
    )
    assert put.writes
    assert put.headers["x-request-id"] == "op-1"
    assert sent(put) == {
        "id": "55",
        "id_product": "4",
        "id_product_attribute": "16",
        "id_shop": "1",
        "id_shop_group": "0",
        "quantity": "9",
        "depends_on_stock": "0",
        "out_of_stock": "2",
        "location": "A-3",
    }
    assert [one.resource_id for one in found.observed] == ["4:16"]
    assert orjson.loads(found.observed[0].body)["stock_available"]["quantity"] == "9"


def test_stock_that_is_there_already_sends_nothing() -> None:
    found, requests = run(level("4:17", Decimal("-2.000000")), STOCK)
    assert found.no_op
    assert len(requests) == 1
    assert [one.resource_id for one in found.observed] == ["4:17"]


def test_an_item_that_its_source_does_not_count_is_left_alone() -> None:
    assert run(level("4:16", None)) == (Written(no_op=True), [])


def test_stock_that_follows_the_warehouses_is_refused() -> None:
    managed = reply("stock_availables", [changed(one, depends_on_stock="1") for one in rows("stock_availables")])
    error = refusal(lambda: run(level("4:16", Decimal(9)), managed))
    assert isinstance(error, errors.Invalid)
    assert error.reason == "depends_on_stock"


def test_the_sum_row_of_a_product_with_combinations_is_never_written() -> None:
    error = refusal(lambda: run(level("4:0", Decimal(9)), STOCK))
    assert isinstance(error, errors.Invalid)
    assert error.reason == "stale_link"


@pytest.mark.parametrize("quantity", ["1.5", "1e12"])
def test_units_a_shop_cannot_count_are_refused_before_anything_is_sent(quantity: str) -> None:
    assert isinstance(refusal(lambda: run(level("4:16", Decimal(quantity)))), errors.Invalid)


def test_a_variant_the_shop_does_not_have_is_unlinkable() -> None:
    assert isinstance(refusal(lambda: run(level("4:99", Decimal(9)), STOCK)), errors.Unlinkable)
    assert isinstance(refusal(lambda: run(level("4:99", Decimal(9)), response(200, b"[]"))), errors.Unlinkable)


# ----------------------------------------------------------------------------------------------- prices


def test_the_price_of_a_simple_product_goes_back_with_what_may_be_written() -> None:
    stored = changed(SIMPLE, price="12.500000")
    found, (read, put) = run(price("7:0", "12.50"), reply("product", SIMPLE), reply("product", stored))
    assert (read.path, put.path) == ("/api/products/7", "/api/products/7")
    fields = sent(put)
    assert fields["price"] == "12.5"
    assert fields["reference"] == "demo_7"
    assert fields["date_add"] == "2026-02-10 09:30:12"
    assert not {"manufacturer_name", "quantity", "position_in_category", "associations", "type"} & set(fields)
    assert b'<language id="2">Mug Le meilleur est \xc3\xa0 venir</language>' in put.body
    assert b"White &amp;amp; round" in put.body
    assert [one.topic for one in found.observed] == ["products"]


def test_the_price_of_a_combination_is_written_as_its_impact() -> None:
    replies = (reply("product", COMBINED), reply("combination", POSTER), reply("combination", POSTER))
    _, (_, _, put) = run(price("4:17", "25"), *replies)
    assert put.path == "/api/combinations/17"
    assert sent(put)["price"] == "-4"
    assert sent(put)["id_product"] == "4"
    assert "associations" not in sent(put)


def test_a_price_that_is_there_already_sends_nothing() -> None:
    assert run(price("7:0", "11.9"), reply("product", SIMPLE))[0].no_op
    assert run(price("4:17", "49"), reply("product", COMBINED), reply("combination", POSTER))[0].no_op


def test_the_price_of_a_product_that_has_combinations_by_now_is_not_written() -> None:
    error = refusal(lambda: run(price("4:0", "12"), reply("product", COMBINED)))
    assert error.reason == "stale_link"


def test_a_combination_of_another_product_is_unlinkable() -> None:
    moved = reply("combination", changed(POSTER, id_product="5"))
    assert isinstance(refusal(lambda: run(price("4:17", "12"), reply("product", COMBINED), moved)), errors.Unlinkable)


def test_nothing_is_converted_implicitly() -> None:
    for wanted in (price("7:0", "12", currency="USD"), price("7:0", "12", tax="INCLUDED")):
        error = refusal(lambda wanted=wanted: run(wanted))  # type: ignore[misc]
        assert isinstance(error, errors.Invalid)
        assert error.reason == "basis_mismatch"
    assert run(price("7:0", "11.9", tax="INCLUDED"), reply("product", SIMPLE), price_tax="INCLUDED")[0].no_op


def test_a_flow_that_does_not_move_the_amount_writes_nothing() -> None:
    wanted = price("7:0", "99")
    only = Write(**{name: getattr(wanted, name) for name in wanted.__slots__} | {"fields": ("compare_at",)})
    assert run(only) == (Written(no_op=True), [])


# ----------------------------------------------------------------------------------------------- fetches


def test_a_fetched_product_comes_with_its_combinations_and_its_stock() -> None:
    assert DESTINATION is not None
    replies = [reply("product", COMBINED), reply("combinations", rows("combinations")), STOCK]
    found, _ = replay(DESTINATION.fetch(account(), "product", "4"), replies)
    assert [(one.topic, one.resource_id) for one in found] == [
        ("products", "4"),
        ("stock_availables", "4:0"),
        ("stock_availables", "4:16"),
        ("stock_availables", "4:17"),
    ]


def test_a_fetched_stock_row_is_one_record() -> None:
    assert DESTINATION is not None
    found, _ = replay(DESTINATION.fetch(account(), "stock_available", "4:17"), [STOCK])
    assert [one.resource_id for one in found] == ["4:17"]
    found, _ = replay(DESTINATION.fetch(account(), "stock_available", "4:99"), [STOCK])
    assert [(one.resource_id, one.op) for one in found] == [("4:99", Op.DELETE)]


def test_a_product_the_webservice_does_not_know_is_gone() -> None:
    assert DESTINATION is not None
    for missing in (
        response(404, b"", psws_version="8.2.0"),
        response(404, b'{"errors":[{"code":131,"message":"does not exists on this shop"}]}'),
    ):
        found, _ = replay(DESTINATION.fetch(account(), "product", "4"), [missing])
        assert [(one.topic, one.resource_id, one.op) for one in found] == [("products", "4", Op.DELETE)]


@pytest.mark.parametrize("body", [b"", b"<html>Not Found</html>"])
def test_a_wrong_address_is_not_a_deletion(body: bytes) -> None:
    assert DESTINATION is not None
    flow = DESTINATION.fetch(account(), "product", "4")
    assert isinstance(refusal(lambda: replay(flow, [response(404, body)])), errors.Misconfigured)


@pytest.mark.parametrize(("resource", "remote_id"), [("cart", "1"), ("stock_available", "55"), ("product", "4/../1")])
def test_what_cannot_be_fetched_is_refused(resource: str, remote_id: str) -> None:
    assert DESTINATION is not None
    destination = DESTINATION
    assert isinstance(refusal(lambda: replay(destination.fetch(account(), resource, remote_id), [])), errors.Invalid)


# ----------------------------------------------------------------------------------------------- requests and replies


def test_the_key_is_the_user_name_of_basic_credentials_and_stands_in_no_address() -> None:
    request = wire.read(account(), "orders", display="full")
    assert request.headers["authorization"] == "Basic " + b64encode(f"{KEY}:".encode()).decode()
    assert KEY not in request.path + str(request.query)
    with pytest.raises(errors.Misconfigured, match="webservice_key"):
        wire.read(Account("t1", "s", "prestashop", "https://x", account().settings), "orders")


@pytest.mark.parametrize(
    ("status", "code", "on_read", "on_write"),
    [
        (401, 16, errors.Unauthorised, errors.Unauthorised),
        (401, 21, errors.Unauthorised, errors.Unauthorised),
        (401, 26, errors.Unauthorised, errors.Unauthorised),
        (403, 132, errors.Unauthorised, errors.Unauthorised),
        (405, 25, errors.Misconfigured, errors.Misconfigured),
        (400, 27, errors.Misconfigured, errors.Misconfigured),
        (400, 41, errors.Invalid, errors.Invalid),
        (400, 84, errors.Invalid, errors.Invalid),
        (400, 85, errors.Invalid, errors.Invalid),
        (400, 90, errors.Invalid, errors.Invalid),
        (400, 93, errors.Invalid, errors.Invalid),
        (404, 92, errors.Unlinkable, errors.Unlinkable),
        (500, 127, errors.Invalid, errors.Invalid),
        (500, 46, errors.Unavailable, errors.OutcomeUnknown),
        (500, 0, errors.Unavailable, errors.OutcomeUnknown),
        (502, 0, errors.Unavailable, errors.OutcomeUnknown),
        (504, 0, errors.Unavailable, errors.OutcomeUnknown),
        (503, 22, errors.Stop, errors.Stop),
        (503, 0, errors.Throttled, errors.Throttled),
        (429, 0, errors.Throttled, errors.Throttled),
        (508, 0, errors.Throttled, errors.Throttled),
        (522, 0, errors.Throttled, errors.Throttled),
        (524, 0, errors.Throttled, errors.OutcomeUnknown),
        (302, 0, errors.Misconfigured, errors.Misconfigured),
    ],
)
def test_every_refusal_says_what_to_do(
    status: int, code: int, on_read: type[errors.SluiceError], on_write: type[errors.SluiceError]
) -> None:
    body = orjson.dumps({"errors": [{"code": code, "message": "because"}]}) if code else b"<html>"
    for request, expected in ((READ, on_read), (PUT, on_write)):
        with pytest.raises(errors.SluiceError) as caught:
            wire.refuse(request, response(status, body))
        assert type(caught.value) is expected
        assert str(status) in str(caught.value)
        assert "because" in str(caught.value) or not code


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (" 3600 ", 3600.0),
        ("Sun, 01 Mar 2026 11:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 10:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-1", None),
        ("1e9", None),
        ("Sun, 99 Mar 2026 11:00:30 GMT", None),
    ],
)
def test_the_wait_is_read_as_seconds_or_as_a_date(header: str, seconds: float | None) -> None:
    throttled = Response(429, {"retry-after": header}, b"", 0, 1_772_362_800_000_000)
    assert wire.retry_after(throttled) == seconds


def test_only_refusals_for_the_rate_say_something_of_the_bucket() -> None:
    assert wire.feedback(response(429, b"", retry_after="2")).retry_after == 2.0
    assert wire.feedback(response(503, b"")).throttled
    assert not wire.feedback(response(503, b'{"errors":[{"code":22,"message":"disabled"}]}')).throttled
    assert not wire.feedback(response(500, b"")).throttled
    assert not wire.feedback(response(200, b"[]")).throttled


def test_the_budget_is_what_the_settings_allow() -> None:
    assert DESTINATION is not None
    assert DESTINATION.budget(account()).kind == "rate"
    told = DESTINATION.budget(account(rate="2.5", burst="3", max_in_flight="1"))
    assert (told.rate, told.burst, told.max_in_flight) == (2.5, 3.0, 1)


def test_only_levels_and_prices_can_be_set() -> None:
    assert DESTINATION is not None
    assert DESTINATION.supports(EntityType.PRICE, Op.UPSERT)
    assert not DESTINATION.supports(EntityType.PRICE, Op.DELETE)
    assert not DESTINATION.supports(EntityType.ORDER, Op.UPSERT)
    assert not any(DESTINATION.supports(EntityType.RESERVATION, op) for op in Op)
    with pytest.raises(errors.Invalid, match="order"):
        DESTINATION.write(account(), write(EntityType.ORDER, "1"))
