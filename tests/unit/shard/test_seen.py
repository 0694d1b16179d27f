"""Ids of released events."""

from __future__ import annotations

from hashlib import md5

from hypothesis import given
from hypothesis import strategies as st

from streams.shard.seen import PackedIds, SeenIds

ids = st.lists(st.binary(min_size=16, max_size=16), unique=True, max_size=20)


@given(ids, st.data())
def test_what_the_topic_holds_brings_back_exactly_what_was_added(known: list[bytes], data: st.DataObject) -> None:
    first, again = SeenIds(), SeenIds()
    for event_id in known:
        first.add([event_id])
        if data.draw(st.booleans()):
            again.load(100, first.take(100), 100)
    again.load(100, first.take(100), 100)
    assert len(again) == len(first) == len(known)
    assert all(event_id in again for event_id in known)
    assert bytes(15) + b"x" not in again


def test_an_id_goes_into_one_transaction_only() -> None:
    seen = SeenIds()
    seen.add([b"a" * 16])
    assert seen.take(1) == b"a" * 16
    assert seen.take(1) == b""
    assert b"a" * 16 in seen


def test_whole_days_beyond_the_horizon_are_forgotten_and_not_loaded() -> None:
    seen = SeenIds(horizon_days=7)
    for day, name in ((1, b"a"), (7, b"b")):
        seen.add([name * 16])
        seen.take(day)
    assert b"a" * 16 in seen
    seen.add([b"c" * 16])
    seen.take(8)
    assert b"a" * 16 not in seen
    seen.load(1, b"d" * 16, 8)
    assert b"d" * 16 not in seen
    assert (len(seen), seen.dropped_days) == (2, 1)


def test_more_than_the_maximum_drops_the_oldest_day_and_never_the_newest() -> None:
    seen = SeenIds(max_ids=2)
    seen.load(1, b"a" * 16 + b"b" * 16, 3)
    seen.load(2, b"c" * 16, 3)
    assert b"a" * 16 not in seen
    seen.add([b"d" * 16])
    seen.add([b"e" * 16])
    seen.add([b"f" * 16])
    seen.take(3)
    assert [n * 16 in seen for n in (b"c", b"d", b"e", b"f")] == [False, True, True, True]


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=50), st.binary(min_size=16, max_size=16))
def test_packed_ids_are_a_set_of_ids(known: list[bytes], other: bytes) -> None:
    packed = PackedIds()
    packed.add_new(dict.fromkeys(known))
    assert all(event_id in packed for event_id in known)
    assert (other in packed) == (other in known)
    assert len(packed) == len(set(known))


def test_the_end_of_one_id_and_the_beginning_of_the_next_are_not_an_id() -> None:
    packed = PackedIds()
    packed.add_new([b"aa" + b"ab" * 7, b"aa" + b"ac" * 7])
    assert (b"ab" * 7 + b"aa") not in packed
    assert b"aa" + b"ac" * 7 in packed


def test_an_id_costs_less_than_twenty_bytes() -> None:
    packed = PackedIds()
    packed.add_new([md5(b"%d" % n, usedforsecurity=False).digest() for n in range(300_000)])
    assert packed.size / len(packed) < 20
