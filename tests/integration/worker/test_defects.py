"""What stock Faust does to records on a real broker, each beside what our transport does in the same situation.

The stock half keeps us honest: when an upgrade mends a defect, its test fails and our override can go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from streams.testing.broker import Endpoints
from streams.worker import transport
from tests.integration.support import Bench, Member, eventually, until

pytestmark = pytest.mark.broker
LAST = "seen add 0000000000000019."

Start = Callable[[str, str], Member]


@pytest.fixture
def bench(endpoints: Endpoints) -> Bench:
    bench = Bench(endpoints.bootstrap).create(["in.v1"])
    bench.add(10)
    return bench


@pytest.fixture
def start(bench: Bench, tmp_path: Path) -> Iterator[Start]:
    """Starts a probe of a kind in a scenario."""
    with ExitStack() as members:

        def started(kind: str, scenario: str) -> Member:
            member = Member(bench, kind, tmp_path, module="tests.integration.worker.probe")
            return members.enter_context(member).start(kind=kind, scenario=scenario)

        yield started


def _seen(member: Member) -> list[int]:
    lines = [line for line in member.text().splitlines() if line.startswith("seen add ")]
    return [int(line[9:-1]) for line in lines]


def test_stock_commits_past_a_record_that_is_still_being_processed(bench: Bench, start: Start) -> None:
    member = start("stock", "hangs")
    until(lambda: bench.committed() == [10], "the group has committed what it never finished")
    assert 0 not in _seen(member)


def test_stock_acknowledges_and_loses_the_record_an_agent_fails_on(bench: Bench, start: Start) -> None:
    member = start("stock", "raises")
    until(lambda: bench.committed() == [10], "the group has committed everything")
    assert _seen(member) == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_ours_ends_the_process_when_the_agent_fails_and_commits_nothing(bench: Bench, start: Start) -> None:
    member = start("ours", "raises")
    assert member.wait() == 1
    assert _seen(member) == [0, 1, 2]
    assert bench.committed() == [-1]


def test_ours_never_commits_offsets_by_itself(bench: Bench, start: Start) -> None:
    member = start("ours", "plain")
    member.wait_for("seen add 0000000000000009.")
    assert member.stop() < 10.0
    assert bench.committed() == [-1], "not even when it stops: offsets travel in the shards' transactions"


@pytest.mark.parametrize("scenario", ["drops", "pauses"])
def test_stock_loses_a_fetch_that_meets_a_stopped_flow_or_a_paused_partition(
    bench: Bench, start: Start, scenario: str
) -> None:
    member = start("stock", scenario)
    member.wait_for({"drops": "dropped", "pauses": "paused"}[scenario])
    bench.add(10)
    member.wait_for(LAST)
    assert _seen(member) == list(range(10, 20)), "the first ten are gone"


@pytest.mark.parametrize("scenario", ["drops", "pauses"])
def test_ours_reads_such_a_fetch_again(bench: Bench, start: Start, scenario: str) -> None:
    member = start("ours", scenario)
    member.wait_for({"drops": "dropped", "pauses": "paused"}[scenario])
    bench.add(10)
    member.wait_for(LAST)
    assert _seen(member) == list(range(20))


def test_stock_processes_records_while_the_assigned_signal_is_still_at_work(start: Start) -> None:
    member = start("stock", "barrier")
    member.wait_for("opened")
    lines = member.text().splitlines()
    assert lines.index("opening") < lines.index("seen add 0000000000000000.") < lines.index("opened")


def test_ours_fetches_nothing_before_its_shards_are_open(start: Start) -> None:
    member = start("ours", "barrier")
    member.wait_for("seen add 0000000000000009.")
    lines = member.text().splitlines()
    assert lines.index("opening") < lines.index("opened") < lines.index("seen add 0000000000000000.")


def test_ours_takes_gaps_of_aborted_transactions_and_markers_for_no_loss(bench: Bench, start: Start) -> None:
    member = start("ours", "plain")
    producer = Producer({**bench.kafka, "transactional.id": bench.prefix})
    producer.init_transactions(30)
    for text, commit in (("aborted", False), ("add 0000000000000010", True), ("aborted", False)):
        producer.begin_transaction()
        producer.produce(bench.prefix + "in.v1", text, b"k", 0)
        producer.flush(10)
        (producer.commit_transaction if commit else producer.abort_transaction)(30)
        member.wait_for("seen add 0000000000000009.")
    bench.written = 11
    bench.add(9)
    member.wait_for(LAST)
    assert _seen(member) == list(range(20))
    member.stop()


class Keepalive:
    """As much of our consumer service as the keepalive task uses."""

    def __init__(self, consumer: Any) -> None:
        self.should_stop = False
        self._thread = SimpleNamespace(_consumer=consumer)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def test_a_consumer_that_nobody_polls_leaves_its_group_for_ever_unless_it_is_kept_alive(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "KEEPALIVE", 0.1)
    admin = AdminClient(bench.kafka)

    def members(group: str) -> int:
        return len(admin.describe_consumer_groups([group])[group].result(20).members)

    def consumer(group: str) -> Any:
        return AIOKafkaConsumer(
            bench.prefix + "in.v1",
            bootstrap_servers=bench.bootstrap,
            group_id=group,
            max_poll_interval_ms=1_000,
            session_timeout_ms=6_000,
            heartbeat_interval_ms=300,
        )

    kept, left = bench.prefix + "kept", bench.prefix + "left"
    async with consumer(kept) as alive, consumer(left):
        task = asyncio.create_task(transport.Consumer._poll_keepalive.fun(Keepalive(alive)))
        await eventually(lambda: (members(kept), members(left)) == (1, 1), "both have joined")
        await eventually(lambda: members(left) == 0, "the silent one has left")
        assert members(kept) == 1
        task.cancel()
