"""The three books of a whole installation: ledger rows of every role's shards, read back and balanced."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from schemas import topics
from streams.core.ledger import KIND, Book, Entry, balance, decode, in_transit, total
from streams.runtime.topicreader import TopicReader


@dataclass(frozen=True, slots=True)
class Line:
    """One account in one book. `open`: received and not settled, below 0 when something was counted twice;
    `on_the_way`: tasks that the resolver routed and the courier has not received."""

    book: Book
    account: str
    counters: Mapping[str, int]
    open: int
    on_the_way: int

    @property
    def closed(self) -> bool:
        """Whether everything is accounted for."""
        return not self.open and not self.on_the_way


@dataclass(frozen=True, slots=True)
class Books:
    """All lines, by book and account. `unread`: events that the mapper wrote and the resolver has not received."""

    lines: tuple[Line, ...]
    unread: int

    @property
    def closed(self) -> bool:
        """Whether all books are, and nothing stands between them."""
        return not self.unread and all(line.closed for line in self.lines)


def changelogs(platforms: Iterable[str]) -> tuple[str, ...]:
    """The topics that hold ledger rows, downstream first: read in this order while the roles work, a receiver's count
    is never ahead of its sender's."""
    return (*map(topics.courier_changelog, platforms), topics.RESOLVE_CHANGELOG, topics.MAP_CHANGELOG)


def entries(reader: TopicReader, platforms: Iterable[str]) -> list[Entry]:
    """The newest form of every ledger row; every shard has its own, so they are told apart by partition. Raises
    KafkaException, and InvalidLedgerRow for a row of another format."""
    found: list[Entry] = []
    for name in changelogs(platforms):
        rows: dict[tuple[int, bytes], bytes | None] = {}
        for record in reader.scan(name, range(reader.partitions(name)), _is_ledger):
            rows[record.partition, record.key or b""] = record.value
        found += [decode(key, value) for (_, key), value in rows.items() if value]
    return found


def _is_ledger(key: bytes | None, value: bytes | None) -> bool:
    return key is not None and key[:1] == KIND


def of_day(found: Collection[Entry], day: str) -> list[Entry]:
    """The entries of one UTC day, `YYYY-MM-DD`: that of the arrival of what is counted."""
    return [entry for entry in found if entry.day == day]


def books(found: Iterable[Entry]) -> Books:
    """Summed over shards and days, balanced per book and account."""
    sums = sorted(total(found).items(), key=lambda item: item[0][1])
    lines = [_line(book, account, counters) for book in Book for (kind, account), counters in sums if kind is book]
    written = sum(line.counters["events_out"] for line in lines if line.book is Book.DELIVERIES)
    received = sum(line.counters["received"] for line in lines if line.book is Book.EVENTS)
    return Books(tuple(lines), written - received)


def _line(book: Book, account: str, counters: Mapping[str, int]) -> Line:
    on_the_way = in_transit(counters) if book is Book.TASKS else 0
    return Line(book, account, counters, balance(book, counters), on_the_way)
