"""Windows are closed, overlap, and are passed only when they were read whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from connectors.kit import errors
from connectors.kit.contract import Page, Response
from connectors.kit.testing import refusal, replay, response
from connectors.shopify.poller import ShopifyPoller
from tests.unit.shopify.support import NOON, account

POLLER = ShopifyPoller()
SECOND = 1_000_000


def connection(*nodes: Mapping[str, Any], after: str | None = None) -> dict[str, Any]:
    return {"nodes": list(nodes), "pageInfo": {"hasNextPage": after is not None, "endCursor": after}}


def products(*nodes: Mapping[str, Any], after: str | None = None) -> Response:
    return response(200, orjson.dumps({"data": {"products": connection(*nodes, after=after)}}))


def product(number: int, after: str | None = None) -> dict[str, Any]:
    updated = "2026-03-01T11:00:00Z"
    variants = connection({"id": f"v{number}"}, after=after)
    return {"id": f"gid://shopify/Product/{number}", "updatedAt": updated, "variants": variants}


def levels(*items: int, after: str | None = None) -> Response:
    nodes = [{"item": {"id": f"gid/{item}"}, "location": {"id": "gid/7"}} for item in items]
    found = {"inventoryLevels": connection(*nodes, after=after)}
    return response(200, orjson.dumps({"data": {"location": found}}))


def poll(resource: str, cursor: Mapping[str, Any], *replies: Response, now: int = NOON) -> tuple[Page, list[Any]]:
    """One page and the variables of its requests."""
    page, requests = replay(POLLER.page(account(), resource, cursor, now), replies)
    return page, [orjson.loads(request.body)["variables"] for request in requests]


def names(**settings: str) -> list[str]:
    return [resource.name for resource in POLLER.resources(account(**settings))]


def test_stock_is_polled_first_and_only_where_locations_are_known() -> None:
    assert names() == ["inventory", "orders", "products", "skus"]
    assert names(locations="") == ["orders", "products", "skus"]


def test_orders_are_not_polled_where_the_settings_forbid_it() -> None:
    assert names(poll_orders="false") == ["inventory", "products", "skus"]


def test_what_changes_is_read_often_and_less_often_while_nothing_changes() -> None:
    *dated, skus = POLLER.resources(account(poll_interval="5", scan_interval="900"))
    assert {(resource.interval, resource.longest, resource.scan) for resource in dated} == {(5.0, 20.0, False)}
    assert (skus.interval, skus.longest, skus.scan) == (900.0, 0.0, True)


def test_the_first_pass_reads_everything_up_to_the_second() -> None:
    page, (asked,) = poll("products", {}, products(product(1)), now=NOON + 700_000)
    assert asked["query"] == "updated_at:<='2026-03-01T11:00:00Z'"
    assert (page.done, page.cursor) == (True, {"read_until": NOON})
    assert [(seen.topic, seen.resource_id) for seen in page.observations] == [("product", "1")]


def test_the_next_pass_overlaps_the_one_before() -> None:
    _, (asked,) = poll("products", {"read_until": NOON}, products(), now=NOON + 60 * SECOND)
    assert asked["query"] == "updated_at:>='2026-03-01T10:58:00Z' AND updated_at:<='2026-03-01T11:01:00Z'"


def test_a_clock_that_went_back_does_not_turn_a_window_around() -> None:
    page, _ = poll("products", {"read_until": NOON}, products(), now=NOON - 3600 * SECOND)
    assert page.cursor == {"read_until": NOON}


def test_a_window_stays_as_it_was_opened_while_it_is_paged() -> None:
    first, _ = poll("products", {"read_until": NOON}, products(product(1), after="c1"), now=NOON + 60 * SECOND)
    assert not first.done
    second, (asked,) = poll("products", first.cursor, products(product(2)), now=NOON + 900 * SECOND)
    assert asked["after"] == "c1"
    assert asked["query"].endswith("updated_at:<='2026-03-01T11:01:00Z'")
    assert second.cursor == {"read_until": NOON + 60 * SECOND}


def test_a_product_with_many_variants_is_read_to_its_end() -> None:
    more = {"data": {"product": {"variants": connection({"id": "v1b"})}}}
    page, asked = poll("products", {}, products(product(1, after="p2")), response(200, orjson.dumps(more)))
    (seen,) = page.observations
    assert [node["id"] for node in orjson.loads(seen.body)["variants"]["nodes"]] == ["v1", "v1b"]
    assert asked[1] == {"id": "gid://shopify/Product/1", "first": 100, "after": "p2"}


def test_a_window_is_cut_before_a_connection_ends_at_its_cap() -> None:
    cursor = {"from": 0, "until": NOON + 9 * SECOND, "after": "c", "count": 19_999}
    page, _ = poll("products", cursor, products(product(1), after="d"))
    assert page.cursor == {"from": NOON, "until": NOON + 9 * SECOND}


def test_a_pass_of_stock_goes_through_all_locations() -> None:
    first, (asked,) = poll("inventory", {}, levels(1, 2, after="c1"))
    assert asked["id"] == "gid://shopify/Location/655441491"
    second, (asked,) = poll("inventory", first.cursor, levels(3))
    assert asked["after"] == "c1"
    third, (asked,) = poll("inventory", second.cursor, levels(4))
    assert (asked["id"], asked["after"]) == ("gid://shopify/Location/655441492", None)
    assert [page.done for page in (first, second, third)] == [False, False, True]
    assert third.cursor == {"read_until": NOON}
    assert [(seen.topic, seen.resource_id) for seen in first.observations] == [
        ("inventory_level", "1:7"),
        ("inventory_level", "2:7"),
    ]


def test_a_location_that_was_taken_out_of_the_settings_is_passed_over() -> None:
    cursor = {"from": 0, "until": NOON, "location": "HAM", "after": "c1"}
    _, (asked,) = poll("inventory", cursor, levels())
    assert (asked["id"], asked["after"]) == ("gid://shopify/Location/655441492", None)
    page, requests = poll("inventory", {**cursor, "location": "ZRH"})
    assert (page.done, page.cursor, requests) == (True, {"read_until": NOON}, [])


def test_a_location_that_does_not_exist_is_a_matter_of_settings() -> None:
    missing = response(200, b'{"data": {"location": null}}')
    error = refusal(lambda: poll("inventory", {}, missing))
    assert isinstance(error, errors.Misconfigured)
    assert "655441491=BER" in error.detail


@pytest.mark.parametrize("resource", ["products", "inventory"])
def test_a_failed_page_leaves_the_cursor_to_the_caller(resource: str) -> None:
    assert isinstance(refusal(lambda: poll(resource, {}, response(503))), errors.Unavailable)


def test_an_unknown_resource_is_refused() -> None:
    assert isinstance(refusal(lambda: poll("coupons", {})), errors.Invalid)


# ------------------------------------------------------------------------------------------------------- orders


def order(number: int, after: str | None = None) -> dict[str, Any]:
    updated, lines = "2026-03-01T11:00:00Z", connection({"id": f"gid://shopify/LineItem/{number}"}, after=after)
    return {"id": f"gid://shopify/Order/{number}", "updatedAt": updated, "lineItems": lines}


def orders(*nodes: Mapping[str, Any], after: str | None = None) -> Response:
    return response(200, orjson.dumps({"data": {"orders": connection(*nodes, after=after)}}))


def test_orders_are_read_by_the_time_of_their_change() -> None:
    page, (asked,) = poll("orders", {"read_until": NOON}, orders(order(7)), now=NOON + 60 * SECOND)
    assert asked["query"] == "updated_at:>='2026-03-01T10:58:00Z' AND updated_at:<='2026-03-01T11:01:00Z'"
    assert [(seen.topic, seen.resource_id) for seen in page.observations] == [("order", "7")]
    assert (page.done, page.cursor) == (True, {"read_until": NOON + 60 * SECOND})


def test_an_order_with_many_lines_is_read_to_its_end() -> None:
    more = {"data": {"order": {"lineItems": connection({"id": "gid://shopify/LineItem/8"})}}}
    page, asked = poll("orders", {}, orders(order(7, after="l2")), response(200, orjson.dumps(more)))
    (seen,) = page.observations
    ids = [node["id"].rpartition("/")[2] for node in orjson.loads(seen.body)["lineItems"]["nodes"]]
    assert ids == ["7", "8"]
    assert asked[1] == {"id": "gid://shopify/Order/7", "first": 100, "after": "l2"}


# --------------------------------------------------------------------------------------------------------- skus


def skus(*found: str | None, after: str | None = None, first: int = 1) -> Response:
    nodes = [{"id": f"gid://shopify/ProductVariant/{at}", "sku": sku} for at, sku in enumerate(found, first)]
    return response(200, orjson.dumps({"data": {"productVariants": connection(*nodes, after=after)}}))


def test_the_list_of_skus_is_complete_only_behind_its_last_page() -> None:
    first, _ = poll("skus", {}, skus("A", "B", after="c1"))
    assert (first.done, first.complete_scan) == (False, False)
    second, (asked,) = poll("skus", first.cursor, skus("C"))
    assert (asked["after"], asked["query"]) == ("c1", None)
    assert (second.done, second.complete_scan, second.cursor) == (True, True, {})
    assert [seen.resource_id for seen in (*first.observations, *second.observations)] == ["A", "B", "C"]


def test_a_variant_without_a_sku_is_not_listed() -> None:
    page, _ = poll("skus", {}, skus("A", None, "  ", "x\0y"))
    assert [seen.resource_id for seen in page.observations] == ["A"]


def test_the_list_of_skus_begins_anew_before_a_connection_ends_at_its_cap() -> None:
    page, _ = poll("skus", {"after": "c", "count": 19_999}, skus("A", after="d", first=77))
    assert page.cursor == {"above": "77"}
    further, (asked,) = poll("skus", page.cursor, skus("B", after="e"))
    assert (asked["after"], asked["query"]) == (None, "id:>77")
    assert further.cursor == {"above": "77", "after": "e", "count": 1}
