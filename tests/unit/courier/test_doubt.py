"""Commands whose outcome nobody knows, and what the vendor gets when they are sent again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from connectors.kit.contract import Account, Flow, Request, Write, Written
from connectors.kit.errors import Conflict
from connectors.kit.operations import InDoubt, Operation
from schemas import topics
from schemas.entities import EntityType, Op
from streams.core import courier_rows as rows
from streams.core.desired import Status
from tests.unit.courier.shop import ScriptedPlatform, check
from tests.unit.courier.world import CODEC, PLATFORM, World, breathe, command, key, task

DAY = 86_400.0


class Keyed(ScriptedPlatform):
    """A platform whose commands carry a key that the vendor remembers for a day; bodies name when they were made."""

    declared = Operation(InDoubt.SAME_KEY, key_life=DAY)

    def operation(self, type: EntityType, op: Op) -> Operation | None:
        return self.declared

    def write(self, account: Account, write: Write) -> Flow:
        made_at = self.shop.clock.now()
        said = {"key": write.golden_key, "version": write.golden_version, "op_id": write.op_id, "made_at": made_at}
        name = write.op_id if "ship" in write.op_id else f"{write.op_id}#{write.golden_version}"
        headers, body = {"made-at": str(made_at)}, orjson.dumps(said)
        check((yield Request("POST", "set", "set", "/set", headers, body=body, writes=True, key=name)))
        return Written()


class Asked(Keyed):
    """... and that can be asked for a command."""

    def verify(self, account: Account, write: Write) -> Flow:
        check((yield Request("GET", "ops", "verify", "/ops")))
        return Written() if write.op_id in self.shop.op_ids else None


async def started(platform: type[Keyed], operation: Operation | None = None) -> World:
    world = World()
    vendor = platform(world.shop)
    vendor.declared = operation or Keyed.declared
    world.vendor = vendor
    return await world.start()


@pytest.fixture
async def keyed() -> AsyncIterator[World]:
    world = await started(Keyed)
    yield world
    await world.stop()


def bodies(world: World) -> list[bytes]:
    return [request.body for _, request in world.shop.requests if request.writes]


def operations(world: World) -> list[str]:
    return [call["operation"] for call in world.calls()]


def intent(world: World, row: str) -> rows.Intent | None:
    data = world.shard.rows.get(rows.key(rows.INTENT, "acme|shop", row))
    return None if data is None else rows.unpack_intent(data)


async def test_a_command_in_doubt_is_sent_again_with_the_same_key_and_the_same_bytes(keyed: World) -> None:
    keyed.shop.lose_reply()
    keyed.push(command("A", "ship-1"))
    await keyed.advance(60)
    assert len(bodies(keyed)) == 2
    assert bodies(keyed)[0] == bodies(keyed)[1]
    assert {request.key for _, request in keyed.shop.requests} == {"ship-1"}
    assert keyed.shop.requests[0][1].headers != keyed.shop.requests[1][1].headers
    assert keyed.ledger() == {"received": 1, "applied": 1}
    assert intent(keyed, "\x01ship-1") is None


async def test_a_command_that_was_refused_for_now_is_sent_again_with_the_bytes_of_its_first_attempt(
    keyed: World,
) -> None:
    keyed.shop.status(503)
    keyed.push(command("A", "ship-1"))
    await breathe()
    kept = intent(keyed, "\x01ship-1")
    assert kept is not None
    assert not kept.open
    await keyed.restart()
    await keyed.advance(10)
    assert len(bodies(keyed)) == 2
    assert bodies(keyed)[0] == bodies(keyed)[1]


async def test_a_set_is_sent_again_as_it_should_be_now(keyed: World) -> None:
    keyed.shop.status(503)
    keyed.push(task("A", 1))
    await keyed.advance(10)
    first, second = bodies(keyed)
    assert first != second


async def test_a_key_the_vendor_has_forgotten_is_not_trusted(keyed: World) -> None:
    keyed.shop.lose_reply()
    keyed.push(command("A", "ship-1"))
    await breathe()
    await keyed.kill()
    keyed.clock.advance(0.95 * DAY)
    await keyed.start()
    await keyed.advance(60)
    assert len(bodies(keyed)) == 1
    row = keyed.row("\x01ship-1")
    assert row is not None
    assert (row.status, row.reason) == (Status.PARKED, "outcome_unknown")


async def test_the_first_use_of_a_key_counts_however_often_it_is_used_again(keyed: World) -> None:
    for _ in range(3):
        keyed.shop.lose_reply()
    keyed.push(command("A", "ship-1"))
    await breathe()
    first = intent(keyed, "\x01ship-1")
    await keyed.advance(80)
    later = intent(keyed, "\x01ship-1")
    assert first is not None
    assert later is not None
    assert later.sent_at > first.sent_at
    assert later.first_use == first.first_use == first.sent_at


async def test_a_forgotten_key_is_replaced_by_a_look_up_where_the_platform_can() -> None:
    world = await started(Asked, Operation(InDoubt.SAME_KEY, key_life=DAY, forgotten=InDoubt.VERIFY))
    world.shop.lose_reply()
    world.push(command("A", "ship-1"))
    await breathe()
    await world.kill()
    world.clock.advance(DAY)
    await world.start()
    await world.advance(60)
    assert operations(world) == ["set", "verify"]
    assert world.ledger() == {"received": 1, "applied": 1}
    await world.stop()


@pytest.mark.parametrize("status", [401, 429, 503, 422])
async def test_a_refused_repetition_says_nothing_about_the_first_attempt(keyed: World, status: int) -> None:
    keyed.shop.lose_reply()
    keyed.shop.status(status)
    keyed.push(command("A", "ship-1"))
    await keyed.advance(35.2)
    row, kept = keyed.row("\x01ship-1"), intent(keyed, "\x01ship-1")
    assert row is not None
    assert row.status in (Status.UNKNOWN, Status.PARKED)
    assert kept is not None
    assert kept.open


async def test_a_command_of_which_a_part_was_carried_out_is_in_doubt_whatever_comes_then() -> None:
    class TwoSteps(Asked):
        def write(self, account: Account, write: Write) -> Flow:
            yield from super().write(account, write)
            check((yield Request("GET", "after", "look", "/after")))
            return Written()

    world = await started(TwoSteps, Operation(InDoubt.VERIFY))
    world.shop.script.append(world.shop.carry_out)
    world.shop.status(503)
    world.push(command("A", "ship-1"))
    await world.advance(60)
    assert operations(world) == ["set", "look", "verify"]
    assert world.shop.op_ids == ["ship-1"]
    assert world.ledger() == {"received": 1, "applied": 1}
    await world.stop()


# ---------------------------------------------------------------------------------------- one open intent per entity


def open_intents(world: World) -> list[str]:
    """Entities with an open intent, once per intent."""
    held = []
    for row_key, data in world.shard.rows.scan(rows.INTENT):
        if rows.unpack_intent(data).open:
            found = world.row(rows.rest_of(row_key)[0])
            assert found is not None
            held.append(found.wanted.subject)
    return held


async def test_commands_of_one_entity_go_one_after_the_other_and_those_of_others_beside_them(keyed: World) -> None:
    keyed.shop.gate = asyncio.Event()
    keyed.push(command("A", "ship-2", 2), command("A", "ship-1", 1), command("B", "ship-3"))
    await breathe()
    assert len(keyed.shop.requests) == 2
    assert sorted(open_intents(keyed)) == [key("A"), key("B")]
    keyed.shop.gate.set()
    await breathe()
    assert sorted(keyed.shop.op_ids) == ["ship-1", "ship-2", "ship-3"]
    assert keyed.ledger() == {"received": 3, "applied": 3}


async def test_what_follows_a_command_in_doubt_waits_until_the_doubt_is_over(keyed: World) -> None:
    keyed.shop.lose_reply()
    keyed.push(command("A", "ship-1"))
    await breathe()
    keyed.push(command("A", "ship-2", 2), task("A", 3))
    await keyed.advance(10)
    await keyed.restart()
    await keyed.advance(24)
    assert keyed.shop.op_ids == ["ship-1"]
    assert open_intents(keyed) == [key("A")]
    await keyed.advance(30)
    assert keyed.shop.op_ids == ["ship-1", "ship-1", "ship-2", f"shop|{key('A')}|3"]
    assert keyed.ledger() == {"received": 3, "applied": 3}


async def test_what_follows_a_command_that_waits_for_a_person_waits_as_well() -> None:
    world = await started(Keyed, Operation(InDoubt.PERSON))
    world.shop.lose_reply()
    world.push(command("A", "ship-1"))
    await breathe()
    world.push(command("A", "ship-2", 2))
    await world.advance(100)
    await world.restart()
    await world.advance(100)
    assert world.shop.op_ids == ["ship-1"]
    world.push(verdict("\x01ship-1", "done"), topic=topics.tasks(PLATFORM))
    await world.advance(1)
    assert world.shop.op_ids == ["ship-1", "ship-2"]
    assert world.ledger() == {"received": 2, "applied": 2}
    await world.stop()


# ------------------------------------------------------------------------------------------------------- verdicts


def verdict(row: str, said: str, version: int = 1, **changes: Any) -> bytes:
    """A person's verdict as `sluice tasks resolve` writes it."""
    record: dict[str, Any] = {
        "tenant": "acme",
        "account": "shop",
        "platform": PLATFORM,
        "row": row,
        "version": version,
        "verdict": said,
        "by": "ada",
        "why": "looked at the shop",
        "decided_at": 0,
    }
    return CODEC.encode("task_verdict", {**record, **changes})


