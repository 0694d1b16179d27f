"""What the resolver counts: the ledger's increments, once per batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from structlog.testing import capture_logs

from connectors.kit.metrics import (
    PIPELINE_BRAKED,
    PIPELINE_DEAD_LETTERS,
    RESOLVER_EVENTS,
    RESOLVER_HELD_EVENTS,
    Metrics,
)
from schemas import headers, topics
from schemas.codec import Codec
from schemas.registry import MemorySchemas
from schemas.topics import PROFILES
from streams.core.ledger import Book, Counters, LedgerBuffer
from streams.core.policy import OrderingMode, Policy, PolicyKind
from streams.resolver.processor import Resolver
from streams.shard.memory import MemoryRows, MemoryShard
from tests.property.resolving import ACCOUNTS, BASE, LATENESS, Record, Said, Shop

LWW = Policy(PolicyKind.LWW)


class Bench:
    """A resolver with its metrics and a clock by hand."""

    def __init__(self, mode: OrderingMode) -> None:
        self.shop = Shop(LWW, mode)
        self.metrics = Metrics()
        self.shard = MemoryShard()
        self.now = 1_000.0
        self.resolver = Resolver(
            self.shop.table,
            Codec(MemorySchemas()),
            PROFILES["development"],
            now=lambda: BASE,
            monotonic=lambda: self.now,
            metrics=self.metrics,
        )
        self.resolver.open(self.shard)
        self._offset = 0

    def hear(self, *said: Said) -> None:
        self.process([(one.key, one.value, one.header(self.shop.unit)) for one in said])

    def process(self, batch: Sequence[tuple[bytes, bytes | None, bytes]]) -> None:
        records: list[Any] = [
            Record(self._offset + n, key, value, [(headers.NAME, header)])
            for n, (key, value, header) in enumerate(batch)
        ]
        self._offset += len(records)
        self.resolver.process(self.shard, topics.INBOUND, records)

    def counted(self, account: int = 0) -> dict[str, float]:
        """Events of an account by outcome, without zeros."""
        name = f"acme|{ACCOUNTS[account]}"
        found = {one: self.metrics.value(RESOLVER_EVENTS, name, one) for one in Book.EVENTS.settled}
        return {outcome: value for outcome, value in found.items() if value}

    def held(self) -> float:
        return self.metrics.value(RESOLVER_HELD_EVENTS, str(self.shard.number))


def said(clock: int, content: int = 1, account: int = 0) -> Said:
    return Said(account, 0, clock, 0, content)


def test_events_are_counted_by_account_and_outcome() -> None:
    bench = Bench(OrderingMode.NONE)
    bench.hear(said(5, 1), said(5, 1), said(3, 2), said(6, 1))
    assert bench.counted() == {"won": 1, "duplicate": 1, "late": 1, "unchanged": 1}
    bench.hear(said(7, 2), said(8, 3, account=1))
    assert bench.counted() == {"won": 2, "duplicate": 1, "late": 1, "unchanged": 1}
    assert bench.counted(1) == {"won": 1}


def test_an_event_that_cannot_be_read_is_counted_as_a_dead_letter() -> None:
    bench = Bench(OrderingMode.NONE)
    bench.process([(b"acme|price|x", b"", b"not a header")])
    assert bench.metrics.value(PIPELINE_DEAD_LETTERS, "resolver", "invalid_header") == 1
    assert bench.metrics.value(RESOLVER_EVENTS, "unknown", "dead") == 1


def test_a_flood_of_events_that_cannot_be_read_is_one_alert() -> None:
    bench = Bench(OrderingMode.NONE)
    with capture_logs() as logs:
        for _ in range(3):
            bench.process([(b"acme|price|x", b"", b"not a header")] * 40)
    assert [entry["log_level"] for entry in logs] == ["warning", "error"]
    assert "header" in logs[0]["detail"]
    assert bench.metrics.value(PIPELINE_BRAKED, "resolver", "unknown") == 1
    assert bench.metrics.value(PIPELINE_DEAD_LETTERS, "resolver", "invalid_header") == 120


def test_held_events_are_told_until_they_are_released() -> None:
    bench = Bench(OrderingMode.TIME)
    bench.hear(said(1), said(2))
    assert bench.held() == 2
    bench.now += LATENESS * 10
    bench.resolver.tick(bench.shard)
    assert bench.held() == 0


def test_a_shard_that_is_given_up_holds_nothing() -> None:
    bench = Bench(OrderingMode.TIME)
    bench.hear(said(1))
    bench.resolver.close(bench.shard)
    assert bench.held() == 0


def test_every_outcome_of_the_ledger_is_documented() -> None:
    assert [one for one in Book.EVENTS.settled if one not in RESOLVER_EVENTS.doc] == []


def test_the_ledger_tells_its_increments_once_and_not_what_it_had_counted_before() -> None:
    buffer, rows = LedgerBuffer(), MemoryRows()
    told: list[tuple[Book, str, Counters]] = []
    buffer.tally(Book.EVENTS, "acme|idle", "2026-03-01")
    for won in (2, 3):
        buffer.count(Book.EVENTS, "acme|shop", "2026-03-01", won=won)
        buffer.flush(rows, lambda book, account, counters: told.append((book, account, dict(counters))))
    buffer.flush(rows, lambda *_: told.append((Book.TASKS, "", {})))
    assert [(book, account, counters["won"]) for book, account, counters in told] == [
        (Book.EVENTS, "acme|shop", 2),
        (Book.EVENTS, "acme|shop", 3),
    ]
