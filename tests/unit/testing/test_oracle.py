"""The checker is checked: each invariant's finding is broken by exactly what it is there to catch."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas import identity
from schemas.entities import Channel, Completeness, EntityType, Op, Rank
from schemas.headers import NAME, EventFacts, Header, Version
from streams.core.entity import Contribution, Entity
from streams.core.ledger import Book, Entry
from streams.runtime.topicreader import Seen
from streams.testing import oracle

KEY = b"acme|price|SKU-1~default~EUR"


def header(clock: int, account: str = "shop") -> Header:
    content = identity.fingerprint(str(clock).encode())
    return Header(
        content * 2, Version(clock, Rank.PUSH, clock, 1, content), clock, identity.account_hash("acme", account), clock,
        EntityType.PRICE, Op.UPSERT, Completeness.FULL, Channel.WEBHOOK,
    )  # fmt: skip


def event(of: Header, sequence: int, *, late: bool = False) -> Seen:
    facts = EventFacts(sequence, of.event_id, late)
    return Seen(0, sequence, KEY, b"value", ((NAME, facts.pack()),), 0)


def test_a_delivery_that_was_acknowledged_and_is_not_in_raw_is_lost() -> None:
    assert oracle.no_acked_loss(["a", "b"], ["b", "a", "c"]).passed
    assert oracle.no_acked_loss(["a", "b"], ["a"]).violations == ("b",)


def test_a_check_that_looked_at_nothing_does_not_pass() -> None:
    assert not oracle.no_acked_loss([], []).passed
    assert not oracle.Report([]).passed


def test_one_place_that_holds_something_else_than_the_truth_is_named() -> None:
    truth = {"price SKU-1": "10", "stock SKU-1": "3"}
    assert oracle.converged(truth, {"shop": truth, "state": truth}).passed
    wrong = oracle.converged(truth, {"shop": truth, "state": {**truth, "stock SKU-1": "4"}})
    assert wrong.violations == ("state: stock SKU-1 is '4', the truth is '3'",)


def test_a_version_applied_after_a_higher_one_is_a_regression_and_a_repeat_is_not() -> None:
    assert oracle.monotone([("shop", "SKU-1", 1), ("shop", "SKU-1", 2), ("shop", "SKU-1", 2)]).passed
    assert not oracle.monotone([("shop", "SKU-1", 2), ("shop", "SKU-1", 1)]).passed
    assert oracle.monotone([("shop", "SKU-1", 2), ("presta", "SKU-1", 1)]).passed


@pytest.mark.parametrize(("throttled", "overruns"), [(2, 0), (0, 1)])
def test_refused_calls_and_overruns_break_the_quota(throttled: int, overruns: int) -> None:
    assert oracle.quota(1_000, 1, 0).passed
    assert not oracle.quota(1_000, throttled, overruns).passed


@pytest.mark.parametrize(
    ("book", "counters"),
    [
        (Book.DELIVERIES, {"received": 2, "mapped": 1}),
        (Book.EVENTS, {"received": 1, "won": 2}),
        (Book.TASKS, {"routed": 2, "received": 1, "applied": 1}),
    ],
)
def test_a_book_that_does_not_close_is_found(book: Book, counters: dict[str, int]) -> None:
    findings = oracle.balanced([Entry(book, "acme|shop", "2026-03-01", dict.fromkeys(book.names, 0) | counters)])
    assert [len(finding.violations) for finding in findings if book.name.lower() in finding.title] == [1]


def test_rows_of_several_shards_are_added_up_before_a_book_is_closed() -> None:
    names = dict.fromkeys(Book.EVENTS.names, 0)
    shards = [names | {"received": 2, "won": 1}, names | {"won": 1}]
    findings = oracle.balanced([Entry(Book.EVENTS, "acme|shop", "2026-03-01", one) for one in shards])
    assert next(finding for finding in findings if "events" in finding.title).passed


def test_a_row_that_a_replay_gives_differently_is_not_the_fold_of_the_log() -> None:
    said = Contribution(identity.account_hash("acme", "shop"), header(1).version.pack(), 1, Op.UPSERT)
    row = Entity(1, said.account, said.fingerprint, (said,)).pack()
    other = Entity(2, said.account, said.fingerprint, (said,)).pack()
    assert oracle.equals_fold({KEY: row}, {KEY: row}).passed
    assert not oracle.equals_fold({KEY: row}, {KEY: other}).passed
    assert not oracle.equals_fold({KEY: row}, {}).passed


Change = Callable[[list[Seen]], list[Seen]]


@pytest.mark.parametrize(
    ("change", "title"),
    [
        (lambda events: events[:-1], "every event is released"),
        (lambda events: [*events, events[-1]], "no event is released twice"),
        (lambda events: [events[1], events[0]], "events keep the order of their source"),
    ],
    ids=["lost", "repeated", "disordered"],
)
def test_loss_repetition_and_disorder_of_events_are_each_found(change: Change, title: str) -> None:
    facts = [header(1), header(2)]
    by_id = {one.event_id: one for one in facts}
    good = [event(one, at) for at, one in enumerate(facts)]
    assert all(finding.passed for finding in oracle.events_once_in_order(facts, good, by_id))
    findings = oracle.events_once_in_order(facts, change(good), by_id)
    assert [finding.title for finding in findings if not finding.passed] == [title]


def test_an_event_that_is_marked_late_may_stand_behind_a_newer_one() -> None:
    facts = [header(2), header(1)]
    by_id = {one.event_id: one for one in facts}
    released = [event(facts[0], 0), event(facts[1], 1, late=True)]
    assert all(finding.passed for finding in oracle.events_once_in_order(facts, released, by_id))
