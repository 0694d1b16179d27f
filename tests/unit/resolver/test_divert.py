"""A record that killed the process: dead, counted once, and everything around it goes on."""

from __future__ import annotations

from typing import Any

from schemas import headers, topics
from schemas.codec import Codec
from schemas.registry import MemorySchemas
from schemas.topics import PROFILES
from streams.core import ledger
from streams.core.ledger import Book
from streams.core.policy import OrderingMode, Policy, PolicyKind
from streams.resolver.processor import Resolver
from streams.shard.memory import MemoryShard
from tests.property.resolving import BASE, EVENTS, Record, Said, Shop

INBOUND = topics.INBOUND


class Bench:
    """A resolver in a mode of ordering, over one log, with a clock by hand."""

    def __init__(self, mode: OrderingMode) -> None:
        self.shop = Shop(Policy(PolicyKind.LWW), mode)
        self.shard = MemoryShard()
        self.now = 1_000.0
        self.start()

    def start(self) -> None:
        self.resolver = Resolver(
            self.shop.table,
            Codec(MemorySchemas()),
            PROFILES["development"],
            now=lambda: BASE,
            monotonic=lambda: self.now,
        )
        self.resolver.open(self.shard)

    def crash(self) -> None:
        self.shard = self.shard.crashed()
        self.start()

    def record(self, offset: int) -> Any:
        one = Said(0, offset, 5, 0, 1)
        return Record(offset, one.key, one.value, [(headers.NAME, one.header(self.shop.unit))])

    def letters(self) -> list[dict[str, Any]]:
        codec = Codec(MemorySchemas())
        return [codec.decode(one.value or b"") for one in self.shard.outputs(topics.DEAD_LETTERS)]

    def events(self) -> ledger.Counters:
        sums = ledger.total(ledger.read(self.shard.rows))
        return {name: sum(sums[key][name] for key in sums if key[0] is Book.EVENTS) for name in Book.EVENTS.names}


def test_it_is_counted_as_dead_and_what_comes_before_and_after_it_is_applied() -> None:
    bench = Bench(OrderingMode.NONE)
    bench.resolver.process(bench.shard, INBOUND, [bench.record(0)])
    assert bench.resolver.divert(bench.shard, INBOUND, bench.record(1), 2) is None
    bench.resolver.process(bench.shard, INBOUND, [bench.record(2)])
    bench.shard.flush()
    (letter,) = bench.letters()
    assert (letter["stage"], letter["reason"], letter["attempts"]) == ("resolver", "poison", 2)
    assert (letter["source_topic"], letter["source_offset"]) == (INBOUND, 1)
    assert letter["original_value"] == bench.record(1).value
    counted = bench.events()
    assert (counted["received"], counted["won"], counted["dead"]) == (3, 2, 1)


def test_after_a_crash_it_is_not_counted_again_and_not_applied() -> None:
    bench = Bench(OrderingMode.NONE)
    bench.resolver.divert(bench.shard, INBOUND, bench.record(0), 2)
    bench.shard.flush()
    bench.crash()
    bench.resolver.process(bench.shard, INBOUND, [bench.record(0), bench.record(1)])
    bench.shard.flush()
    counted = bench.events()
    assert (counted["received"], counted["won"], counted["dead"]) == (2, 1, 1)


def test_what_is_held_before_it_stays_held_and_is_released() -> None:
    bench = Bench(OrderingMode.TIME)
    bench.resolver.process(bench.shard, INBOUND, [bench.record(0)])
    assert bench.resolver.divert(bench.shard, INBOUND, bench.record(1), 2) == 0, "the commit waits for the held event"
    bench.now += 60
    assert bench.resolver.tick(bench.shard) == {INBOUND: None}
    bench.shard.flush()
    assert [one.key for one in bench.shard.outputs(EVENTS)] == [bench.record(0).key]


def test_one_that_was_applied_and_held_before_the_crash_is_a_dead_letter_and_stays_counted_as_it_was() -> None:
    bench = Bench(OrderingMode.TIME)
    bench.resolver.process(bench.shard, INBOUND, [bench.record(0)])
    bench.shard.flush()
    bench.crash()
    assert bench.resolver.divert(bench.shard, INBOUND, bench.record(0), 2) is None
    bench.shard.flush()
    assert [letter["reason"] for letter in bench.letters()] == ["poison"]
    counted = bench.events()
    assert (counted["received"], counted["won"], counted["dead"]) == (1, 1, 0)
