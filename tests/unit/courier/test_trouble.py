"""Crashes, lost replies, throttling, refused credentials, vendors that are away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from connectors.kit.contract import Account, Flow, Request, Write, Written
from connectors.kit.errors import Misconfigured
from streams.core import courier_rows as rows
from streams.core.desired import Status
from streams.core.outcome import Limits
from streams.courier.setup import Settings
from streams.shard.memory import MemoryShard
from tests.unit.courier.shop import ScriptedPlatform, body, check
from tests.unit.courier.world import START, World, breathe, command, key, task


@pytest.fixture
async def world() -> AsyncIterator[World]:
    started = await World().start()
    yield started
    await started.stop()


def sent(world: World) -> list[float]:
    """When requests left, in seconds since the start."""
    return [round(at - START / 1e6, 3) for at, _ in world.shop.requests]


def intents(world: World) -> int:
    return len(list(world.shard.rows.scan(rows.INTENT)))


# ------------------------------------------------------------------------------------------------ lost replies


async def test_a_lost_reply_is_repeated_with_the_same_operation_id_after_the_quarantine(world: World) -> None:
    world.shop.lose_reply()
    world.push(task("A", 1))
    await world.advance(34)
    assert len(world.shop.requests) == 1
    await world.advance(2)
    assert world.shop.op_ids == [f"shop|{key('A')}|1"] * 2
    assert world.row(key("A")) is None
    assert intents(world) == 0


async def test_a_newer_version_waits_until_the_unanswered_one_can_no_longer_land(world: World) -> None:
    world.shop.lose_reply_and_land_after(30)
    world.push(task("A", 1))
    await breathe()
    world.push(task("A", 2))
    await world.advance(60)
    assert world.shop.log == [(key("A"), 1), (key("A"), 2)]
    assert sent(world) == [0.0, 35.0]
    assert world.ledger() == {"received": 2, "coalesced": 1, "applied": 1}


async def test_doubt_about_one_entity_does_not_hold_up_another(world: World) -> None:
    world.shop.lose_reply()
    world.push(task("A", 1), task("B", 1))
    await breathe()
    assert (key("B"), 1) in world.shop.log
    assert sent(world) == [0.0, 0.0]


async def test_a_command_in_doubt_is_parked_for_a_person_and_never_repeated(world: World) -> None:
    world.shop.lose_reply()
    world.push(command("A", "ship-1"))
    await world.advance(600)
    assert world.shop.op_ids == ["ship-1"]
    row = world.row("\x01ship-1")
    assert row is not None
    assert (row.status, row.reason) == (Status.PARKED, "outcome_unknown")
    assert world.ledger() == {"received": 1, "parked": 1}


class WithLookUp(ScriptedPlatform):
    """A platform that can tell whether a command was carried out."""

    def verify(self, account: Account, write: Write) -> Flow:
        check((yield Request("GET", "ops", "verify", "/ops")))
        return Written() if write.op_id in self.shop.op_ids else None


@pytest.fixture
async def asking() -> AsyncIterator[World]:
    asked = World()
    asked.vendor = WithLookUp(asked.shop)
    yield await asked.start()
    await asked.stop()


@pytest.mark.parametrize("carried_out", [True, False])
async def test_a_command_in_doubt_is_looked_up_where_the_platform_can(asking: World, carried_out: bool) -> None:
    if carried_out:
        asking.shop.lose_reply()
    else:
        asking.shop.lose_reply_and_land_after(1e9)
    asking.push(command("A", "ship-1"))
    await asking.advance(60)
    assert asking.shop.op_ids == ["ship-1"]
    assert asking.row("\x01ship-1") is None
    assert asking.ledger() == {"received": 1, "applied": 1}


@pytest.mark.parametrize("status", [401, 429, 503, 422])
async def test_a_look_up_that_fails_never_lets_the_command_be_repeated(asking: World, status: int) -> None:
    asking.shop.lose_reply()
    for _ in range(3):
        asking.shop.status(status)
    asking.push(command("A", "ship-1"))
    await asking.advance(600)
    assert asking.shop.op_ids == ["ship-1"]
    assert [call["operation"] for call in asking.calls()].count("set") == 1


async def test_a_command_whose_reply_breaks_the_connector_is_in_doubt(
    asking: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(account: Account, write: Write) -> Flow:
        yield Request("POST", "set", "set", "/set", body=body(write), writes=True)
        raise KeyError("a defect")

    monkeypatch.setattr(asking.vendor, "write", write)
    asking.push(command("A", "ship-1"))
    await asking.advance(60)
    assert asking.shop.op_ids == ["ship-1"]
    assert asking.ledger() == {"received": 1, "applied": 1}


# ----------------------------------------------------------------------------------------------------- crashes


async def test_a_crash_before_the_intent_is_committed_sends_after_the_restart(world: World) -> None:
    world.push(task("A", 1))
    await world.kill()
    assert world.shop.requests == []
    await world.start()
    assert world.shop.log == [(key("A"), 1)]


async def test_a_crash_with_a_request_on_its_way_repeats_it_only_after_the_quarantine(world: World) -> None:
    world.shop.gate = asyncio.Event()
    world.push(task("A", 1))
    await breathe()
    assert len(world.shop.requests) == 1
    await world.kill()
    world.shop.gate = None
    await world.start()
    world.push(task("A", 2))
    await world.advance(34)
    assert len(world.shop.requests) == 1
    await world.advance(2)
    assert world.shop.log == [(key("A"), 2)]


async def test_a_crash_after_the_reply_and_before_the_commit_repeats_the_same_operation(world: World) -> None:
    world.push(task("A", 1))
    world.shard = dies_after(world, commits=1)
    await world.restart_on(world.shard)
    await breathe()
    assert world.shop.op_ids == [f"shop|{key('A')}|1"]
    world.shard = world.shard.crashed()
    await world.restart_on(world.shard)
    await world.advance(40)
    assert world.shop.op_ids == [f"shop|{key('A')}|1"] * 2
    assert world.ledger() == {"received": 1, "applied": 1}


class Dying(MemoryShard):
    """A shard that dies with a commit: it does not become durable and never returns."""

    left: int = 0

    def flush(self) -> None:
        if self.left > 0:
            super().flush()

    async def commit(self) -> None:
        if self.left <= 0:
            await asyncio.Event().wait()
        self.flush()
        self.left -= 1


def dies_after(world: World, *, commits: int) -> Dying:
    found = world.shard
    dying = Dying(found.number, found.rows, found.pending, found.committed)
    dying._rows_at_commit = found._rows_at_commit
    dying.left = commits
    return dying


@pytest.mark.parametrize("commits", range(9))
async def test_whatever_commit_is_the_last_one_versions_never_go_back_and_converge(commits: int) -> None:
    world = await World().start()
    world.push(task("A", 1), task("B", 1))
    world.shard = dies_after(world, commits=commits)
    await world.restart_on(world.shard)
    world.push(task("A", 2), task("B", 2))
    await breathe()
    world.shard = world.shard.crashed()
    await world.restart_on(world.shard)
    world.push(task("A", 2), task("B", 2))
    await world.advance(80)
    for name in ("A", "B"):
        versions = [version for subject, version in world.shop.log if subject == key(name)]
        assert versions == sorted(versions)
        assert world.shop.held[key(name)] == 2
        assert world.row(key(name)) is None
    assert intents(world) == 0
    book = world.ledger()
    assert book["received"] == sum(count for name, count in book.items() if name != "received")
    await world.stop()


async def test_a_request_does_not_leave_on_an_intent_that_grew_old(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalls, commits_at_send = [10.0], list[int]()
    commit, commits = world.shard.commit, list[float]()

    async def slow() -> None:
        world.clock.advance(stalls.pop() if stalls else 0.0)
        commits.append(world.waiter.now())
        await commit()

    def act(request: Request) -> Any:
        commits_at_send.append(len(commits))
        return world.shop.carry_out(request)

    monkeypatch.setattr(type(world.shard), "commit", lambda shard: slow())
    world.shop.script.append(act)
    world.push(task("A", 1))
    await breathe()
    assert commits_at_send == [2]


async def test_a_revoked_shard_waits_for_replies_that_are_on_their_way() -> None:
    world = World()
    world.settings = replace(world.settings, drain=5.0)
    await world.start()
    world.shop.gate = asyncio.Event()
    world.push(task("A", 1))
    await breathe()
    asyncio.get_running_loop().call_soon(world.shop.gate.set)
    await world.stop()
    assert world.row(key("A")) is None
    assert intents(world) == 0


async def test_a_quarantine_shorter_than_a_request_may_take_is_refused() -> None:
    with pytest.raises(Misconfigured, match="could land after"):
        Settings(request_timeout=20, limits=Limits(quarantine=20))


# ---------------------------------------------------------------------------------------- throttled and away


async def test_retry_after_is_obeyed_exactly_and_by_all_work_of_the_account(world: World) -> None:
    world.shop.status(429, retry_after="7")
    world.push(task("A", 1))
    await breathe()
    world.push(task("B", 1))
    await world.advance(6.999)
    assert sent(world) == [0.0]
    await world.advance(0.01)
    assert len(world.shop.log) == 2
    assert sent(world)[1] == min(sent(world)[1:]) == 7.0
    assert world.calls()[0]["outcome"] == "throttled"
    assert world.calls()[0]["retry_after_ms"] == 7000.0


async def test_retry_after_outlives_a_restart(world: World) -> None:
    world.shop.status(429, retry_after="3600")
    world.push(task("A", 1))
    await world.advance(1)
    await world.restart()
    world.push(task("B", 1))
    await world.advance(3598)
    assert len(world.shop.requests) == 1
    await world.advance(2)
    assert sorted(world.shop.log) == [(key("A"), 1), (key("B"), 1)]


async def test_what_was_learnt_of_a_quota_is_kept_for_the_next_owner(world: World) -> None:
    assert world.courier is not None
    world.shop.status(429)
    world.push(task("A", 1))
    await breathe()
    learnt = world.courier._lines["acme|shop"].pacer.snapshot()
    world.courier.close(world.shard)
    world.shard.flush()
    await world.restart()
    assert learnt["refill"] < 1000.0
    assert world.courier._lines["acme|shop"].pacer.snapshot()["refill"] == learnt["refill"]


async def test_how_much_waits_is_reported_at_every_tick(world: World) -> None:
    assert world.courier is not None
    world.shop.status(401)
    world.push(*(task(f"S{n}", 1) for n in range(7)))
    await world.advance(1)
    world.push(task("late", 1))
    world.courier.tick(world.shard)
    assert world.noted.waiting == 8


async def test_refused_credentials_pause_the_account_and_no_other() -> None:
    world = await World(accounts=("shop", "other")).start()
    world.shop.status(401)
    world.push(task("A", 1))
    await breathe()
    world.push(task("B", 1), task("C", 1, account="other"))
    await breathe()
    assert world.shop.log == [(key("C"), 1)]
    assert world.noted.stops == [("acme|shop", "unauthorised")]
    await world.advance(29)
    assert len(world.shop.requests) == 2
    await world.advance(2)
    assert {name for name, _ in world.shop.log} == {key("A"), key("B"), key("C")}
    assert world.noted.stops[-1] == ("acme|shop", "")
    assert world.ledger() == {"received": 2, "applied": 2}
    await world.stop()


async def test_credentials_that_stay_refused_are_tried_by_one_request_every_half_minute(world: World) -> None:
    for _ in range(100):
        world.shop.status(401)
    world.push(*(task(f"S{n}", 1) for n in range(20)))
    await world.advance(120)
    assert len(world.shop.requests) <= 4 + 4


async def test_a_vendor_that_is_away_is_asked_by_single_probes_and_everything_arrives_in_the_end(world: World) -> None:
    world.shop.away(40)
    world.push(*(task(f"S{n}", 1) for n in range(200)))
    await world.advance(60)
    assert len(world.shop.requests) < 40
    world.shop.script.clear()
    await world.advance(120)
    assert len(world.shop.held) == 200
    assert world.ledger() == {"received": 200, "applied": 200}


async def test_an_account_that_is_away_costs_its_neighbour_nothing() -> None:
    world = await World(accounts=("shop", "other")).start()
    world.shop.away(4)
    world.push(*(task(f"S{n}", 1) for n in range(4)))
    await breathe()
    world.push(*(task(f"S{n}", 1, account="other") for n in range(50)))
    await breathe()
    assert len(world.shop.log) == 50
    await world.stop()


async def test_what_is_urgent_overtakes_what_waits_for_the_bucket_until_the_last_moment() -> None:
    world = await World(rate=1.0).start()
    world.push(*(task(f"bulk{n}", 1, lane="bulk") for n in range(3)))
    await breathe()
    world.push(task("urgent", 1, lane="high"))
    await world.advance(5)
    assert [name for name, _ in world.shop.log[:2]] == [key("bulk0"), key("urgent")]
    assert sent(world) == [0.0, 1.0, 2.0, 3.0]
    await world.stop()


async def test_an_unknown_failure_of_the_engine_ends_the_work(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no such table")

    assert world.courier is not None
    monkeypatch.setattr(world.courier._table, "done", broken)
    world.push(task("A", 1))
    with pytest.raises(RuntimeError, match="no such table"):
        await asyncio.wait_for(world.worker(), 5)