@pytest.fixture
async def parked() -> AsyncIterator[World]:
    """A command in doubt that waits for a person."""
    world = await started(Keyed, Operation(InDoubt.PERSON))
    world.shop.lose_reply()
    world.push(command("A", "ship-1"))
    await world.advance(60)
    assert world.ledger() == {"received": 1, "parked": 1}
    yield world
    await world.stop()


def judge(world: World, *verdicts: bytes) -> None:
    world.push(*verdicts, topic=topics.tasks(PLATFORM))


async def test_a_person_says_that_it_was_carried_out(parked: World) -> None:
    judge(parked, verdict("\x01ship-1", "done"))
    parked.push(command("A", "ship-1"))
    await parked.advance(60)
    assert parked.shop.op_ids == ["ship-1"]
    assert parked.row("\x01ship-1") is None
    assert intent(parked, "\x01ship-1") is None
    assert parked.ledger() == {"received": 2, "applied": 1, "no_op": 1}


async def test_a_person_has_it_sent_again_as_it_was_the_first_time(parked: World) -> None:
    judge(parked, verdict("\x01ship-1", "retry"))
    await parked.advance(1)
    assert parked.shop.op_ids == ["ship-1", "ship-1"]
    assert bodies(parked)[0] == bodies(parked)[1]
    assert parked.ledger() == {"received": 1, "applied": 1}


