"""The shard runtime against a broker, without Faust: what is committed together, when, and what is refused."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import CATALOGUE, RESOLVE_SEEN
from streams.shard import host as hosts
from streams.shard.api import Incoming, Shard
from streams.shard.offsets import Offsets
from streams.shard.transaction import Batch, Transactions
from streams.testing.broker import Endpoints
from tests.integration.counter import Counter
from tests.integration.shard.hosts import Driven, Fatal, driven, idle
from tests.integration.support import Bench, eventually

pytestmark = pytest.mark.broker


@pytest.fixture
def bench(endpoints: Endpoints) -> Bench:
    return Bench(endpoints.bootstrap).create()


async def test_outputs_rows_ids_and_offsets_become_visible_together(bench: Bench, tmp_path: Path) -> None:
    bench.add(30)
    async with driven(bench, tmp_path) as running:
        await running.feed()
        assert bench.committed() == [30]
        assert len(bench.outputs()) == 30
        assert sum(len(m.value()) for m in bench.read("seen.v1")) == 30 * 16
    bench.check_exactly_once()


async def test_a_role_that_raises_half_way_through_a_batch_leaves_nothing_behind(bench: Bench, tmp_path: Path) -> None:
    bench.add(10)
    bench.write([(0, "k", "boom")])
    async with driven(bench, tmp_path) as running:
        with pytest.raises(Fatal, match="RuntimeError: boom"):
            await running.feed()
        assert bench.committed() == [-1]
        assert bench.outputs().total() == 0


async def test_a_tick_that_raises_ends_the_process_too(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Counter, shard: Shard) -> dict[str, int | None]:
        shard.emit("out.v1", 0, b"k", b"half")
        raise RuntimeError("tick")

    monkeypatch.setattr(Counter, "tick", broken)
    async with driven(bench, tmp_path) as running:
        with pytest.raises(Fatal, match="RuntimeError: tick"):
            await asyncio.wait_for(running.host.tick(), 5)


async def test_what_a_tick_emits_is_committed_without_waiting_for_the_next_batch(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    def once(self: Counter, shard: Shard) -> dict[str, int | None]:
        if not told:
            told.append(1)
            shard.emit("out.v1", 0, b"k", b"from a tick")
        return {}

    monkeypatch.setattr(Counter, "tick", once)
    async with driven(bench, tmp_path) as running:
        ticking = asyncio.create_task(running.host.tick())
        await eventually(lambda: told, "the first tick")
        await idle(running)
        ticking.cancel()
        assert bench.outputs() == {"from a tick": 1}


async def test_what_opening_writes_is_committed_without_waiting_for_the_first_batch(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counter, "open", lambda self, shard: shard.emit("out.v1", 0, b"k", b"opened"))
    async with driven(bench, tmp_path) as running:
        await idle(running)
        assert bench.outputs() == {"opened": 1}


async def test_a_role_knows_how_much_of_an_input_is_left_behind_its_batch(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(
        Counter, "process", lambda self, shard, *_: told.append((shard.unread("in.v1"), shard.unread("bulk.v1")))
    )
    bench.add(30)
    async with driven(bench, tmp_path) as running:
        first = running.fetched()
        first.next = 10
        del first[10:]
        await running.host.process(bench.prefix + "in.v1", 0, first)
        await running.feed()
    assert told == [(20, 0), (0, 0)]


async def test_a_batch_that_starts_after_what_is_expected_is_refused(bench: Bench, tmp_path: Path) -> None:
    bench.add(10)
    async with driven(bench, tmp_path) as running:
        fetched = running.fetched()
        fetched.start = 1
        with pytest.raises(Fatal, match="jumped from 0 to 1"):
            await running.host.process(bench.prefix + "in.v1", 0, fetched)


async def test_a_fetch_in_which_compaction_has_left_nothing_is_passed_over(bench: Bench, tmp_path: Path) -> None:
    bench.add(10)
    async with driven(bench, tmp_path) as running:
        emptied = running.fetched()
        emptied.clear()
        emptied.add(())
        emptied.next = 4
        await running.host.process(bench.prefix + "in.v1", 0, emptied)
        assert running.host.position(bench.prefix + "in.v1", 0) == 4
        await running.feed()
        assert running.host.position(bench.prefix + "in.v1", 0) == 10


async def test_records_that_were_processed_already_are_skipped(bench: Bench, tmp_path: Path) -> None:
    bench.add(10)
    async with driven(bench, tmp_path) as running:
        again = running.fetched()
        await running.feed()
        await running.host.process(bench.prefix + "in.v1", 0, again)
        bench.add(5)
        overlapping = running.fetched()
        overlapping[:0] = again
        overlapping.start = 0
        await running.host.process(bench.prefix + "in.v1", 0, overlapping)
        await idle(running)
    bench.check_exactly_once()


async def test_a_shard_that_stays_over_one_rebalance_keeps_its_memory_and_over_two_it_does_not(
    bench: Bench, tmp_path: Path
) -> None:
    async with driven(bench, tmp_path) as running:
        await running.host.revoked({0})
        await running.assigned({0}, 2)
        assert len(running.roles) == 1
        await running.host.revoked({0})
        await running.assigned({0}, 4)
        assert len(running.roles) == 2


async def test_nothing_is_processed_between_revoke_and_assignment(bench: Bench, tmp_path: Path) -> None:
    bench.add(10)
    async with driven(bench, tmp_path) as running:
        fetched = running.fetched()
        await running.host.revoked({0})
        await running.host.process(bench.prefix + "in.v1", 0, fetched)
        assert running.roles[0].lines == []
        await running.assigned({0}, 2)
        await running.feed()
    bench.check_exactly_once()


async def test_the_connection_for_offsets_is_shared_by_all_shards(
    endpoints: Endpoints, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Offsets] = []

    class Counted(Offsets):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(hosts, "Offsets", Counted)
    running = Driven(Bench(endpoints.bootstrap, partitions=3).create(), tmp_path)
    await running.assigned({0, 1, 2}, 1)
    await running.host.stop()
    assert len(made) == 1


class Working(Counter):
    """A role that also works on its own, as the courier does."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0
        self.failing = asyncio.Event()

    def process(self, shard: Shard, topic: str, records: Sequence[Incoming]) -> int | None:
        self.failing.set()
        return super().process(shard, topic, records)

    def close(self, shard: Shard) -> None:
        self.closed += 1

    async def work(self, shard: Shard) -> None:
        await self.failing.wait()
        shard.emit("out.v1", 0, b"k", b"half")
        raise RuntimeError("at work")


