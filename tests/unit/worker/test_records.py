"""Whole batches from aiokafka: the same records as stock aiokafka gives, whatever the broker's answer looks like."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import FetchResult as StockResult
from aiokafka.errors import CorruptRecordException
from hypothesis import given
from hypothesis import strategies as st

from streams.worker import records
from streams.worker.records import BatchRecords, BatchResult, Fetched
from tests.unit.worker.logs import TP, Answer, Batch, Marker


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """A log of plain and transactional batches of three producers, compacted here and there, and a fetch into it."""
    batches: list[Batch | Marker] = []
    aborted: list[tuple[int, int]] = []
    open_since: dict[int, int] = {}
    at = draw(st.integers(0, 1 << 33))
    first = at
    for kind in draw(st.lists(st.sampled_from(["plain", "data", "end"]), max_size=12)):
        producer = draw(st.integers(1, 3))
        if kind == "end":
            commit = draw(st.booleans())
            if not commit and producer in open_since:
                aborted.append((producer, open_since[producer]))
            open_since.pop(producer, None)
            batches.append(Marker(at, producer, commit))
        else:
            span = draw(st.integers(1, 6))
            offsets = draw(st.sets(st.integers(at, at + span - 1)))
            codec = draw(st.sampled_from(["none", "gzip", "lz4", "zstd", "snappy"]))
            transactional = kind == "data"
            batches.append(
                Batch(at, span, tuple(sorted(offsets)), producer if transactional else -1, transactional, codec)
            )
            if transactional:
                open_since.setdefault(producer, at)
        at = batches[-1].next
    return Answer(batches, draw(st.integers(first, at)), draw(st.booleans()), aborted)


@given(answers())
def test_the_same_records_as_stock_aiokafka_and_the_same_position(answer: Answer) -> None:
    assert answer.ours() == answer.stock()


def test_aborted_data_and_markers_are_invisible_and_what_follows_is_not() -> None:
    answer = Answer(
        [
            Batch(0, 2, (0, 1), 9, True),
            Marker(2, 9, commit=False),
            Batch(3, 1, (3,), 9, True),
            Marker(4, 9, commit=True),
        ],
        0,
        aborted=[(9, 0)],
    )
    found, position = answer.ours()
    assert [fact[0] for fact in found] == [3]
    assert position == 5


def test_a_fetch_into_the_middle_of_a_batch_begins_there() -> None:
    found, _ = Answer([Batch(10, 5, (10, 11, 13, 14), codec="lz4")], 12).ours()
    assert [fact[0] for fact in found] == [13, 14]


@pytest.mark.parametrize("kind", [BatchRecords, fetcher.PartitionRecords])
def test_a_batch_with_a_wrong_checksum_is_refused(kind: type[Any]) -> None:
    answer = Answer([Batch(0, 1, (0,))], 0)
    damaged = bytearray(answer.data)
    damaged[-1] ^= 1
    with pytest.raises(CorruptRecordException):
        list(answer.unpacker(kind, bytes(damaged)))


class State:
    """aiokafka's TopicPartitionState, as far as a result looks at it."""

    def __init__(self, position: int, highwater: int) -> None:
        self.position, self.highwater, self.paused = position, highwater, False

    def consumed_to(self, position: int) -> None:
        self.position = position


def _result(state: State, answer: Answer) -> Any:
    assignment = SimpleNamespace(active=True, state_value=lambda tp: state)
    return BatchResult(TP, assignment=assignment, partition_records=answer.unpacker(BatchRecords), backoff=0)


def test_a_whole_answer_is_handed_over_with_where_it_starts_and_what_follows() -> None:
    state = State(0, 99)
    fetched = _result(state, Answer([Batch(0, 3, (0, 2)), Batch(3, 1, (3,))], 0)).getall(max_records=1)
    assert isinstance(fetched, Fetched)
    fetched.unpack()
    assert [record.offset for record in fetched] == [0, 2, 3]
    assert (fetched.start, fetched.next, fetched.end, state.position) == (0, 4, 99, 4)


def test_records_are_made_once_and_what_compaction_has_emptied_is_known_when_they_are() -> None:
    fetched = _result(State(0, 99), Answer([Batch(0, 2, ())], 0)).getall()
    assert fetched
    fetched.unpack()
    fetched.unpack()
    assert not fetched
    assert fetched.next == 2


def test_an_answer_in_which_nothing_is_visible_belongs_to_the_next_one() -> None:
    state = State(0, 99)
    assert _result(state, Answer([Batch(0, 2, (0, 1), 9, True)], 0, aborted=[(9, 0)])).getall() == []
    assert _result(state, Answer([Marker(2, 9, commit=False)], 2)).getall() == []
    fetched = _result(state, Answer([Batch(3, 1, (3,))], 3)).getall()
    assert (fetched.start, fetched.next) == (0, 4)


def test_a_position_that_jumped_is_told_from_a_span_in_which_nothing_was_visible() -> None:
    state = State(0, 99)
    _result(state, Answer([Marker(0, 9, commit=True)], 0)).getall()
    state.position = 50
    assert _result(state, Answer([Batch(50, 1, (50,))], 50)).getall().start == 50


@pytest.mark.parametrize(("paused", "position"), [(True, 0), (False, 7)])
def test_an_answer_for_a_paused_or_moved_partition_is_dropped_and_its_position_kept(
    paused: bool, position: int
) -> None:
    state = State(position, 99)
    state.paused = paused
    assert _result(state, Answer([Batch(0, 1, (0,))], 0)).getall() == []
    assert state.position == position


def test_install_swaps_both_classes_for_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetcher, "FetchResult", StockResult)
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)
    records.install()
    records.install()
    assert (fetcher.FetchResult, fetcher.PartitionRecords) == (BatchResult, BatchRecords)
