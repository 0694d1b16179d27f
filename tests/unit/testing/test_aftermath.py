"""What a storm is judged by: pauses by the broker's clock, and a truth that does not depend on the order of arrival."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from schemas.codec import Codec
from schemas.headers import Header
from schemas.registry import MemorySchemas
from schemas.topics import PROFILES
from streams.runtime.topicreader import Seen
from streams.testing import chatter
from streams.testing.aftermath import longest_pause
from streams.testing.chatter import Chatter, Manners

MANNERS = Manners(entities=5, duplicates=0.3, disorder=0.5, apart=10)


class Log:
    """A producer that keeps what it is given."""

    def __init__(self, options: Any) -> None:
        self.records: list[tuple[bytes, bytes, Any]] = []

    def produce(self, topic: str, value: bytes, key: bytes, partition: int, headers: Any) -> None:
        self.records.append((key, value, headers))

    def flush(self, timeout: float) -> int:
        return 0


def seen(partition: int, timestamp: int) -> Seen:
    return Seen(partition, 0, b"k", b"v", (), timestamp)


def test_the_longest_pause_is_within_one_partition() -> None:
    records = [seen(0, 1_000), seen(1, 9_000), seen(0, 3_500), seen(1, 9_100), seen(0, 4_000)]
    assert longest_pause(records) == pytest.approx(2.5)
    assert longest_pause([seen(0, 1_000)]) == 0.0


def talked(monkeypatch: pytest.MonkeyPatch, words: int, seed: int = 1) -> tuple[Chatter, Sequence[Any], Codec]:
    """Everything said and written, without a thread."""
    monkeypatch.setattr(chatter, "Producer", Log)
    codec = Codec(MemorySchemas())
    talk = Chatter({}, codec, "", PROFILES["development"], MANNERS, seed)
    for number in range(words):
        talk._say()
        talk._write(number)
    talk._write(words + 2 * MANNERS.apart)
    log: Any = talk._producer
    return talk, log.records, codec


def test_the_truth_is_the_last_word_however_the_records_are_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    talk, records, codec = talked(monkeypatch, 300)
    newest: dict[str, tuple[int, Decimal | None]] = {}
    clocks = []
    for key, value, headers in records:
        facts = Header.unpack(headers[0][1])
        clocks.append(facts.version.clock)
        amount = None if facts.op.name == "DELETE" else Decimal(codec.decode(value)["amount"]["amount"])
        newest[key.decode()] = max(newest.get(key.decode(), (0, None)), (facts.version.clock, amount))
    assert {key: amount for key, (_, amount) in newest.items()} == talk.truth
    assert clocks != sorted(clocks), "some come out of order"


def test_every_word_is_written_and_some_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    talk, records, _ = talked(monkeypatch, 300)
    ids = [Header.unpack(headers[0][1]).event_id for _, _, headers in records]
    assert len(ids) == talk.records
    assert len(set(ids)) == 300
    assert 330 < len(ids) < 450
