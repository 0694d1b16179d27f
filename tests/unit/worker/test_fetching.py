"""When the next fetch is sent."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import aiokafka.consumer.fetcher as fetcher
import pytest

from streams.worker.fetching import FetchPace, PacedFetcher
from streams.worker.records import BatchResult

TP = fetcher.TopicPartition("inbound", 0)


def test_the_first_fetch_does_not_wait() -> None:
    assert FetchPace().wait(5.0) == 0.0


def test_what_comes_after_a_silence_is_fetched_at_once() -> None:
    pace = FetchPace(shortest=0.02)
    pace.fetched(5.0, 100, full=False)
    assert pace.wait(5.1) == 0.0


def test_the_more_a_fetch_brought_the_longer_the_next_one_waits_up_to_a_limit() -> None:
    pace = FetchPace(shortest=0.02, longest=0.1, per_byte=1e-6)
    pace.fetched(5.0, 10_000, full=False)
    assert pace.wait(5.0) == pytest.approx(0.03)
    pace.fetched(5.0, 10_000_000, full=False)
    assert pace.wait(5.0) == pytest.approx(0.1)


def test_a_backlog_is_read_without_a_pause() -> None:
    pace = FetchPace()
    pace.fetched(5.0, 200_000, full=True)
    assert pace.wait(5.0) == 0.0


class Broker:
    """Answers each fetch with so many bytes of one partition."""

    def __init__(self, *sizes: int) -> None:
        self.sizes = list(sizes)


def answered(broker: Broker, waited: list[float], monkeypatch: pytest.MonkeyPatch) -> PacedFetcher:
    """A fetcher whose replies come from `broker` and whose waits are only noted."""

    async def reply(self: Any, assignment: Any, node_id: Any, request: Any) -> bool:
        result = BatchResult.__new__(BatchResult)
        result._partition_records = SimpleNamespace(size=broker.sizes.pop(0))
        self._records[TP] = result
        return True

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    monkeypatch.setattr(fetcher.Fetcher, "_proc_fetch_request", reply)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    paced = PacedFetcher.__new__(PacedFetcher)
    paced._paces, paced._records = {}, {}
    paced._loop = SimpleNamespace(time=lambda: 5.0)
    paced._max_partition_fetch_bytes = 1_000
    return paced


REQUEST = SimpleNamespace(topics=[("inbound", [(0, 17, 1_000)])])


async def test_a_fetcher_that_keeps_up_waits_and_one_with_a_backlog_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    paced = answered(Broker(900, 100, 100), waited, monkeypatch)
    assert await paced._proc_fetch_request(None, 1, REQUEST)
    assert await paced._proc_fetch_request(None, 1, REQUEST)
    assert waited == []
    assert await paced._proc_fetch_request(None, 1, REQUEST)
    assert waited == [pytest.approx(FetchPace().shortest + 100 * FetchPace().per_byte)]


async def test_a_fetch_that_is_called_off_while_it_waits_has_found_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    paced = answered(Broker(100), [], monkeypatch)
    await paced._proc_fetch_request(None, 1, REQUEST)

    async def cancelled(seconds: float) -> None:
        raise asyncio.CancelledError

    monkeypatch.setattr(asyncio, "sleep", cancelled)
    assert await paced._proc_fetch_request(None, 1, REQUEST) is False