async def test_a_worker_is_closed_once_even_when_a_stop_follows_a_revoke(bench: Bench, tmp_path: Path) -> None:
    running = Driven(bench, tmp_path)
    role = Working()
    running.host._plan = replace(running.host._plan, processor=lambda: role)
    await running.assigned({0}, 1)
    await running.host.revoked({0})
    await running.host.stop()
    assert role.closed == 1


async def test_work_that_raises_commits_nothing_of_what_it_had_begun(bench: Bench, tmp_path: Path) -> None:
    bench.add(1)
    running = Driven(bench, tmp_path)
    role = Working()
    running.host._plan = replace(running.host._plan, processor=lambda: role)
    await running.assigned({0}, 1)
    await running.host.process(bench.prefix + "in.v1", 0, running.fetched())
    await eventually(lambda: running.deaths, "it is noticed")
    assert "RuntimeError: at work" in running.deaths[0]


async def test_more_ids_than_fit_into_one_record_are_remembered_all_the_same(
    endpoints: Endpoints, tmp_path: Path
) -> None:
    bench = Bench(endpoints.bootstrap).create(**{"max.message.bytes": str(CATALOGUE[RESOLVE_SEEN].max_message_bytes)})
    ids = random.Random(1).randbytes(70_000 * 16)  # as ids do, they do not compress
    transactions = Transactions(
        bench.kafka,
        transactional_id=f"{bench.group}-0",
        timeout_ms=10_000,
        shard=0,
        changelog=bench.prefix + "changelog.v1",
        seen=bench.prefix + "seen.v1",
    )
    transactions.init()
    offsets = Offsets(bench.kafka, bench.group)
    try:
        transactions.commit(Batch(seen=ids, seen_day=time.time_ns() // 86_400_000_000_000), offsets.metadata)
    finally:
        offsets.close()
    async with driven(bench, tmp_path) as running:
        assert all(running.shard().seen(ids[n * 16 : n * 16 + 16]) for n in (0, 32_767, 32_768, 69_999))


async def test_a_fenced_owner_cannot_commit(bench: Bench, tmp_path: Path) -> None:
    bench.add(10)
    owner = Driven(bench, tmp_path / "a")
    await owner.assigned({0}, 1)
    async with driven(bench, tmp_path / "b") as heir:
        doomed = asyncio.create_task(owner.feed())
        await eventually(lambda: owner.deaths, "the old owner notices")
        doomed.cancel()
        assert "cannot commit" in owner.deaths[0]
        assert "FENCED" in owner.deaths[0]
        await heir.feed()
    bench.check_exactly_once()


async def test_a_topic_that_was_never_committed_is_read_from_the_start_of_its_log(bench: Bench, tmp_path: Path) -> None:
    bench.add(10)
    bench.truncate("in.v1", 0, 4)
    async with driven(bench, tmp_path) as running:
        assert running.host.position(bench.prefix + "in.v1", 0) == 4
        assert running.host.position(bench.prefix + "bulk.v1", 0) == 0
        assert running.host.position(bench.prefix + "in.v1", 7) is None
