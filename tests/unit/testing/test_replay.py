"""A replay reads exactly what a shard has applied, in the order of the broker's clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

from schemas import topics
from schemas.entities import EntityType, Op
from streams.core.policy import Ordering, OrderingMode, Rules
from streams.runtime.topicreader import Seen, TopicReader
from streams.testing.replay import INPUTS, Inputs, RowsOnly, _is_due, fold, unordered
from streams.testing.topology import ONE_PARTITION, TopologyTestDriver
from tests.unit.runtime.explain.known import NEW, NOW, OLD, PRESTA, SHOP, row, said
from tests.unit.testing.test_topology import MEMBERS, money, rules


class Log:
    """A reader of one topic; `open`: scans that were begun and not ended."""

    def __init__(self, *times: int) -> None:
        self.times = times
        self.open = 0

    def scan(self, topic: str, partitions: Iterable[int]) -> Iterator[Seen]:
        self.open += 1
        try:
            for offset, time in enumerate(self.times):
                yield Seen(next(iter(partitions)), offset, b"k", b"%d" % time, (), time)
        finally:
            self.open -= 1


def inputs(live: Log, bulk: Log, *places: int) -> Inputs:
    """Of a shard that has applied the two logs up to these offsets."""
    readers = cast("dict[str, TopicReader]", dict(zip(INPUTS, (live, bulk), strict=True)))
    return Inputs(readers, 3, dict(zip(INPUTS, places, strict=False)))


def read(of: Inputs) -> list[tuple[str, list[int]]]:
    return [(topic, [record.timestamp for record in batch]) for topic, batch in of]


def test_two_logs_are_read_in_the_order_of_the_brokers_clock_as_batches_of_one_topic() -> None:
    of = inputs(Log(1, 2, 5), Log(3, 4, 9), 3, 3)
    assert read(of) == [
        (topics.INBOUND, [1, 2]), (topics.INBOUND_BULK, [3, 4]), (topics.INBOUND, [5]), (topics.INBOUND_BULK, [9]),
    ]  # fmt: skip
    assert of.read == 6


def test_nothing_behind_the_place_is_read_and_no_scan_stays_open() -> None:
    live, bulk = Log(*range(5_000)), Log(1)
    of = inputs(live, bulk, 2_500)
    assert [len(times) for _, times in read(of)] == [1_000, 1_000, 500]
    assert (live.open, bulk.open) == (0, 0)


def test_what_a_shard_has_not_applied_at_all_is_not_read() -> None:
    assert read(inputs(Log(1), Log(2))) == []


def test_a_replay_keeps_rows_and_nothing_else() -> None:
    driver = TopologyTestDriver.of(rules(), MEMBERS)
    for account, amount in (("shop", "10"), ("presta", "11")):
        driver.say(account, EntityType.PRICE, "SKU-7~default~EUR", money(amount))
        driver.advance(1)
    batches: list[Any] = [(topics.INBOUND, driver.records(topics.INBOUND))]
    found = fold(unordered(driver.config), driver.codec, ONE_PARTITION, 0, batches)
    assert {key[:1] for key in found} >= {b"E", b"V"}
    shard = RowsOnly(0)
    shard.emit("t", 0, b"k", b"v")
    shard.emit_latest("t", b"k", b"v")
    shard.emit_latest_of("t", {b"k": b"v"})
    shard.saw(b"i" * 16)
    shard.saw_all([b"i" * 16])
    shard.flush()
    assert (shard.committed, shard.ids) == ([], set())


def test_a_replay_holds_no_event_back() -> None:
    known = TopologyTestDriver.of(Rules(ordering={EntityType.PRICE: Ordering(OrderingMode.TIME, 60.0)}), MEMBERS)
    assert {ordering.mode for ordering in unordered(known.config).orderings.values()} == {OrderingMode.NONE}


def test_a_grave_is_due_when_everybody_fell_silent_before() -> None:
    dead = row(said(SHOP, NOW, NEW, op=Op.DELETE), said(PRESTA, NOW - 5, OLD))
    assert _is_due(dead, NOW + 1)
    assert not _is_due(dead, NOW)
    assert not _is_due(dead._replace(fingerprint=NEW), NOW + 1)
