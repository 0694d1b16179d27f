"""Restores on a real log: the others work meanwhile, heartbeats go on, and a shard has one owner whatever the group
does."""

from __future__ import annotations

import asyncio
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource
from structlog.testing import capture_logs

from streams.shard import changelog, restore
from streams.testing.broker import Endpoints
from tests.integration.shard.hosts import Driven, driven
from tests.integration.support import Bench, Member, eventually

pytestmark = pytest.mark.broker
DAY = 86_400  # seconds


@pytest.fixture
def bench(endpoints: Endpoints) -> Bench:
    return Bench(endpoints.bootstrap, partitions=2).create()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as members:
        yield members


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Until it is set, the changelog of shard 1 gives nothing."""
    opened = threading.Event()
    read = changelog.read_to_end

    def read_to_end(config: Any, topic: str, partition: int, start: int, sink: Callable[..., None], end: Any) -> None:
        while partition == 1 and not opened.wait(0.01):
            sink([], start)
        read(config, topic, partition, start, sink, end)

    monkeypatch.setattr(restore, "read_to_end", read_to_end)
    return opened


async def _work(bench: Bench, folder: Path, count: int) -> None:
    """Count so many records in two shards, and stop."""
    bench.add(count)
    running = Driven(bench, folder)
    await running.assigned({0, 1}, 1)
    await asyncio.gather(running.feed(number=0), running.feed(number=1))
    await running.host.stop()


async def test_a_shard_works_while_another_one_restores_and_the_obstacle_says_how_many(
    bench: Bench, tmp_path: Path, gate: threading.Event
) -> None:
    bench.add(20)
    running = Driven(bench, tmp_path)
    try:
        await running.host.assigned({0, 1}, 1)
        await eventually(lambda: running.host.position(bench.prefix + "in.v1", 0) == 0, "shard 0 is open")
        assert running.host.position(bench.prefix + "in.v1", 1) is None
        assert running.host.obstacle() == "restoring 1 of 2 shards"
        await running.feed(number=0)
        assert bench.committed() == [10, -1]
        gate.set()
        await running.host.opened()
        assert running.host.ready
        await running.feed(number=1)
    finally:
        await running.host.stop()
    bench.check_exactly_once()


async def test_a_shard_that_is_revoked_while_it_restores_commits_nothing_and_can_be_had_by_another(
    bench: Bench, tmp_path: Path, gate: threading.Event
) -> None:
    await asyncio.to_thread(gate.set)
    await _work(bench, tmp_path, 40)
    shutil.rmtree(tmp_path / bench.group)
    gate.clear()
    first, committed = Driven(bench, tmp_path), bench.committed()
    await first.host.assigned({0, 1}, 1)
    await eventually(lambda: first.host.position(bench.prefix + "in.v1", 0) is not None, "shard 0 is open")
    await first.host.revoked({0, 1})
    await first.assigned({0}, 2)
    assert first.roles[1:] == [], "shard 1 was never opened"
    gate.set()
    second = Driven(bench, tmp_path)  # the same folder: the store was closed
    await second.assigned({1}, 1)
    bench.add(10)
    await asyncio.gather(first.feed(number=0), second.feed(number=1))
    assert first.deaths == second.deaths == []
    await asyncio.gather(first.host.stop(), second.host.stop())
    assert committed == [20, 20]
    bench.check_exactly_once()


async def test_a_shard_that_stays_goes_on_restoring_over_one_rebalance_and_begins_anew_over_two(
    bench: Bench, tmp_path: Path, gate: threading.Event
) -> None:
    running = Driven(bench, tmp_path)
    try:
        await running.host.assigned({1}, 1)
        first = running.host._restoring._jobs[1].restore
        await running.host.revoked({1})
        await running.host.assigned({1}, 2)
        assert running.host._restoring._jobs[1].restore is first
        await running.host.revoked({1})
        await running.host.assigned({1}, 4)
        assert running.host._restoring._jobs[1].restore is not first
        gate.set()
        await running.host.opened()
    finally:
        await running.host.stop()


async def test_a_shard_that_becomes_ready_while_the_group_changes_opens_when_it_is_known_whose_it_is(
    bench: Bench, tmp_path: Path, gate: threading.Event
) -> None:
    running = Driven(bench, tmp_path)
    try:
        await running.host.assigned({1}, 1)
        await running.host.revoked({1})
        gate.set()
        job = running.host._restoring._jobs[1]
        await eventually(lambda: job.restore.start.positions, "it is restored")
        await asyncio.sleep(0.1)
        assert running.roles == []
        await running.assigned({1}, 2)
        assert len(running.roles) == 1
    finally:
        await running.host.stop()


def _stop_after(rows: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The next restore reads so many rows and then no more; returns where each read began."""
    read, reads = changelog.read_to_end, list[int]()

    def half(config: Any, topic: str, partition: int, start: int, sink: Callable[..., None], end: Any) -> None:
        if "changelog" in topic:
            reads.append(start)
            if len(reads) == 1:
                read(config, topic, partition, start, sink, (0, rows))
                while True:
                    sink([], rows)
                    time.sleep(0.01)
        read(config, topic, partition, start, sink, end)

    monkeypatch.setattr(restore, "read_to_end", half)
    return reads


