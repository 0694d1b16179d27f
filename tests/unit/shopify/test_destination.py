"""What is sent for a write, and what each reply means for the caller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from connectors.kit import errors
from connectors.kit.contract import Account, Feedback, Request, Response, Write, Written
from connectors.kit.testing import refusal, replay, response
from connectors.shopify.destination import ShopifyDestination
from schemas.entities import EntityType, Op
from tests.unit.shopify.support import account, body

DESTINATION = ShopifyDestination()
ALIASES = {"product_id": "11", "variant_id": "22", "inventory_item_id": "33"}
EUR = {"currency": "EUR", "tax": "INCLUDED"}
STOCK_DONE: dict[str, Any] = {
    "data": {"inventorySetQuantities": {"inventoryAdjustmentGroup": {"id": "gid"}, "userErrors": []}}
}
PRICE_DONE: dict[str, Any] = {"data": {"productVariantsBulkUpdate": {"productVariants": [], "userErrors": []}}}


def stock(available: str | None = "6", location: str = "BER", **changes: Any) -> Write:
    record = {"sku": "TEE-M", "location": location, "available": None if available is None else Decimal(available)}
    return write(EntityType.INVENTORY_LEVEL, record, **changes)


def price(amount: str = "19.90", **changes: Any) -> Write:
    record = {"sku": "TEE-M", "amount": {"amount": Decimal(amount), **EUR}, "compare_at": None}
    return write(EntityType.PRICE, record, **changes)


def write(kind: EntityType, record: Mapping[str, Any], **changes: Any) -> Write:
    known: dict[str, Any] = {"op": Op.UPSERT, "aliases": ALIASES, "fields": (), "op_id": "op|1", **changes}
    return Write(kind, known["op"], "t1|x|TEE-M", 1, "22", known["aliases"], record, known["fields"], known["op_id"])


def reply(value: Mapping[str, Any], status: int = 200, **headers: str) -> Response:
    return response(status, orjson.dumps(value), **headers)


def sent(one: Write, answer: Mapping[str, Any], shop: Account | None = None) -> tuple[Request, dict[str, Any]]:
    """The only request of a write and its body."""
    result, (request,) = replay(DESTINATION.write(shop or account(), one), [reply(answer)])
    assert isinstance(result, Written)
    return request, orjson.loads(request.body)


def error_of(one: Write, answer: Response) -> errors.SluiceError:
    return refusal(lambda: replay(DESTINATION.write(account(), one), [answer]))


# ----------------------------------------------------------------------------------------------- requests


def test_stock_is_set_absolutely_at_the_mapped_location() -> None:
    request, sent_body = sent(stock(), STOCK_DONE)
    assert sent_body["variables"]["input"] == {
        "name": "available",
        "reason": "correction",
        "referenceDocumentUri": "sluice://op%7C1",
        "quantities": [
            {
                "inventoryItemId": "gid://shopify/InventoryItem/33",
                "locationId": "gid://shopify/Location/655441491",
                "quantity": 6,
                "changeFromQuantity": None,
            }
        ],
    }
    assert "@idempotent(key: $key)" in sent_body["query"]
    assert (request.path, request.writes, request.cost) == ("/admin/api/2026-10/graphql.json", True, 10)
    assert request.headers["x-shopify-access-token"] == "shpat_1"
    assert request.headers["x-request-id"] == "op|1"


def test_before_2026_compare_and_swap_is_switched_off_by_its_old_name() -> None:
    _, sent_body = sent(stock(), STOCK_DONE, account(api_version="2025-10"))
    assert sent_body["variables"]["input"]["ignoreCompareQuantity"] is True
    assert "changeFromQuantity" not in sent_body["variables"]["input"]["quantities"][0]
    assert "key" not in sent_body["variables"]
    assert "@idempotent" not in sent_body["query"]


@pytest.mark.parametrize("version", ["2026-01", "2026-04"])
def test_since_2026_01_a_key_and_an_open_comparison_are_sent(version: str) -> None:
    _, sent_body = sent(stock(), STOCK_DONE, account(api_version=version))
    assert sent_body["variables"]["key"]
    assert sent_body["variables"]["input"]["quantities"][0]["changeFromQuantity"] is None
    assert "ignoreCompareQuantity" not in sent_body["variables"]["input"]


def test_the_idempotency_key_is_the_same_for_a_repeat_and_another_for_anything_else() -> None:
    key, again, other_body, other_operation = (
        sent(one, STOCK_DONE)[1]["variables"]["key"] for one in (stock(), stock(), stock("7"), stock(op_id="op|2"))
    )
    assert key == again
    assert len({key, other_body, other_operation}) == 3


def test_a_key_whose_first_attempt_failed_is_replaced_by_the_next_deterministic_one() -> None:
    burnt = {"code": "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED", "field": None, "message": "failed"}
    refused = reply({"data": {"inventorySetQuantities": {"userErrors": [burnt]}}})
    result, requests = replay(DESTINATION.write(account(), stock()), [refused, reply(STOCK_DONE)])
    keys = [orjson.loads(request.body)["variables"]["key"] for request in requests]
    assert result == Written()
    assert len(set(keys)) == 2
    error = refusal(lambda: replay(DESTINATION.write(account(), stock()), [refused] * 3))
    assert isinstance(error, errors.OutcomeUnknown)


def test_a_price_is_set_with_its_struck_through_price() -> None:
    _, sent_body = sent(price("19.9000"), PRICE_DONE)
    assert sent_body["variables"] == {
        "productId": "gid://shopify/Product/11",
        "variants": [{"id": "gid://shopify/ProductVariant/22", "price": "19.9", "compareAtPrice": None}],
    }


def test_only_the_fields_of_the_flow_are_sent() -> None:
    _, sent_body = sent(price(fields=("amount",)), PRICE_DONE)
    assert sent_body["variables"]["variants"] == [{"id": "gid://shopify/ProductVariant/22", "price": "19.9"}]
    assert replay(DESTINATION.write(account(), price(fields=("extra",))), []) == (Written(no_op=True), [])


def test_an_untracked_source_sets_no_quantity() -> None:
    assert replay(DESTINATION.write(account(), stock(None)), []) == (Written(no_op=True), [])


def test_negative_stock_is_sent_as_it_is() -> None:
    assert sent(stock("-2"), STOCK_DONE)[1]["variables"]["input"]["quantities"][0]["quantity"] == -2


def test_what_a_price_reply_says_of_the_variant_is_observed() -> None:
    node = {"id": "gid://shopify/ProductVariant/22", "price": "19.90"}
    answer = {"data": {"productVariantsBulkUpdate": {"productVariants": [node], "userErrors": []}}}
    result, _ = replay(DESTINATION.write(account(), price()), [reply(answer)])
    (seen,) = result.observed
    assert (seen.topic, seen.resource_id, orjson.loads(seen.body)) == ("variant", "22", node)


def test_an_amount_has_the_digits_that_the_shop_keeps() -> None:
    for currency, amount, told in (("EUR", "19.905", "19.91"), ("JPY", "19.5", "20"), ("KWD", "19.9055", "19.906")):
        record = {"amount": {"amount": Decimal(amount), "currency": currency, "tax": "INCLUDED"}, "compare_at": None}
        _, sent_body = sent(write(EntityType.PRICE, record), PRICE_DONE, account(currency=currency))
        assert sent_body["variables"]["variants"][0]["price"] == told


@pytest.mark.parametrize(("held", "compare_at", "holds"), [("19.91", None, True), ("19.91", "25", False)])
def test_a_shop_that_holds_the_amount_in_its_own_digits_is_not_written_to(
    held: str, compare_at: str | None, holds: bool
) -> None:
    node = {"id": "gid://shopify/ProductVariant/22", "price": held, "compareAtPrice": compare_at}
    one = replace(price("19.905"), expected=frozenset({b"12345678"}), wanted=b"87654321")
    result, requests = replay(DESTINATION.write(account(), one), [reply({"data": {"productVariant": node}})])
    assert (result.no_op, result.holds, len(result.observed)) == (True, holds, 1)
    assert not any(request.writes for request in requests)


# ----------------------------------------------------------------------------------------------- refusals of ours


@pytest.mark.parametrize(
    ("one", "kind", "reason"),
    [
        (stock(aliases={}), errors.Unlinkable, "unlinkable"),
        (stock(location="HAM"), errors.Unlinkable, "unlinkable"),
        (stock("1.5"), errors.Invalid, "invalid"),
        (stock("99999999999"), errors.Invalid, "invalid"),
        (stock(op=Op.DELETE), errors.Invalid, "unsupported"),
        (price(aliases={"variant_id": "22"}), errors.Unlinkable, "unlinkable"),
        (write(EntityType.ORDER, {}), errors.Invalid, "unsupported"),
        (write(EntityType.RESERVATION, {}), errors.Invalid, "unsupported"),
    ],
)
def test_a_write_that_cannot_be_sent_is_refused_before_anything_is(
    one: Write, kind: type[errors.SluiceError], reason: str
) -> None:
    error = refusal(lambda: next(DESTINATION.write(account(), one)))
    assert isinstance(error, kind)
    assert error.reason == reason


@pytest.mark.parametrize("money", [{"currency": "USD", "tax": "INCLUDED"}, {"currency": "EUR", "tax": "EXCLUDED"}])
def test_no_price_is_converted_implicitly(money: dict[str, str]) -> None:
    one = write(EntityType.PRICE, {"amount": {"amount": Decimal(1), **money}})
    error = refusal(lambda: next(DESTINATION.write(account(), one)))
    assert error.reason == "basis_mismatch"


def test_an_unknown_tax_basis_matches_any() -> None:
    one = write(EntityType.PRICE, {"amount": {"amount": Decimal(1), "currency": "EUR", "tax": "UNKNOWN"}})
    assert sent(one, PRICE_DONE)[1]["variables"]["variants"][0]["price"] == "1"


def test_an_account_without_token_is_misconfigured() -> None:
    shop = Account("t1", "shop-1", "shopify", "https://x", account().settings)
    assert isinstance(refusal(lambda: next(DESTINATION.write(shop, stock()))), errors.Misconfigured)


def test_only_stock_prices_and_shipments_are_supported() -> None:
    supported = [(kind, op) for kind in EntityType for op in Op if DESTINATION.supports(kind, op)]
    types = [EntityType.PRICE, EntityType.INVENTORY_LEVEL, EntityType.FULFILMENT]
    assert supported == [(kind, Op.UPSERT) for kind in types]


# ----------------------------------------------------------------------------------------------- replies


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.Unauthorised),
        (402, errors.Stop),
        (423, errors.Stop),
        (430, errors.Stop),
        (404, errors.Misconfigured),
        (301, errors.Misconfigured),
        (400, errors.Invalid),
        (403, errors.Invalid),
        (406, errors.Invalid),
        (422, errors.Invalid),
        (408, errors.OutcomeUnknown),
        (500, errors.OutcomeUnknown),
        (503, errors.OutcomeUnknown),
    ],
)
def test_the_http_status_comes_first(status: int, kind: type[errors.SluiceError]) -> None:
    assert type(error_of(stock(), reply(STOCK_DONE, status))) is kind


def test_a_read_that_was_not_answered_is_repeated() -> None:
    flow = DESTINATION.fetch(account(), "product", "11")
    assert type(refusal(lambda: replay(flow, [response(502)]))) is errors.Unavailable


def test_retry_after_is_taken_with_its_fraction() -> None:
    error = error_of(stock(), response(429, b"", retry_after="2.5"))
    assert isinstance(error, errors.Throttled)
    assert error.retry_after == 2.5


def test_a_throttled_reply_in_http_200_names_the_exact_wait() -> None:
    error = error_of(stock(), reply(THROTTLED))
    assert isinstance(error, errors.Throttled)
    assert error.retry_after == pytest.approx(0.84)


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("INTERNAL_SERVER_ERROR", errors.OutcomeUnknown, "outcome_unknown"),
        ("SHOP_INACTIVE", errors.Stop, "shop_inactive"),
        ("ACCESS_DENIED", errors.Invalid, "access_denied"),
        ("MAX_COST_EXCEEDED", errors.Invalid, "max_cost_exceeded"),
        ("", errors.Invalid, "refused"),
    ],
)
def test_top_level_errors_beat_data(code: str, kind: type[errors.SluiceError], reason: str) -> None:
    answer = {**STOCK_DONE, "errors": [{"message": "no", "extensions": {"code": code}}]}
    error = error_of(stock(), reply(answer))
    assert (type(error), error.reason) == (kind, reason)


@pytest.mark.parametrize("refused", ["Not Found", ["plain text"], {"base": ["bad"]}])
def test_errors_in_an_unknown_form_are_never_taken_for_success(refused: object) -> None:
    assert isinstance(error_of(stock(), reply({**STOCK_DONE, "errors": refused})), errors.Invalid)


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        ("INVALID_INVENTORY_ITEM", errors.Unlinkable, "unlinkable"),
        ("INVALID_LOCATION", errors.Unlinkable, "unlinkable"),
        ("IDEMPOTENCY_CONCURRENT_REQUEST", errors.Conflict, "retry_now"),
        ("CHANGE_FROM_QUANTITY_STALE", errors.Conflict, "conflict"),
        ("IDEMPOTENCY_KEY_PARAMETER_MISMATCH", errors.Invalid, "idempotency_key_parameter_mismatch"),
        ("ITEM_NOT_STOCKED_AT_LOCATION", errors.Invalid, "item_not_stocked_at_location"),
        (None, errors.Invalid, "refused"),
    ],
)
def test_user_errors_are_errors_although_the_reply_has_data(
    code: str | None, kind: type[errors.SluiceError], reason: str
) -> None:
    refused = {"userErrors": [{"code": code, "field": ["input"], "message": "because"}]}
    error = error_of(stock(), reply({"data": {"inventorySetQuantities": refused}}))
    assert (type(error), error.reason) == (kind, reason)
    assert "because" in error.detail


@pytest.mark.parametrize("answer", [b"", b"<html>", b"[]", b"{}", b'{"data": null}', b'{"data": {}}'])
def test_a_reply_that_says_nothing_of_the_write_leaves_it_unknown(answer: bytes) -> None:
    assert type(error_of(stock(), response(200, answer))) is errors.OutcomeUnknown


# ----------------------------------------------------------------------------------------------- feedback

THROTTLED = {
    "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
    "extensions": {
        "cost": {
            "requestedQueryCost": 202,
            "actualQueryCost": None,
            "throttleStatus": {"maximumAvailable": 2000, "currentlyAvailable": 118, "restoreRate": 100},
        }
    },
}
REQUEST = Request("POST", "/", "set_stock", "/")


def test_a_throttled_reply_charges_nothing_and_tells_the_level() -> None:
    heard = DESTINATION.feedback(REQUEST, reply(THROTTLED))
    assert heard.retry_after == pytest.approx(0.84)
    assert heard == Feedback(0.0, 118.0, 2000.0, 100.0, heard.retry_after, throttled=True)


def test_the_actual_cost_is_preferred_to_the_requested_one() -> None:
    cost = {"requestedQueryCost": 52, "actualQueryCost": 12}
    assert DESTINATION.feedback(REQUEST, reply({"extensions": {"cost": cost}})) == Feedback(cost=12.0)
    cost = {"requestedQueryCost": 52}
    assert DESTINATION.feedback(REQUEST, reply({"extensions": {"cost": cost}})) == Feedback(cost=52.0)


def test_a_rest_reply_tells_its_level_by_used_and_size() -> None:
    heard = DESTINATION.feedback(REQUEST, response(200, b"{}", x_shopify_shop_api_call_limit="32/40"))
    assert (heard.level, heard.limit) == (8.0, 40.0)


@pytest.mark.parametrize(
    "answer",
    [
        response(200, b"<html>"),
        response(200, b'{"extensions": []}'),
        response(200, b'{"extensions": {"cost": {"throttleStatus": {"currentlyAvailable": "lots"}}}}'),
        response(200, b"{}", x_shopify_shop_api_call_limit="many"),
        response(200, b"{}", retry_after="-1"),
    ],
)
def test_malformed_feedback_is_as_good_as_none(answer: Response) -> None:
    assert DESTINATION.feedback(REQUEST, answer) == Feedback()


def test_the_budget_is_the_accounts_plan() -> None:
    assert DESTINATION.budget(account()).burst == 2000.0
    plus = DESTINATION.budget(account(restore_rate="1000", bucket="20000"))
    assert (plus.kind, plus.rate, plus.burst) == ("level", 1000.0, 20000.0)


# ----------------------------------------------------------------------------------------------- fetches


def test_a_fetched_item_is_observed_with_the_levels_of_all_its_pages() -> None:
    node = orjson.loads(body("read_inventory_item"))
    first, second = node["inventoryLevels"]["nodes"]
    pages = [
        {"nodes": [first], "pageInfo": {"hasNextPage": True, "endCursor": "c1"}},
        {"nodes": [second], "pageInfo": {"hasNextPage": False, "endCursor": "c2"}},
    ]
    replies = [reply({"data": {"inventoryItem": {**node, "inventoryLevels": page}}}) for page in pages]
    (seen,), requests = replay(DESTINATION.fetch(account(), "inventory_item", "49148385"), replies)
    assert orjson.loads(seen.body)["inventoryLevels"]["nodes"] == [first, second]
    assert [orjson.loads(request.body)["variables"]["after"] for request in requests] == [None, "c1"]


def test_a_record_that_is_gone_is_observed_as_deleted() -> None:
    (seen,), _ = replay(DESTINATION.fetch(account(), "product", "11"), [reply({"data": {"product": None}})])
    assert (seen.topic, seen.resource_id, seen.op) == ("product", "11", Op.DELETE)


def test_an_unknown_resource_is_refused() -> None:
    assert isinstance(refusal(lambda: DESTINATION.fetch(account(), "coupon", "1")), errors.Invalid)