async def test_a_person_gives_it_up_and_no_replay_brings_it_back(parked: World) -> None:
    judge(parked, verdict("\x01ship-1", "discard"))
    await parked.restart()
    parked.push(command("A", "ship-1"))
    await parked.advance(60)
    assert parked.shop.op_ids == ["ship-1"]
    (letter,) = parked.dead_letters()
    assert (letter["reason"], letter["original_value"]) == ("discarded", command("A", "ship-1"))
    assert "ada: looked at the shop" in letter["detail"]
    assert parked.ledger() == {"received": 2, "dead": 1, "no_op": 1}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (verdict("\x01ship-1", "done", version=7), "is parked in version 1 now"),
        (verdict("\x01ship-9", "done"), "is not there any more"),
        (verdict("\x01ship-1", "done", account="other"), "is not there any more"),
    ],
)
async def test_a_verdict_about_something_else_changes_nothing(parked: World, said: bytes, words: str) -> None:
    judge(parked, said)
    (letter,) = parked.dead_letters()
    assert letter["reason"] == "stale_verdict"
    assert words in letter["detail"]
    assert parked.ledger() == {"received": 1, "parked": 1}


async def test_the_second_of_two_verdicts_is_a_dead_letter(parked: World) -> None:
    judge(parked, verdict("\x01ship-1", "done"), verdict("\x01ship-1", "discard"))
    assert [letter["reason"] for letter in parked.dead_letters()] == ["stale_verdict"]
    assert parked.ledger() == {"received": 1, "applied": 1}


@pytest.mark.parametrize("said", [b"", b"\x00\x00\x00\x00\x63x", verdict("\x01ship-1", "unknown")])
async def test_a_verdict_that_cannot_be_read_is_a_dead_letter(parked: World, said: bytes) -> None:
    judge(parked, said)
    assert [letter["reason"] for letter in parked.dead_letters()] == ["undecodable"]
    assert parked.ledger() == {"received": 1, "parked": 1}


# --------------------------------------------------------------------------------------- what is not worth sending