async def _break_off(bench: Bench, folder: Path) -> None:
    running = Driven(bench, folder)
    await running.host.assigned({0}, 1)
    await eventually(lambda: running.host._restoring._jobs[0].restore.progress.rows, "it has read some rows")
    await running.host.stop()


async def test_a_restore_that_is_broken_off_goes_on_where_it_stopped(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _work(bench, tmp_path, 40)
    shutil.rmtree(tmp_path / bench.group)
    reads = _stop_after(3, monkeypatch)
    await _break_off(bench, tmp_path)
    async with driven(bench, tmp_path) as again:
        assert reads[1] >= 3
        assert len(dict(again.shard().rows.scan(b"C"))) == 5


async def test_a_restore_that_is_broken_off_does_not_make_an_old_store_look_new(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    await _work(bench, tmp_path, 40)
    shutil.rmtree(tmp_path / bench.group)
    _stop_after(3, monkeypatch)
    monkeypatch.setattr("streams.shard.restore.time.time", lambda: now + 2 * DAY)
    await _break_off(bench, tmp_path)
    monkeypatch.setattr("streams.shard.restore.time.time", lambda: now + 4 * DAY)
    with capture_logs() as logs:
        async with driven(bench, tmp_path):
            pass
    opened = next(entry for entry in logs if entry["event"] == "shard opened")
    assert "it was written 96 hours ago" in opened["store"]


async def test_a_store_of_old_rows_is_as_new_as_its_last_restore(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    await _work(bench, tmp_path, 40)
    for days in (3, 6, 9):
        monkeypatch.setattr("streams.shard.restore.time.time", lambda days=days: now + days * DAY)
        with capture_logs() as logs:
            async with driven(bench, tmp_path):
                pass
        opened = next(entry for entry in logs if entry["event"] == "shard opened")
        assert (opened["store"], opened["rows_read"]) == ("rolled forward", 0)


def _delete_instead_of_compact(bench: Bench) -> None:
    entry = ConfigEntry("cleanup.policy", "delete", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource("TOPIC", bench.prefix + "changelog.v1", incremental_configs=[entry])
    admin = AdminClient(bench.kafka)
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(30)


async def test_a_changelog_whose_beginning_is_gone_is_never_served_in_part(bench: Bench, tmp_path: Path) -> None:
    await _work(bench, tmp_path, 40)
    _delete_instead_of_compact(bench)
    bench.truncate("changelog.v1", 0, 2)
    async with driven(bench, tmp_path) as running:
        assert running.host.ready, "this disk holds what is gone"
    shutil.rmtree(tmp_path / bench.group)
    running = Driven(bench, tmp_path)
    try:
        await running.host.assigned({0}, 1)
        await eventually(running.host._restoring.troubles, "it says that it waits")
        assert "begins at 2, the local store ends at 0" in running.host._restoring.troubles()[0]
    finally:
        await running.host.stop()


def test_a_restore_longer_than_the_session_costs_nobody_the_membership(
    bench: Bench, tmp_path: Path, stack: ExitStack
) -> None:
    bench.add(400)
    started = time.monotonic()
    member = stack.enter_context(Member(bench, "m", tmp_path, {"slow": {"1": 9.0}})).start()
    member.wait_for("shard opened")
    bench.add(400)
    member.wait_for("shard opened", 2)
    assert time.monotonic() - started > 9.0
    bench.wait_consumed()
    assert member.text().count("shards assigned") == 1, "it was in the group all the time"
    member.stop()
    bench.check_exactly_once()


def test_members_that_come_and_go_while_shards_restore_lose_and_repeat_nothing(
    endpoints: Endpoints, tmp_path: Path, stack: ExitStack
) -> None:
    bench = Bench(endpoints.bootstrap, partitions=4).create()
    slow = {"slow": {str(n): 1.0 + n for n in range(4)}}
    bench.add(800)
    first = stack.enter_context(Member(bench, "a", tmp_path, slow)).start()
    first.wait_for("shard opened")
    second = stack.enter_context(Member(bench, "b", tmp_path, slow)).start()
    second.wait_for("shards assigned")
    bench.add(800)
    second.kill()
    third = stack.enter_context(Member(bench, "c", tmp_path, slow)).start()
    third.wait_for("shards assigned")
    bench.add(800)
    first.stop()
    bench.add(800)
    bench.wait_consumed()
    third.stop()
    bench.check_exactly_once()
