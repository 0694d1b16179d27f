"""Where a shard begins to read."""

from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, TopicPartition

from streams.shard import changelog, transaction
from streams.shard.transaction import Offsets


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
    monkeypatch.setattr(transaction, "Consumer", lambda config: client)
    return Offsets({}, "g").start_positions(["t"], 0)


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
