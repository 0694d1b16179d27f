"""Sets and commands: what reaches the shop, in which order, and what is said of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.kit.contract import Request
from schemas import topics
from streams.core import courier_rows as rows
from streams.core.desired import Status
from tests.unit.courier.world import PLATFORM, Incoming, World, breathe, command, key, task


@pytest.fixture
async def world() -> AsyncIterator[World]:
    started = await World().start()
    yield started
    await started.stop()


async def test_a_task_is_written_once_and_its_row_goes(world: World) -> None:
    world.push(task("A", 7))
    await breathe()
    assert world.shop.log == [(key("A"), 7)]
    assert world.row(key("A")) is None
    assert world.ledger() == {"received": 1, "applied": 1}


async def test_every_request_is_recorded_with_operation_version_and_outcome(world: World) -> None:
    world.push(task("A", 7))
    await breathe()
    (call,) = world.calls()
    assert (call["op_id"], call["golden_version"]) == (f"shop|{key('A')}|7", 7)
    assert (call["outcome"], call["status"], call["attempt"], call["lane"]) == ("success", 200, 1, "normal")


async def test_a_version_that_is_held_already_is_not_written_again(world: World) -> None:
    world.push(task("A", 7))
    await breathe()
    world.push(task("A", 7), task("A", 6))
    await breathe()
    assert world.shop.log == [(key("A"), 7)]
    assert world.ledger() == {"received": 3, "applied": 1, "no_op": 2}


async def test_a_second_flow_of_the_same_version_still_moves_its_own_fields(world: World) -> None:
    world.push(task("A", 7))
    await breathe()
    world.push(task("A", 7, flow="policy", fields=["policy"]))
    await breathe()
    assert len(world.shop.log) == 2


async def test_what_waits_coalesces_to_the_newest_version(world: World) -> None:
    world.push(task("A", 1), task("A", 3), task("A", 2))
    await breathe()
    assert world.shop.log == [(key("A"), 3)]
    assert world.ledger() == {"received": 3, "applied": 1, "coalesced": 2}


async def test_a_newer_version_waits_for_the_one_in_flight(world: World) -> None:
    world.shop.gate = asyncio.Event()
    world.push(task("A", 1))
    await breathe()
    world.push(task("A", 2), task("A", 3))
    await breathe()
    assert len(world.shop.requests) == 1
    world.shop.gate.set()
    await breathe()
    assert world.shop.log == [(key("A"), 1), (key("A"), 3)]
    assert world.ledger() == {"received": 3, "applied": 2, "coalesced": 1}


async def test_no_request_leaves_before_its_intent_is_committed(world: World) -> None:
    committed: list[bool] = []

    def act(request: Request) -> Any:
        committed.append(any(row[:1] == rows.INTENT for row in world.shard._rows_at_commit))
        return world.shop.carry_out(request)

    world.shop.script.append(act)
    world.push(task("A", 1))
    await breathe()
    assert committed == [True]


async def test_different_entities_are_written_together_up_to_the_budget(world: World) -> None:
    world.shop.gate = asyncio.Event()
    world.push(*(task(f"S{n}", 1) for n in range(9)))
    await breathe()
    assert len(world.shop.requests) == 4
    world.shop.gate.set()
    await breathe()
    assert len(world.shop.log) == 9


async def test_a_refused_record_goes_to_the_dead_letters_with_the_vendors_words(world: World) -> None:
    world.shop.status(422, b"quantity must be positive")
    world.push(task("A", 1), task("B", 1))
    await breathe()
    (letter,) = world.dead_letters()
    assert "quantity must be positive" in letter["detail"]
    assert letter["original_value"] == task("A", 1)
    assert (letter["stage"], letter["reason"], letter["source_offset"]) == ("courier", "invalid", 0)
    assert world.shop.log == [(key("B"), 1)]
    assert world.ledger() == {"received": 2, "applied": 1, "dead": 1}


async def test_a_newer_version_revives_what_was_dead(world: World) -> None:
    world.shop.status(422, b"no")
    world.push(task("A", 1))
    await breathe()
    world.push(task("A", 2))
    await breathe()
    assert world.shop.log == [(key("A"), 2)]
    assert world.row(key("A")) is None


async def test_an_undecodable_record_is_a_dead_letter_and_the_batch_goes_on(world: World) -> None:
    world.push(b"junk", task("A", 1))
    await breathe()
    (letter,) = world.dead_letters()
    assert (letter["reason"], letter["original_value"]) == ("undecodable", b"junk")
    assert world.shop.log == [(key("A"), 1)]


async def test_a_record_that_killed_the_process_is_a_dead_letter_without_being_looked_into(world: World) -> None:
    assert world.courier is not None
    assert world.courier.divert(world.shard, topics.push(PLATFORM), Incoming(7, task("A", 1)), 2) is None
    await world.shard.commit()
    (letter,) = world.dead_letters()
    assert (letter["stage"], letter["reason"], letter["source_offset"]) == ("courier", "poison", 7)
    assert letter["original_value"] == task("A", 1)
    await breathe()
    assert world.shop.log == []


async def test_work_for_an_unknown_account_is_a_dead_letter(world: World) -> None:
    world.push(task("A", 1, account="gone"))
    (letter,) = world.dead_letters()
    assert letter["reason"] == "unknown_account"
    assert "gone" in letter["detail"]


async def test_what_the_platform_does_not_support_is_filtered(world: World) -> None:
    world.push(task("A", 1, golden_key="acme|order|1", op="delete"))
    await breathe()
    assert world.ledger() == {"received": 1, "filtered": 1}
    assert world.shop.requests == []


async def test_a_command_is_carried_out_once_however_often_it_is_asked(world: World) -> None:
    world.push(command("A", "ship-1"), command("A", "ship-1"), command("A", "ship-2"))
    await breathe()
    world.push(command("A", "ship-1"))
    await breathe()
    assert world.shop.op_ids == ["ship-1", "ship-2"]
    assert world.ledger() == {"received": 4, "applied": 2, "no_op": 2}


async def test_the_bulk_topic_gives_way(world: World) -> None:
    world.shop.gate = asyncio.Event()
    world.push(*(task(f"first{n}", 1) for n in range(4)))
    await breathe()
    world.push(*(task(f"bulk{n}", 1, lane="high") for n in range(4)), topic=topics.push_bulk(PLATFORM))
    world.push(*(task(f"live{n}", 1, lane="normal") for n in range(4)))
    world.shop.gate.set()
    await breathe()
    last = [name for name, _ in world.shop.log[4:]]
    assert last[:4] == [key(f"live{n}") for n in range(4)]


async def test_a_missing_link_parks_the_row_and_its_appearance_wakes_it(world: World) -> None:
    world.links.everything = False
    world.push(task("A", 1))
    await world.advance(120)
    row = world.row(key("A"))
    assert row is not None
    assert (row.status, row.reason) == (Status.PARKED, "unlinked")
    assert world.shop.requests == []
    assert world.ledger() == {"received": 1, "parked": 1}
    world.links.known[key("A")] = "4711"
    await world.advance(31)
    assert world.shop.log == [(key("A"), 1)]
    assert world.ledger() == {"received": 1, "applied": 1}


async def test_a_parked_row_is_not_tried_again_before_its_link_changes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.links.everything = False
    world.push(task("A", 1))
    await world.advance(120)
    tried: list[object] = []
    monkeypatch.setattr(world.vendor, "write", lambda account, write: tried.append(write))
    await world.advance(600)
    assert tried == []


async def test_a_defect_in_a_connector_costs_one_record_and_not_the_account(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = world.vendor.write

    def write(account: object, write: object) -> object:
        if getattr(write, "golden_key", "") == key("A"):
            raise KeyError("a defect")
        return good(account, write)  # type: ignore[arg-type]

    monkeypatch.setattr(world.vendor, "write", write)
    world.push(task("A", 1), task("B", 1))
    await world.advance(60)
    assert world.shop.log == [(key("B"), 1)]
    (letter,) = world.dead_letters()
    assert letter["reason"] == "internal_error"
    assert "a defect" in letter["detail"]