async def test_what_has_expired_is_a_dead_letter_and_not_sent() -> None:
    world = await World().start()
    world.shop.status(503)
    soon = world.clock.now() + 100_000
    world.push(task("A", 1, expires_at=soon), task("B", 1))
    await world.advance(30)
    assert world.shop.log == [(key("B"), 1)]
    (letter,) = world.dead_letters()
    assert letter["reason"] == "expired"
    assert world.ledger() == {"received": 2, "applied": 1, "dead": 1}
    await world.stop()


def hold(world: World, seconds: float) -> None:
    """Nobody may write stock levels for so long."""
    assert world.courier is not None
    (line,) = world.courier._lines.values()
    line.breaker_of("write:inventory_level").trip(world.waiter.now() + seconds, "away")


def tick(world: World) -> None:
    assert world.courier is not None
    world.courier.tick(world.shard)
    world.shard.flush()


async def test_what_expires_behind_an_open_breaker_is_a_dead_letter_when_it_is_due() -> None:
    world = await World().start()
    hold(world, 60.0)
    world.push(task("A", 1, expires_at=world.clock.now() + 10_000_000), command("B", "ship-1"))
    await world.advance(9)
    tick(world)
    assert world.dead_letters() == []
    await world.advance(1)
    tick(world)
    (letter,) = world.dead_letters()
    assert (letter["reason"], key("A") in letter["detail"]) == ("expired", True)
    assert world.ledger() == {"received": 2, "applied": 1, "dead": 1}
    await world.advance(120)
    tick(world)
    assert len(world.dead_letters()) == 1
    assert world.shop.log == [(key("B"), 1)]
    await world.stop()


async def test_what_expires_while_nothing_may_be_sent_is_told_of_after_a_restart_as_well() -> None:
    world = await World().start()
    world.shop.status(429, retry_after="60")
    world.push(task("B", 1))
    await breathe()
    world.push(task("A", 1, expires_at=world.clock.now() + 10_000_000))
    await world.restart()
    await world.advance(10)
    tick(world)
    assert [letter["reason"] for letter in world.dead_letters()] == ["expired"]
    assert len(world.shop.requests) == 1
    await world.stop()


async def test_what_expires_behind_what_is_in_doubt_is_told_of_when_that_is_settled(keyed: World) -> None:
    keyed.shop.lose_reply()
    keyed.push(command("A", "ship-1"))
    await breathe()
    keyed.push(task("A", 2, expires_at=keyed.clock.now() + 1_000_000))
    for _ in range(30):
        await keyed.advance(1)
        tick(keyed)
    assert keyed.dead_letters() == []
    await keyed.advance(10)
    tick(keyed)
    assert [letter["reason"] for letter in keyed.dead_letters()] == ["expired"]
    assert keyed.shop.op_ids == ["ship-1"] * 2


async def test_a_newer_version_that_does_not_expire_takes_the_place_of_one_that_does() -> None:
    world = await World().start()
    world.shop.status(503)
    world.push(task("A", 1, expires_at=world.clock.now() + 100_000))
    await breathe()
    world.push(task("A", 2))
    await world.advance(30)
    assert world.shop.log == [(key("A"), 2)]
    assert world.dead_letters() == []
    await world.stop()


async def test_an_expired_command_in_doubt_is_not_sent_again_to_find_out(keyed: World) -> None:
    keyed.shop.lose_reply()
    keyed.push(task("A", 1, kind="command", operation_id="ship-1", expires_at=keyed.clock.now() + 10_000_000))
    await keyed.advance(60)
    assert keyed.shop.op_ids == ["ship-1"]
    assert keyed.ledger() == {"received": 1, "parked": 1}


# -------------------------------------------------------------------------------------------------- retry budget


async def test_retries_add_no_more_to_the_load_of_an_account_than_their_budget() -> None:
    world = World()

    class Conflicting(ScriptedPlatform):
        def write(self, account: Account, write: Write) -> Flow:
            yield Request("POST", "set", "set", "/set", writes=True, body=b'{"key":"","version":0,"op_id":""}')
            raise Conflict("changed in between")

    world.vendor = Conflicting(world.shop, max_in_flight=64, rate=100_000.0)
    await world.start()
    world.push(*(task(f"S{n}", 1) for n in range(500)))
    await world.advance(20)
    first, sent = 500, len(world.shop.requests)
    assert first + 250 < sent <= first + 0.2 * first + 100 + 20 * 10
    await world.stop()
