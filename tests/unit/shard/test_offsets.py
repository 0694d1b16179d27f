"""Where a shard begins to read."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.shard import changelog, offsets
from streams.shard.offsets import Lost, Offsets


class Client:
    """A group with one committed offset and a log of 5..9. `elections`: how often no leader is there to ask."""

    def __init__(self, committed: Any, elections: int = 0) -> None:
        self.committed = lambda wanted, timeout: [committed]
        self._elections = elections

    def consumer_group_metadata(self) -> bytes:
        return b""

    def get_watermark_offsets(self, tp: TopicPartition, timeout: float) -> tuple[int, int]:
        self._elections -= 1
        if self._elections >= 0:
            raise KafkaException(KafkaError(KafkaError.NOT_LEADER_FOR_PARTITION))
        return 5, 9


class Answer:
    """What the coordinator says of one partition."""

    topic, partition = "t", 0

    def __init__(self, offset: int, error: KafkaError | None = None) -> None:
        self.offset, self.error = offset, error


def _start(monkeypatch: pytest.MonkeyPatch, client: Client) -> dict[str, int]:
    monkeypatch.setattr(offsets, "Consumer", lambda config: client)
    return dict(Offsets({}, "g").start(["t"], 0, "stop").positions)


@pytest.mark.parametrize(("committed", "start"), [(-1001, 5), (5, 5), (7, 7), (9, 9)])
def test_reading_begins_where_the_group_stopped_or_at_the_start_of_the_log(
    monkeypatch: pytest.MonkeyPatch, committed: int, start: int
) -> None:
    assert _start(monkeypatch, Client(Answer(committed))) == {"t": start}


@pytest.mark.parametrize("committed", [4, 10])
def test_a_committed_offset_outside_the_log_is_refused_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, committed: int
) -> None:
    with pytest.raises(LookupError, match=r"outside its log 5\.\.9.*--reset-offsets --topic t:0"):
        _start(monkeypatch, Client(Answer(committed)))


@pytest.mark.parametrize(("committed", "start", "lost"), [(2, 5, [Lost("t", 0, 2, 5)]), (5, 5, []), (-1001, 5, [])])
def test_deleted_records_are_skipped_when_that_is_the_policy_and_it_is_said_which(
    monkeypatch: pytest.MonkeyPatch, committed: int, start: int, lost: list[Lost]
) -> None:
    monkeypatch.setattr(offsets, "Consumer", lambda config: Client(Answer(committed)))
    found = Offsets({}, "g").start(["t"], 0, "skip")
    assert (found.positions, list(found.lost)) == ({"t": start}, lost)
    assert [one.records for one in found.lost] == [3] * len(lost)
    assert found.committed == {"t": committed if lost else start}


def test_an_offset_behind_the_end_of_the_log_is_never_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offsets, "Consumer", lambda config: Client(Answer(10)))
    with pytest.raises(LookupError, match="was cut or made anew"):
        Offsets({}, "g").start(["t"], 0, "skip")


def test_an_answer_with_an_error_is_not_taken_for_a_group_that_never_committed(monkeypatch: pytest.MonkeyPatch) -> None:
    busy = KafkaError(KafkaError.UNSTABLE_OFFSET_COMMIT)
    with pytest.raises(KafkaException, match="UNSTABLE"):
        _start(monkeypatch, Client(Answer(-1001, busy)))


def test_an_election_of_a_leader_is_waited_for_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.shard.changelog.time.sleep", lambda seconds: None)
    assert _start(monkeypatch, Client(Answer(7), elections=3)) == {"t": 7}
    monkeypatch.setattr(changelog, "ELECTION", -1.0)
    with pytest.raises(KafkaException, match="NOT_LEADER"):
        _start(monkeypatch, Client(Answer(7), elections=3))
