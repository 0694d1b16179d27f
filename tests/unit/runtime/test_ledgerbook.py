"""Whether the books close, from hand-made ledger rows."""

from __future__ import annotations

from streams.core.ledger import Book, Entry
from streams.runtime.ledgerbook import books, changelogs, of_day


def entry(book: Book, account: str = "acme|shop", day: str = "2026-03-01", **counters: int) -> Entry:
    return Entry(book, account, day, dict.fromkeys(book.names, 0) | counters)


CLOSED = [
    entry(Book.DELIVERIES, received=3, mapped=2, ignored=1, events_out=4),
    entry(Book.EVENTS, received=4, won=1, duplicate=3),
    entry(Book.TASKS, routed=2),  # the resolver's rows
    entry(Book.TASKS, received=2, applied=1, coalesced=1),  # the courier's
]


def test_books_of_several_shards_and_roles_close_together() -> None:
    found = books(CLOSED)
    assert found.closed
    assert [(line.book, line.open, line.on_the_way) for line in found.lines] == [(book, 0, 0) for book in Book]


def test_what_is_received_and_not_settled_is_open_at_its_account() -> None:
    found = books([*CLOSED, entry(Book.EVENTS, "acme|presta", received=2, won=1), entry(Book.DELIVERIES, events_out=2)])
    assert not found.closed
    assert [(line.account, line.open) for line in found.lines if not line.closed] == [("acme|presta", 1)]


def test_a_task_that_no_courier_received_is_on_the_way_though_each_role_has_settled_its_own() -> None:
    found = books([*CLOSED, entry(Book.TASKS, routed=1)])
    tasks = found.lines[-1]
    assert (tasks.open, tasks.on_the_way, tasks.closed, found.closed) == (0, 1, False, False)


def test_events_that_the_resolver_has_not_received_keep_the_books_open() -> None:
    found = books([*CLOSED, entry(Book.DELIVERIES, received=1, mapped=1, events_out=2)])
    assert all(line.closed for line in found.lines)
    assert (found.unread, found.closed) == (2, False)


def test_something_counted_twice_is_below_zero_and_not_closed() -> None:
    line = books([entry(Book.DELIVERIES, received=1, mapped=1, dead=1)]).lines[0]
    assert (line.open, line.closed) == (-1, False)


def test_a_day_is_balanced_alone() -> None:
    mixed = [*CLOSED, entry(Book.EVENTS, day="2026-03-02", received=9)]
    assert books(of_day(mixed, "2026-03-01")).closed
    assert books(of_day(mixed, "2026-03-02")).lines[0].open == 9
    assert of_day(mixed, "2026-03-03") == []


def test_receivers_are_read_before_their_senders() -> None:
    assert changelogs(["shopify"]) == ("courier-changelog.shopify.v1", "resolve-changelog.v1", "map-changelog.v1")
