"""The batch transport's rules that need no broker, each beside what stock Faust does."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import IllegalStateError
from faust.transport.drivers import aiokafka as driver
from faust.types.tuples import TP

from streams.worker import transport
from streams.worker.records import Fetched
from streams.worker.transport import BatchSchema

TP0 = TP("t", 0)
Consumer: Any = transport.Consumer  # its methods are called on stand-ins
Conductor: Any = transport.Conductor


class Full:
    """A consumer whose every queue is full."""

    def __init__(self) -> None:
        self.flow_active = True
        self._closed: set[Any] = set()
        self.app = SimpleNamespace(client_only=False)
        self._active_partitions: set[Any] = set()
        self.not_waiting_next_records = asyncio.Event()
        self.slept: list[float] = []

    def _get_active_partitions(self) -> set[Any]:
        return self._active_partitions

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


async def test_full_queues_cost_stock_a_second_and_us_ten_milliseconds(monkeypatch: pytest.MonkeyPatch) -> None:
    stock, ours = Full(), Full()
    await driver.Consumer._wait_next_records(stock, 1.0)
    assert stock.slept == [1]

    async def slept(seconds: float) -> None:
        ours.slept.append(seconds)

    monkeypatch.setattr("streams.worker.transport.asyncio.sleep", slept)
    assert await Consumer._wait_next_records(ours, 1.0) == ({}, set())
    assert ours.slept == [0.01]


def _acked(*offsets: int) -> Any:
    consumer = SimpleNamespace(
        _acked=defaultdict(list),
        _acked_index=defaultdict(set),
        _gap=defaultdict(lambda: None),
        _committed_offset={TP0: 10},
    )
    consumer._acked[TP0] += offsets
    consumer._acked_index[TP0] |= set(offsets)
    return consumer


def test_stock_commits_over_a_hole_of_one_and_ours_has_nothing_to_commit() -> None:
    assert driver.Consumer._new_offset(_acked(11), TP0) == 12, "10 is the committed offset: 10 itself was never acked"
    consumer = _acked(11)
    assert Consumer._new_offset(consumer, TP0) is None
    assert (consumer._acked[TP0], consumer._acked_index[TP0]) == ([], set())


async def test_a_commit_of_faust_reaches_nobody() -> None:
    assert await Consumer._commit(SimpleNamespace(), {TP0: 5}) is True
    await Consumer._add_gap(SimpleNamespace(), TP0, 1, 5)


class Seeking:
    """A consumer of three partitions, as much of it as seeks need. `positions`: what the shards expect."""

    perform_seek = Consumer.perform_seek
    _seek_to = Consumer._seek_to
    _begin_opened = Consumer._begin_opened

    def __init__(self, *positions: int | None) -> None:
        self.positions = {TP("t", n): position for n, position in enumerate(positions)}
        self.app = SimpleNamespace(
            consumer_generation_id=1,
            client_only=False,
            shard_host=SimpleNamespace(position=lambda topic, n: self.positions[TP(topic, n)]),
        )
        self._thread = SimpleNamespace(seek_wait=self.seek_wait)
        self._read_offset: dict[TP, int | None] = {}
        self._closed: set[TP] = set()
        self.flow_active = True
        self.active = set(self.positions)
        self.seeks: list[tuple[int, int]] = []
        self.meanwhile: list[Any] = []

    def assignment(self) -> set[TP]:
        return set(self.positions)

    def _get_active_partitions(self) -> set[TP]:
        return self.active

    def pause_partitions(self, tps: set[TP]) -> None:
        self.active -= tps

    def resume_partitions(self, tps: set[TP]) -> None:
        self.active |= tps

    async def seek_wait(self, positions: dict[Any, int]) -> None:
        self.seeks += [(tp.partition, at) for tp, at in positions.items()]
        for act in self.meanwhile:
            act()


async def test_seeks_go_to_what_the_shard_expects_even_where_nothing_was_ever_committed() -> None:
    consumer = Seeking(0, 7, None)
    await consumer.perform_seek()
    assert sorted(consumer.seeks) == [(0, 0), (1, 7)]
    assert consumer._read_offset == {TP("t", 0): None, TP("t", 1): 7}


async def test_a_shard_that_restores_is_not_fetched_and_read_from_what_it_expects_when_it_is_open() -> None:
    consumer = Seeking(0, 7, None)
    await consumer.perform_seek()
    assert consumer.active == {TP("t", 0), TP("t", 1)}
    await consumer._begin_opened()
    assert consumer.active == {TP("t", 0), TP("t", 1)}
    consumer.positions[TP("t", 2)] = 40
    consumer.seeks.clear()
    await consumer._begin_opened()
    assert (consumer.seeks, consumer._read_offset[TP("t", 2)]) == ([(2, 40)], 40)
    assert consumer.active == set(consumer.positions)
    assert consumer._closed == set()


async def test_a_rebalance_in_the_middle_of_opening_decides_what_is_read() -> None:
    consumer = Seeking(None)
    await consumer.perform_seek()
    consumer.positions[TP0] = 5

    def rebalance() -> None:
        consumer.app.consumer_generation_id = 2

    consumer.meanwhile = [rebalance]
    await consumer._begin_opened()
    assert (consumer.active, consumer._closed) == (set(), {TP0}), "the next `perform_seek` sees to it"


async def test_a_partition_that_went_in_the_middle_of_opening_ends_nothing() -> None:
    consumer = Seeking(None)
    await consumer.perform_seek()
    consumer.positions[TP0] = 5

    def gone() -> None:
        raise IllegalStateError("not assigned")

    consumer.meanwhile = [gone]
    await consumer._begin_opened()
    assert consumer.active == set()


async def test_a_fetch_waits_only_shortly_for_records_while_a_shard_may_become_ready(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def fetch(self: Any, seconds: float) -> Any:
        waits.append(seconds)
        return {}, set()

    monkeypatch.setattr(driver.Consumer, "_wait_next_records", fetch)
    consumer = Consumer.__new__(Consumer)
    seeking = Seeking(0, None)
    vars(consumer).update(vars(seeking) | {"_closed": {TP("t", 1)}})
    consumer._active_partitions, consumer._paused_partitions = {TP0}, set()
    await Consumer._wait_next_records(consumer, 1.0)
    consumer._closed = set()
    await Consumer._wait_next_records(consumer, 1.0)
    assert waits == [transport.ATTENTIVE, 1.0]


class Fetching:
    """A consumer in the middle of `getmany`."""

    def __init__(self, records: dict[TP, Any]) -> None:
        self.records = records
        self.active: set[TP] = set(records)
        self.flow_active, self.should_stop = True, False
        self._buffered_partitions: set[TP] = set()
        self._closed: set[TP] = set()
        self.seeks: list[tuple[TP, int]] = []
        self.checks: list[tuple[str, int, int | None]] = []
        self.app = SimpleNamespace(
            consumer_generation_id=3,
            monitor=SimpleNamespace(track_tp_end_offset=lambda tp, end: None),
            shard_host=SimpleNamespace(check=lambda *asked: self.checks.append(asked)),
        )

    async def _wait_next_records(self, _: float) -> Any:
        return self.records, self.active

    async def perform_seek(self) -> None:
        self.seeks.append((TP0, -1))

    async def seek(self, tp: TP, offset: int) -> None:
        self.seeks.append((tp, offset))

    def assignment(self) -> set[TP]:
        return {TP0}

    def highwater(self, tp: TP) -> int:
        return 99


def _fetched(start: int) -> Fetched:
    fetched = Fetched(start, 99)
    fetched += [SimpleNamespace(offset=start, timestamp=1_000, timestamp_type=1)]
    fetched.next = start + 1
    return fetched


async def _delivered(consumer: Fetching) -> list[tuple[TP, int]]:
    return [(tp, message.offset) async for tp, message in Consumer.getmany(consumer, 1.0)]


async def test_one_message_per_partition_and_every_one_is_checked_against_the_shard() -> None:
    consumer = Fetching({TP0: _fetched(5), TP("t", 1): [], TP("t", 2): _fetched(8)})
    assert await _delivered(consumer) == [(TP0, 5), (TP("t", 2), 8)]
    assert consumer.checks == [("t", 0, 99), ("t", 2, 99)]


async def test_records_of_a_partition_paused_meanwhile_are_sought_back_to_unless_it_is_gone() -> None:
    consumer = Fetching({TP0: _fetched(5), TP("t", 2): _fetched(8)})
    consumer.active = set()
    assert await _delivered(consumer) == []
    assert consumer.seeks == [(TP0, 5)], "partition 2 is not ours any more"


async def test_records_of_a_shard_that_restores_are_left_for_its_opening_to_seek_back_to() -> None:
    consumer = Fetching({TP0: _fetched(5), TP("t", 2): _fetched(8)})
    consumer._closed = {TP0}
    assert await _delivered(consumer) == [(TP("t", 2), 8)]
    assert consumer.seeks == []


async def test_records_that_come_while_the_flow_is_stopped_are_read_again() -> None:
    consumer = Fetching({TP0: _fetched(5)})
    consumer.flow_active = False
    assert await _delivered(consumer) == []
    assert consumer.seeks == [(TP0, -1)]


async def test_nothing_of_an_earlier_generation_is_delivered() -> None:
    consumer = Fetching({TP0: _fetched(5), TP("t", 1): _fetched(5)})
    delivered = []
    async for tp, _ in Consumer.getmany(consumer, 1.0):
        delivered.append(tp)
        consumer.app.consumer_generation_id = 4
    assert delivered == [TP0]


async def test_the_keepalive_polls_whatever_the_queues_do(monkeypatch: pytest.MonkeyPatch) -> None:
    polls: list[int] = []

    class Context:
        def __enter__(self) -> None:
            polls.append(1)

        def __exit__(self, *failure: object) -> None:
            return

    class Service(SimpleNamespace):
        async def sleep(self, seconds: float) -> None:
            assert seconds == transport.KEEPALIVE
            self.should_stop = len(polls) == 2

    fetcher = SimpleNamespace(_subscriptions=SimpleNamespace(fetch_context=Context))
    service = Service(should_stop=False, _thread=SimpleNamespace(_consumer=SimpleNamespace(_fetcher=fetcher)))
    await Consumer._poll_keepalive.fun(service)
    assert len(polls) == 3


async def test_an_event_carries_the_whole_batch() -> None:
    app = SimpleNamespace(create_event=lambda key, value, headers, message: (key, value, message))
    message = transport._message(TP0, _fetched(5), 3)
    decode = BatchSchema().compile(app)
    assert await decode(message) == (None, message.records, message)
    assert (message.offset, message.generation_id) == (5, 3)


async def test_the_conductor_waits_for_the_lock_only_when_somebody_holds_it() -> None:
    got: list[Any] = []

    async def callback(message: Any) -> None:
        got.append(message)

    lock = asyncio.Lock()
    conductor = SimpleNamespace(_tp_to_callback={TP0: callback}, _tp_to_callback_lock=lock)
    on_message = Conductor._compile_message_handler(conductor)
    message = SimpleNamespace(tp=TP0)
    await on_message(message)
    async with lock:
        waiting: asyncio.Task[None] = asyncio.create_task(on_message(message))
        await asyncio.sleep(0)
        assert len(got) == 1
    await waiting
    assert len(got) == 2


class Ended(BaseException):
    """Instead of the end of the process."""


@pytest.mark.parametrize("callback", ["on_partitions_revoked", "on_partitions_assigned"])
async def test_a_shard_that_cannot_be_opened_or_closed_ends_the_process(
    callback: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ended(code: int) -> None:
        raise Ended(code)

    async def broken(*_: object) -> None:
        raise RuntimeError("no")

    async def fine(*_: object) -> None:
        return

    monkeypatch.setattr("streams.worker.exits.os._exit", ended)
    monkeypatch.setattr(driver.Consumer, callback, fine)
    consumer = Consumer.__new__(Consumer)
    consumer.app = SimpleNamespace(shard_host=SimpleNamespace(revoked=broken, assigned=broken))
    with pytest.raises(Ended, match="70"):
        await getattr(consumer, callback)({TP0})
    assert "RuntimeError: no" in capsys.readouterr().err
