"""Ids of released events."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import md5
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.shard.idfiles import PackedIds, write
from streams.shard.seen import IN_MEMORY, SeenIds, ids_in

one = st.binary(min_size=16, max_size=16)
ids = st.lists(one, unique=True, max_size=20)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "0.seen"


def event(number: int) -> bytes:
    return md5(b"%d" % number, usedforsecurity=False).digest()


def settled(seen: SeenIds) -> SeenIds:
    """All that is to be filed, filed."""
    while (filing := seen.filing()) is not None:
        seen.write(filing)
        seen.filed(filing)
    return seen


@given(ids, st.data())
def test_what_the_topic_holds_brings_back_exactly_what_was_added(known: list[bytes], data: st.DataObject) -> None:
    with folder() as here, folder() as there:
        first, again = SeenIds(here, in_memory=3), SeenIds(there, in_memory=2)
        for event_id in known:
            first.add(100, [event_id])
            if data.draw(st.booleans()):
                again.load(100, first.take(), 100)
            if data.draw(st.booleans()):
                settled(first)
        again.load(100, first.take(), 100)
        assert len(again) == len(first) == len(known)
        assert all(event_id in first and event_id in again for event_id in known)
        assert bytes(15) + b"x" not in again


@given(st.lists(st.tuples(st.integers(1, 9), ids, st.booleans()), max_size=12), one)
def test_ids_are_seen_wherever_they_are_until_their_day_is_behind_the_horizon(
    steps: list[tuple[int, list[bytes], bool]], other: bytes
) -> None:
    wanted: dict[bytes, int] = {}
    newest = 0
    with folder() as here:
        seen = SeenIds(here, horizon_days=3, in_memory=4)
        for day, several, settle in steps:
            seen.add(day, several)
            newest = max(newest, day)
            wanted |= dict.fromkeys(several, newest)
            if settle:
                settled(seen)
            assert all(event_id in seen for event_id, kept in wanted.items() if kept > newest - 3)
        settled(seen)
        assert (other in seen) == (wanted.get(other, -9) > newest - 3)


def test_an_id_goes_into_one_transaction_only(tmp_path: Path) -> None:
    seen = SeenIds(tmp_path / "0.seen")
    seen.add(1, [b"a" * 16])
    assert seen.take() == b"a" * 16
    assert seen.take() == b""
    assert b"a" * 16 in seen


def test_whole_days_beyond_the_horizon_are_forgotten_and_not_loaded(tmp_path: Path) -> None:
    seen = SeenIds(tmp_path / "0.seen", horizon_days=7)
    for day, name in ((1, b"a"), (7, b"b")):
        seen.add(day, [name * 16])
    assert b"a" * 16 in seen
    seen.add(8, [b"c" * 16])
    assert b"a" * 16 not in settled(seen)
    seen.load(1, b"d" * 16, 8)
    assert b"d" * 16 not in seen
    assert (len(seen), seen.dropped_days) == (2, 1)


def test_more_than_the_maximum_drops_the_oldest_day_and_never_the_newest(tmp_path: Path) -> None:
    seen = SeenIds(tmp_path / "0.seen", max_ids=2)
    seen.load(1, b"a" * 16 + b"b" * 16, 3)
    seen.load(2, b"c" * 16, 3)
    assert b"a" * 16 not in seen
    for name in b"def":
        seen.add(3, [bytes([name]) * 16])
    settled(seen)
    assert [n * 16 in seen for n in (b"c", b"d", b"e", b"f")] == [False, True, True, True]


def test_memory_stays_the_same_and_the_disk_takes_sixteen_bytes_for_each_id(tmp_path: Path) -> None:
    seen = SeenIds(tmp_path / "0.seen", in_memory=1_000)
    for batch in range(300):
        seen.add(1, [event(batch * 100 + at) for at in range(100)])
        settled(seen)
    files = list((tmp_path / "0.seen").iterdir())
    filed = sum(file.stat().st_size for file in files) // 16
    assert len(files) <= 3 * 3  # three of each size, of which there are three
    assert 30_000 - filed <= 1_000
    assert len(seen) == 30_000
    assert all(event(number) in seen for number in range(0, 30_000, 97))
    assert not any(event(number) in seen for number in range(30_000, 31_000))


def test_a_past_day_becomes_one_file_and_what_was_there_before_is_gone(tmp_path: Path) -> None:
    here = tmp_path / "0.seen"
    here.mkdir()
    (here / "99-1.ids").write_bytes(b"left by an earlier life")
    seen = SeenIds(here, in_memory=10)
    for day in (1, 2):
        for batch in range(3):
            seen.add(day, [event(day * 1000 + batch * 10 + at) for at in range(10)])
    settled(seen)
    assert sorted(file.name.split("-")[0] for file in here.iterdir()) == ["1", "2", "2"]
    seen.close()
    assert not here.exists()


def test_ids_are_seen_while_they_are_written_and_a_closed_set_writes_nothing(tmp_path: Path) -> None:
    seen = SeenIds(tmp_path / "0.seen", in_memory=1)
    seen.add(1, [event(1)])
    seen.add(1, [event(2)])
    filing = seen.filing()
    assert filing is not None
    assert event(1) in seen
    seen.close()
    seen.write(filing)
    assert filing.file is None
    assert not (tmp_path / "0.seen").exists()


def test_a_file_that_was_cut_is_an_error_and_not_an_id_that_was_never_seen(tmp_path: Path) -> None:
    packed = PackedIds()
    packed.add_new([event(1)])
    file = write(tmp_path / "a.ids", [packed], 0)
    (tmp_path / "a.ids").write_bytes(b"")
    with pytest.raises(OSError, match="shorter than it was written"):
        assert event(1) in file


@given(st.lists(st.lists(one, unique=True, max_size=30), min_size=1, max_size=4), one)
def test_files_hold_all_ids_of_what_they_are_written_from(several: list[list[bytes]], other: bytes) -> None:
    with tempfile.TemporaryDirectory() as name:
        files = []
        for at, known in enumerate(several):
            packed = PackedIds()
            packed.add_new(known)
            files.append(write(Path(name) / f"{at}.ids", [packed], 0))
        merged = write(Path(name) / "merged.ids", files, 1)
        wanted = {event_id for known in several for event_id in known}
        assert len(merged) == sum(map(len, several))
        assert all(event_id in merged for event_id in wanted)
        assert (other in merged) == (other in wanted)
        assert {i for string in merged.strings() for i in ids_in(bytes(string))} == wanted
        for file in (*files, merged):
            file.close()


@given(st.lists(one, max_size=50), one)
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


def test_what_is_in_memory_is_bounded_to_megabytes() -> None:
    sizes = []
    for count in (1_000, IN_MEMORY):
        packed = PackedIds()
        packed.add_new([event(number) for number in range(count)])
        sizes.append(packed.size)
    assert all(small < large for small, large in pairwise(sizes))
    assert sizes[-1] < 6 << 20
