"""Ids of released events."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.shard.seen import SeenIds

ids = st.lists(st.binary(min_size=16, max_size=16), unique=True, max_size=20)


@given(ids, st.data())
def test_what_the_topic_holds_brings_back_exactly_what_was_added(known: list[bytes], data: st.DataObject) -> None:
    first, again = SeenIds(), SeenIds()
    for event_id in known:
        first.add(event_id, 100)
        if data.draw(st.booleans()):
            again.load(100, first.take(), 100)
    again.load(100, first.take(), 100)
    assert len(again) == len(first) == len(known)
    assert all(event_id in again for event_id in known)
    assert bytes(15) + b"x" not in again


def test_an_id_goes_into_one_transaction_only() -> None:
    seen = SeenIds()
    seen.add(b"a" * 16, 1)
    assert seen.take() == b"a" * 16
    assert seen.take() == b""
    assert b"a" * 16 in seen


def test_whole_days_beyond_the_horizon_are_forgotten_and_not_loaded() -> None:
    seen = SeenIds(horizon_days=7)
    seen.add(b"a" * 16, 1)
    seen.add(b"b" * 16, 7)
    assert b"a" * 16 in seen
    seen.add(b"c" * 16, 8)
    assert b"a" * 16 not in seen
    seen.load(1, b"d" * 16, 8)
    assert b"d" * 16 not in seen
    assert (len(seen), seen.dropped_days) == (2, 1)


def test_more_than_the_maximum_drops_the_oldest_day_and_never_the_newest() -> None:
    seen = SeenIds(max_ids=2)
    seen.load(1, b"a" * 16 + b"b" * 16, 3)
    seen.load(2, b"c" * 16, 3)
    assert b"a" * 16 not in seen
    seen.add(b"d" * 16, 3)
    seen.add(b"e" * 16, 3)
    seen.add(b"f" * 16, 3)
    seen.take()
    assert [n * 16 in seen for n in (b"c", b"d", b"e", b"f")] == [False, True, True, True]
