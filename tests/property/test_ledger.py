"""The ledger's laws: counting commutes, batching changes nothing, rows survive packing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core import ledger
from streams.core.ledger import Book, LedgerBuffer
from streams.shard.memory import MemoryRows

books = st.sampled_from(list(Book))
accounts = st.sampled_from(["acme|shop", "acme|shop two", "beta|a|b", ""])
days = st.sampled_from(["2026-03-01", "2026-03-02"])
amounts = st.integers(min_value=-5, max_value=1_000)


@st.composite
def counts(draw: st.DrawFn) -> tuple[Book, str, str, dict[str, int]]:
    book = draw(books)
    return book, draw(accounts), draw(days), draw(st.dictionaries(st.sampled_from(book.names), amounts, max_size=3))


def _nonzero(rows: MemoryRows) -> dict[bytes, ledger.Counters]:
    found = {key: ledger.decode(key, value).counters for key, value in rows.scan(b"L")}
    return {key: counters for key, counters in found.items() if any(counters.values())}


@given(st.lists(counts(), max_size=30), st.data())
def test_neither_order_nor_batching_changes_what_was_counted(
    sequence: list[tuple[Book, str, str, dict[str, int]]], data: st.DataObject
) -> None:
    one_by_one, batched = MemoryRows(), MemoryRows()
    for book, account, day, increments in sequence:
        ledger.count(one_by_one, book, account, day, **increments)
    buffer = LedgerBuffer()
    for book, account, day, increments in data.draw(st.permutations(sequence)):
        buffer.count(book, account, day, **increments)
        if data.draw(st.booleans()):
            buffer.flush(batched)
    buffer.flush(batched)
    assert _nonzero(one_by_one) == _nonzero(batched)


@given(books, accounts, days, st.data())
def test_a_row_survives_packing(book: Book, account: str, day: str, data: st.DataObject) -> None:
    whole = st.fixed_dictionaries({name: st.integers(-(1 << 63), (1 << 63) - 1) for name in book.names})
    counters = data.draw(whole)
    entry = ledger.decode(ledger.row_key(book, account, day), ledger.pack(book, counters))
    assert (entry.book, entry.account, entry.day, entry.counters) == (book, account, day, counters)


@given(books, st.binary(min_size=8, max_size=8), amounts)
def test_counters_of_a_newer_version_are_carried_along(book: Book, newer: bytes, more: int) -> None:
    rows = MemoryRows()
    key = ledger.row_key(book, "acme|shop", "2026-03-01")
    rows.put(key, ledger.pack(book, {"received": 7}) + newer)
    ledger.count(rows, book, "acme|shop", "2026-03-01", received=more)
    assert ledger.decode(key, rows.data[key]).counters["received"] == 7 + more
    assert rows.data[key].endswith(newer)


@given(books, st.integers(0, 3))
def test_a_row_of_an_older_version_reads_as_zero_where_it_is_silent(book: Book, missing: int) -> None:
    key = ledger.row_key(book, "acme|shop", "2026-03-01")
    full = ledger.pack(book, dict.fromkeys(book.names, 3))
    short = full[: len(full) - 8 * missing] if missing else full
    values = list(ledger.decode(key, short).counters.values())
    assert values == [3] * (len(book.names) - missing) + [0] * missing


@given(books, st.data())
def test_a_book_is_closed_exactly_when_everything_received_is_settled(book: Book, data: st.DataObject) -> None:
    settled = data.draw(st.fixed_dictionaries({name: st.integers(0, 50) for name in book.settled}))
    received = sum(settled.values())
    open_ones = data.draw(st.integers(0, 9))
    assert ledger.balance(book, {**settled, "received": received}) == 0
    assert ledger.balance(book, {**settled, "received": received + open_ones}) == open_ones


def test_a_counter_the_book_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError, match="deliveries"):
        ledger.count(MemoryRows(), Book.DELIVERIES, "acme|shop", "2026-03-01", won=1)
    with pytest.raises(KeyError):
        LedgerBuffer().count(Book.DELIVERIES, "acme|shop", "2026-03-01", won=1)


@pytest.mark.parametrize("key", [b"E", b"LX" + b"acme|2026-03-01", b"LDacme", b""])
def test_a_strange_key_is_refused(key: bytes) -> None:
    with pytest.raises(ledger.InvalidLedgerRow):
        ledger.decode(key, ledger.pack(Book.DELIVERIES, {}))


@pytest.mark.parametrize("value", [b"", b"\x02" + bytes(48), b"\x01" + bytes(7)])
def test_a_strange_value_is_refused(value: bytes) -> None:
    with pytest.raises(ledger.InvalidLedgerRow):
        ledger.decode(ledger.row_key(Book.DELIVERIES, "a", "2026-03-01"), value)


def test_the_day_is_utc_and_changes_at_midnight() -> None:
    assert ledger.day_of(1_772_366_399_999_999) == "2026-03-01"
    assert ledger.day_of(1_772_409_600_000_000 - 1) == "2026-03-01"
    assert ledger.day_of(1_772_409_600_000_000) == "2026-03-02"


def test_what_was_routed_and_not_received_is_in_transit() -> None:
    resolver, courier = MemoryRows(), MemoryRows()
    ledger.count(resolver, Book.TASKS, "acme|shop", "2026-03-01", routed=5)
    ledger.count(courier, Book.TASKS, "acme|shop", "2026-03-01", received=3, applied=2)
    both = ledger.total([*ledger.read(resolver), *ledger.read(courier)])[Book.TASKS, "acme|shop"]
    assert ledger.in_transit(both) == 2
    assert ledger.balance(Book.TASKS, both) == 1
