"""The ledger: three books of counters that must close, so that a loss shows as a difference. Pure.

    deliveries  received = mapped + ignored + dead + awaiting          (`events_out`: what the mapped ones became)
    events      received = won + superseded + duplicate + unchanged + late + dead + quarantined + held
    tasks       received = applied + no_op + coalesced + filtered + parked + dead + rerouted + pending

`held` and `pending` are not counted: they are what `balance` finds open. `routed` of the tasks is written by the
resolver, and by a courier for the account it hands a command over to (`rerouted` in the book of its own); both stand in
other rows than those of the courier that receives them; `in_transit` compares the two.

One row per (book, account, day), in the transaction of what it counts: key `L`, book byte, account, `|`, day; value a
format byte and one signed 64-bit counter per name, in fixed order. Names are only ever appended: a shorter row is an
older one, and what a newer version wrote behind the known counters is carried along. The day is that of the arrival of
what is counted, not of the counting, so a book closes by day as well; a counter may fall (a task leaves `parked`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import lru_cache
from typing import Protocol

KIND = b"L"
FORMAT = 1
_SEPARATOR = b"|"
_WIDTH = 8
DAY_MICROS = 86_400_000_000


class InvalidLedgerRow(ValueError):
    """A row that is not a ledger row of a known book and format."""


class Book(Enum):
    """A book: its byte in row keys and its counters in the order they are packed."""

    DELIVERIES = (b"D", ("received", "mapped", "ignored", "dead", "awaiting", "events_out"))
    EVENTS = (b"E", ("received", "won", "superseded", "duplicate", "unchanged", "late", "dead", "quarantined"))
    TASKS = (
        b"T",
        ("routed", "received", "applied", "no_op", "coalesced", "filtered", "parked", "dead", "rerouted"),
    )

    def __init__(self, byte: bytes, names: tuple[str, ...]) -> None:
        self.byte = byte
        self.names = names
        self.settled = tuple(name for name in names if name not in {"received", "routed", "events_out"})


_BOOKS = {book.byte: book for book in Book}
Counters = Mapping[str, int]


class Rows(Protocol):
    """What the ledger needs of a shard's rows."""

    def get(self, key: bytes) -> bytes | None: ...

    def put(self, key: bytes, value: bytes) -> None: ...

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Entry:
    """One row: all counters of a book, account and day (`YYYY-MM-DD`, UTC)."""

    book: Book
    account: str
    day: str
    counters: Counters


@lru_cache(maxsize=64)
def _day_text(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()


def day_of(micros: int) -> str:
    """The UTC day, `YYYY-MM-DD`, of microseconds since the epoch."""
    return _day_text(micros // DAY_MICROS)


def row_key(book: Book, account: str, day: str) -> bytes:
    """The row's key; `account` is any text that names an account for ever, e.g. tenant|account."""
    return KIND + book.byte + account.encode() + _SEPARATOR + day.encode()


def pack(book: Book, counters: Counters) -> bytes:
    """Row value. Raises KeyError for a name the book does not have."""
    strange = set(counters) - set(book.names)
    if strange:
        raise KeyError(f"the book {book.name.lower()} has no counter {sorted(strange)}; it has {list(book.names)}")
    values = [counters.get(name, 0) for name in book.names]
    return struct.pack(f">B{len(values)}q", FORMAT, *values)


def decode(key: bytes, value: bytes) -> Entry:
    """The entry of a row; counters an older version did not have are 0. Raises InvalidLedgerRow."""
    account, separator, day = key[2:].rpartition(_SEPARATOR)
    book = _BOOKS.get(key[1:2])
    if key[:1] != KIND or book is None or not separator:
        raise InvalidLedgerRow(f"not the key of a ledger row: {key!r}")
    return Entry(book, account.decode(), day.decode(), _unpack(book, value))


def _unpack(book: Book, value: bytes) -> dict[str, int]:
    count, rest = divmod(len(value) - 1, _WIDTH)
    if count < 0 or rest or value[0] != FORMAT:
        raise InvalidLedgerRow(f"not a format {FORMAT} ledger row of {book.name.lower()}: {value.hex()}")
    values = struct.unpack_from(f">{count}q", value, 1)
    return {name: values[at] if at < count else 0 for at, name in enumerate(book.names)}


def read(rows: Rows) -> list[Entry]:
    """All entries of a shard, in key order."""
    return [decode(key, value) for key, value in rows.scan(KIND)]


def balance(book: Book, counters: Counters) -> int:
    """What was received and is not settled: 0 when the book is closed, below 0 when something was counted twice."""
    return counters.get("received", 0) - sum(counters.get(name, 0) for name in book.settled)


def in_transit(counters: Counters) -> int:
    """Tasks the resolver routed and the courier has not received; `counters` are the sum over both roles' rows."""
    return counters.get("routed", 0) - counters.get("received", 0)


def total(entries: Iterable[Entry]) -> dict[tuple[Book, str], dict[str, int]]:
    """Sums over days and shards, by book and account."""
    sums: dict[tuple[Book, str], dict[str, int]] = {}
    for entry in entries:
        counters = sums.setdefault((entry.book, entry.account), dict.fromkeys(entry.book.names, 0))
        for name, value in entry.counters.items():
            counters[name] += value
    return sums


def count(rows: Rows, book: Book, account: str, day: str, **increments: int) -> None:
    """Add to one row now. For many records use a `LedgerBuffer`. Raises KeyError for an unknown counter."""
    key = row_key(book, account, day)
    stored = rows.get(key)
    packed = pack(book, increments)
    rows.put(key, packed if stored is None else _added(book, stored, increments))


def _added(book: Book, stored: bytes, increments: Counters) -> bytes:
    current = _unpack(book, stored)
    tail = stored[1 + _WIDTH * len(book.names) :]  # counters of a newer version: a rollback must not erase them
    return pack(book, {name: value + increments.get(name, 0) for name, value in current.items()}) + tail


Observer = Callable[[Book, str, Counters], None]  # book, account, increments


class LedgerBuffer:
    """Counts in memory and writes each touched row once, at `flush`. One per shard."""

    def __init__(self) -> None:
        self._tallies: dict[tuple[Book, str, str], dict[str, int]] = {}

    def tally(self, book: Book, account: str, day: str) -> dict[str, int]:
        """The open counters of one row, to be added to in place; valid until the next `flush`."""
        tally = self._tallies.get((book, account, day))
        if tally is None:
            tally = self._tallies[book, account, day] = dict.fromkeys(book.names, 0)
        return tally

    def count(self, book: Book, account: str, day: str, **increments: int) -> None:
        """Add to the open counters. Raises KeyError for a counter the book does not have."""
        tally = self.tally(book, account, day)
        for name, value in increments.items():
            tally[name] += value

    def flush(self, rows: Rows, observe: Observer | None = None) -> None:
        """Add everything counted since the last flush to the rows; call it once per batch. `observe` is told each row's
        increments, so that metrics cost nothing per record."""
        for (book, account, day), tally in self._tallies.items():
            if any(tally.values()):
                count(rows, book, account, day, **tally)
                if observe is not None:
                    observe(book, account, tally)
        self._tallies.clear()
