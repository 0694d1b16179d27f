"""What `sluice ledger` prints."""

from __future__ import annotations

from streams.cli.ledger import as_data, as_text
from streams.core.ledger import Book
from streams.runtime.ledgerbook import books
from tests.unit.runtime.test_ledgerbook import CLOSED, entry


def test_closed_books_are_three_tables_and_a_sentence() -> None:
    lines = as_text(books(CLOSED)).splitlines()
    assert [line.split(":")[0] for line in lines if line and not line.startswith(" ")][:3] == [
        "deliveries", "events", "tasks",
    ]  # fmt: skip
    header, row = lines[1].split(), lines[2].split()
    assert dict(zip(header, row, strict=True))["mapped"] == "2"
    assert row[-1] == "0"
    assert lines[-1] == "all books are closed"


def test_open_books_say_where_and_that_it_may_be_work_in_flight() -> None:
    text = as_text(books([*CLOSED, entry(Book.DELIVERIES, received=2, mapped=1, events_out=5)]))
    assert "5 events are written and not received" in text
    assert "work in flight" in text
    assert "--wait" in text


def test_a_book_without_rows_says_that_nothing_was_counted() -> None:
    assert as_text(books(CLOSED[:2])).splitlines()[-3] == "  nothing was counted"


def test_the_machine_form_holds_every_counter_and_the_verdict() -> None:
    data = as_data(books([*CLOSED, entry(Book.TASKS, routed=1)]))
    assert (data["closed"], data["events_unread"]) == (False, 0)
    assert data["books"][2] == {
        "book": "tasks",
        "account": "acme|shop",
        "counters": {
            "routed": 3, "received": 2, "applied": 1, "no_op": 0, "coalesced": 1, "filtered": 0, "parked": 0, "dead": 0,
            "rerouted": 0,
        },
        "open": 0,
        "on_the_way": 1,
        "closed": False,
    }  # fmt: skip
