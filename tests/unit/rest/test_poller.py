"""Passes over lists: nothing skipped, nothing read for ever, windows that close where they opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit import errors
from connectors.kit.contract import Page, Request, Response
from connectors.kit.testing import refusal, replay, response
from connectors.rest.paging import ByCursor, ByPage, Paging
from connectors.rest.poller import Feed, RestPoller
from tests.unit.rest.support import ACCOUNT, API, account

FEED = Feed("things", "/things")
NOON = 1_772_362_800_000_000
Answer = Callable[[Request], Response]


def by_cursor(rows: list[dict[str, Any]]) -> Answer:
    """A vendor that names the next page by the number of rows before it."""

    def answer(request: Request) -> Response:
        at, size = int(request.query.get("cursor", "0")), int(request.query["limit"])
        more = {"next_cursor": str(at + size)} if at + size < len(rows) else {"next_cursor": None}
        return response(200, orjson.dumps({"data": rows[at : at + size], **more}))

    return answer


def by_page(rows: list[dict[str, Any]]) -> Answer:
    """A vendor that numbers its pages."""

    def answer(request: Request) -> Response:
        page, size = int(request.query["page"]), int(request.query["per_page"])
        return response(200, orjson.dumps({"data": rows[(page - 1) * size : page * size]}))

    return answer


def one_page(poller: RestPoller, answer: Answer, cursor: Mapping[str, Any], now: int = NOON, **settings: str) -> Page:
    """One page of `things`."""
    flow = poller.page(account(**settings), "things", cursor, now)
    request = next(flow)
    try:
        flow.send(answer(request))
    except StopIteration as end:
        page: Page = end.value
        return page
    raise AssertionError("a page is one request")


@given(st.integers(0, 12), st.integers(1, 5), st.booleans())
def test_a_pass_reads_every_row_once_whatever_the_page_size(count: int, size: int, numbered: bool) -> None:
    rows = [{"id": number} for number in range(count)]
    paging: Paging = ByPage() if numbered else ByCursor()
    poller, answer = RestPoller(API, paging, [FEED]), (by_page if numbered else by_cursor)(rows)
    seen, cursor, done = list[str](), dict[str, Any](), False
    for _ in range(count + 2):
        page = one_page(poller, answer, cursor, page_size=str(size))
        seen += [one.resource_id for one in page.observations]
        cursor, done = dict(page.cursor), page.done
        if done:
            break
        orjson.dumps(cursor)
    assert done
    assert seen == [str(number) for number in range(count)]
    assert cursor == {"read_until": NOON}


def test_the_next_pass_asks_from_the_start_of_the_last_less_the_overlap() -> None:
    poller = RestPoller(API, ByCursor(), [FEED])
    (_, (first,)) = replay(poller.page(ACCOUNT, "things", {}, NOON), [response(200, b'{"data": []}')])
    assert "updated_after" not in first.query
    request = next(poller.page(account(poll_overlap="90"), "things", {"read_until": NOON}, NOON + 60_000_000))
    assert request.query["updated_after"] == "2026-03-01T10:58:30.000Z"
    assert request.path == "/api/v2/things"


def test_a_list_without_a_date_is_scanned_whole() -> None:
    poller = RestPoller(API, ByCursor(), [Feed("things", "/things", since="", interval=300)])
    (resource,) = poller.resources(ACCOUNT)
    assert (resource.scan, resource.interval) == (True, 300)
    answer = by_cursor([{"id": 1}, {"id": 2}])
    first = one_page(poller, answer, {"read_until": NOON}, page_size="1")
    assert (first.done, first.complete_scan) == (False, False)
    last = one_page(poller, answer, first.cursor, page_size="1")
    assert (last.done, last.complete_scan) == (True, True)


def test_a_cursor_that_leads_to_itself_ends_the_pass() -> None:
    poller = RestPoller(API, ByCursor(), [FEED])
    answer: Answer = lambda request: response(200, b'{"data": [], "next_cursor": "c1"}')  # noqa: E731
    first = one_page(poller, answer, {})
    assert (first.done, first.cursor["at"]) == (False, "c1")
    assert one_page(poller, answer, first.cursor).done


def test_a_place_the_vendor_forgot_starts_the_same_window_again() -> None:
    poller = RestPoller(API, ByCursor(expired=frozenset({"stale"})), [FEED])
    stale = response(400, b'{"errors": [{"code": "stale"}]}')
    within = {"since": 5, "until": 9, "at": "c7"}
    page = one_page(poller, lambda request: stale, within)
    assert (page.cursor, page.done, page.observations) == ({"since": 5, "until": 9}, False, ())
    assert isinstance(
        refusal(lambda: one_page(poller, lambda request: stale, {"since": 5, "until": 9})), errors.Invalid
    )


def test_a_row_reads_the_same_whatever_the_order_of_its_fields() -> None:
    poller = RestPoller(API, ByCursor(), [FEED])
    bodies = [b'{"data": [{"id": 1, "a": 2}]}', b'{"data": [{"a": 2, "id": 1}]}']
    one, two = (one_page(poller, lambda request, body=body: response(200, body), {}) for body in bodies)  # type: ignore[misc]
    assert one.observations == two.observations


@pytest.mark.parametrize("body", [b"{}", b'{"data": {}}', b'{"data": [1]}', b'{"data": [{"name": "x"}]}', b"<html>"])
def test_a_page_that_is_no_list_of_named_records_is_read_again(body: bytes) -> None:
    poller = RestPoller(API, ByCursor(), [FEED])
    error = refusal(lambda: one_page(poller, lambda request: response(200, body), {}))
    assert (type(error), error.reason) == (errors.Retry, "unreadable_reply")


def test_another_resource_is_refused_by_name() -> None:
    error = refusal(lambda: RestPoller(API, ByCursor(), [FEED]).page(ACCOUNT, "stuff", {}, 0))
    assert "known: things" in str(error)
