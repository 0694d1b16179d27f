"""Pages, windows and scans, by hand-made replies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from connectors.kit import errors
from connectors.kit.contract import Page, Request
from connectors.kit.testing import refusal, replay, response
from connectors.prestashop import PLATFORM
from schemas.entities import Op
from tests.unit.prestashop.support import DATA, NOON, account, changed, rows

POLLER = PLATFORM.poller
assert POLLER is not None
SECOND = 1_000_000
EMPTY = response(200, b"[]", access_time=str(NOON // SECOND))


def page(resource: str, replies: list[Any], cursor: Mapping[str, Any] | None = None, **settings: str) -> Any:
    """Run one page at noon. Returns it and the requests it made."""
    assert POLLER is not None
    return replay(POLLER.page(account(**settings), resource, cursor or {}, NOON), replies)


def orders(*dated: tuple[int, str]) -> Any:
    """A reply with orders of (id, time of today)."""
    row = rows("orders")[0]
    found = [changed(row, id=number, date_upd=f"2026-03-01 {time}") for number, time in dated]
    return response(200, orjson.dumps({"orders": found}), access_time=str(NOON // SECOND))


def listed(resource: str, found: list[dict[str, Any]]) -> Any:
    """A reply with these rows."""
    return response(200, orjson.dumps({resource: found} if found else []))


def ids(found: Page) -> list[str]:
    """What a page observed."""
    return [one.resource_id for one in found.observations]


def window_of(request: Request) -> str:
    return request.query["filter[date_upd]"]


def test_stock_is_the_first_and_what_has_no_date_is_scanned() -> None:
    assert POLLER is not None
    found = POLLER.resources(account(poll_interval="20", scan_interval="600"))
    assert [(one.name, one.interval, one.scan) for one in found] == [
        ("stock_availables", 600, True),
        ("orders", 20, False),
        ("products", 20, False),
        ("combinations", 600, True),
    ]


def test_the_first_pass_reads_everything_until_now() -> None:
    found, requests = page("orders", [EMPTY])
    assert window_of(requests[0]) == "[1970-01-01 01:00:00,2026-03-01 12:00:00]"
    assert requests[0].query["sort"] == "[date_upd_ASC,id_ASC]"
    assert requests[0].query["date"] == "1"
    assert requests[0].query["output_format"] == "JSON"
    assert requests[0].query["display"] == "full"
    assert found == Page([], {"until": NOON}, done=True)


def test_the_next_pass_starts_where_the_last_one_ended_less_the_overlap() -> None:
    _, requests = page("orders", [EMPTY], {"until": NOON - 60 * SECOND}, overlap="30")
    assert window_of(requests[0]) == "[2026-03-01 11:58:30,2026-03-01 12:00:00]"


def test_a_full_page_goes_on_from_the_second_of_its_last_row() -> None:
    first, _ = page("orders", [orders((1, "10:00:00"), (2, "10:00:05"))], page_size="2")
    assert not first.done
    assert ids(first) == ["1", "2"]
    second, requests = page("orders", [orders((2, "10:00:05"), (3, "10:00:05"))], first.cursor, page_size="2")
    assert window_of(requests[0]) == "[2026-03-01 10:00:05,2026-03-01 12:00:00]"
    assert ids(second) == ["3"]


def test_a_page_within_one_second_goes_on_by_id_and_then_with_the_next_second() -> None:
    cursor: Mapping[str, Any] = {}
    replies = [
        orders((1, "10:00:05"), (2, "10:00:05")),
        orders((1, "10:00:05"), (2, "10:00:05")),
        orders((3, "10:00:05"), (9, "10:00:05")),
        EMPTY,
        EMPTY,
    ]
    seen, asked = [], []
    for reply in replies:
        found, requests = page("orders", [reply], cursor, page_size="2")
        seen += ids(found)
        asked.append((window_of(requests[0]), requests[0].query.get("filter[id]")))
        cursor = found.cursor
    assert seen == ["1", "2", "3", "9"]
    assert asked[2:] == [
        ("[2026-03-01 10:00:05,2026-03-01 10:00:05]", ">[2]"),
        ("[2026-03-01 10:00:05,2026-03-01 10:00:05]", ">[9]"),
        ("[2026-03-01 10:00:06,2026-03-01 12:00:00]", None),
    ]
    assert cursor == {"until": NOON}


def test_a_window_stays_closed_while_it_is_read() -> None:
    assert POLLER is not None
    first, _ = page("orders", [orders((1, "10:00:00"))], page_size="1")
    later = POLLER.page(account(page_size="1"), "orders", first.cursor, NOON + 3600 * SECOND)
    found, requests = replay(later, [orders((1, "10:00:00"))])
    assert window_of(requests[0]).endswith(",2026-03-01 12:00:00]")
    assert found.cursor["until"] == NOON


def test_a_shop_whose_clock_is_behind_is_read_again_from_its_own_time() -> None:
    late = response(200, b"[]", access_time=str(NOON // SECOND - 300))
    assert page("orders", [late])[0].cursor == {"until": NOON - 300 * SECOND}
    ahead = response(200, b"[]", access_time=str(NOON // SECOND + 300))
    assert page("orders", [ahead])[0].cursor == {"until": NOON}
    assert page("orders", [response(200, b"[]", access_time="soon")])[0].cursor == {"until": NOON}


def test_a_product_comes_with_its_combinations_and_a_simple_one_asks_for_none() -> None:
    both = rows("products_simple") + rows("products_combined")
    found, requests = page("products", [listed("products", both), listed("combinations", rows("combinations"))])
    assert [one.path for one in requests] == ["/api/products", "/api/combinations"]
    assert requests[1].query["filter[id_product]"] == "[4]"
    assert [(one.topic, one.resource_id) for one in found.observations] == [("products", "7"), ("products", "4")]
    bodies = [orjson.loads(one.body) for one in found.observations]
    assert [len(body["combinations"]) for body in bodies] == [0, 2]
    _, requests = page("products", [listed("products", rows("products_simple"))])
    assert len(requests) == 1


def test_a_scan_of_the_catalogue_says_of_every_variant_that_it_is_there() -> None:
    both = rows("products_combined") + rows("products_simple")
    found, _ = page("combinations", [listed("products", both), listed("combinations", rows("combinations"))])
    assert [(one.topic, one.resource_id) for one in found.observations] == [
        ("products", "4"),
        ("combinations", "4"),
        ("combinations", "4:16"),
        ("combinations", "4:17"),
        ("products", "7"),
        ("combinations", "7"),
        ("combinations", "7:0"),
    ]
    assert found.complete_scan


def test_a_scan_goes_on_behind_the_last_product_and_is_complete_at_its_end_only() -> None:
    first, requests = page(
        "stock_availables",
        [listed("products", [{"id": 4}]), listed("stock_availables", rows("stock_availables"))],
        page_size="1",
    )
    assert requests[0].query["filter[id]"] == ">[0]"
    assert requests[1].query["filter[id_product]"] == "[4]"
    assert (first.done, first.complete_scan, first.cursor) == (False, False, {"after": 4})
    last, requests = page("stock_availables", [listed("products", [])], first.cursor, page_size="1")
    assert requests[0].query["filter[id]"] == ">[4]"
    assert (last.done, last.complete_scan, last.cursor) == (True, True, {})
    assert last.observations == []


def test_a_stock_record_tells_whether_its_product_has_combinations() -> None:
    alone = changed(rows("stock_availables")[0], id=9, id_product="7")
    found, requests = page(
        "stock_availables",
        [listed("products", [{"id": 4}, {"id": 7}]), listed("stock_availables", [*rows("stock_availables"), alone])],
    )
    assert requests[1].query["filter[id_product]"] == "[4,7]"
    flags = {one.resource_id: orjson.loads(one.body)["has_combinations"] for one in found.observations}
    assert flags == {"4:0": True, "4:16": True, "4:17": True, "7:0": False}


def test_two_rows_of_one_variant_ask_for_the_setting_that_tells_them_apart() -> None:
    twice = [*rows("stock_availables"), changed(rows("stock_availables")[0], id=99, id_shop="2")]
    replies = [listed("products", [{"id": 4}]), listed("stock_availables", twice)]
    with pytest.raises(errors.Misconfigured, match="id_shop"):
        page("stock_availables", replies)


def test_the_shop_of_the_setting_is_asked() -> None:
    assert page("orders", [EMPTY], id_shop="2")[1][0].query["id_shop"] == "2"


@pytest.mark.parametrize(
    "body",
    [
        b"<br /><b>Notice</b>: x" + b'{"orders":[]}',
        b"",
        b"{}",
        b"null",
        b'{"orders":{}}',
        b'{"orders":[1]}',
        b"[1]",
        b'{"orders":[{"id":"x"}]}',
    ],
)
def test_a_reply_that_cannot_be_read_is_tried_again_and_is_never_an_empty_list(body: bytes) -> None:
    error = refusal(lambda: page("orders", [response(200, body)]))
    assert type(error) is errors.Retry
    assert error.reason == "unreadable_reply"


@pytest.mark.parametrize("resource", ["stock_availables", "combinations", "products"])
def test_an_unreadable_scan_deletes_nothing(resource: str) -> None:
    assert isinstance(refusal(lambda: page(resource, [response(200, b"{}")])), errors.Retry)


def test_a_row_without_a_date_is_tried_again() -> None:
    row = rows("orders")[0]
    del row["date_upd"]
    assert isinstance(refusal(lambda: page("orders", [listed("orders", [row])])), errors.Retry)


def test_a_resource_nobody_polls_is_refused() -> None:
    with pytest.raises(errors.Invalid, match="carts"):
        page("carts", [])


def test_no_observation_of_a_page_is_a_deletion() -> None:
    found, _ = page("orders", [response(200, (DATA / "orders.json").read_bytes())])
    assert [one.op for one in found.observations] == [Op.UPSERT]
