"""A courier that starts reads its rows in portions: what comes meanwhile must not get past what is in doubt."""

from __future__ import annotations

import asyncio

import pytest

from schemas.entities import Lane
from streams.core import courier_rows as rows
from streams.core.desired import Kind, Origin, Status, Task, Wanted
from streams.core.places import Place
from streams.courier.table import Table
from streams.shard.memory import MemoryRows
from tests.unit.courier.world import World, breathe, key, task

ACCOUNT = "acme|shop"
INTENDED = {"S03", "S04", "S09"}


def wanted(name: str) -> Wanted:
    origin = Origin("push", 0, 0)
    return Wanted(
        "acme", "shop", Kind.SET, name, 1, Lane.NORMAL, "stock", frozenset(), bytes(8), b"", 1, origin
    )  # fmt: skip


def stored() -> MemoryRows:
    """Ten rows of an account, three of them with an open intent, and rows of a neighbour."""
    found = MemoryRows()
    for account in (ACCOUNT, f"{ACCOUNT}2"):
        for number in range(10):
            name = f"S{number:02}"
            found.put(rows.key(rows.TASK, account, name), rows.pack_task(Task(wanted(name))))
            if name in INTENDED:
                intent = rows.Intent(name, f"shop|{name}|1", 1, b"", 1, 100.0)
                found.put(rows.key(rows.INTENT, account, name), rows.pack_intent(intent))
    return found


@pytest.mark.parametrize("most", [1, 2, 3, 5, 10, 11])
def test_rows_come_once_and_in_doubt_however_they_are_portioned(most: int) -> None:
    table, last, found = Table(stored()), "", list[tuple[str, Place]]()
    while portion := table.recover(ACCOUNT, 30.0, last, most):
        assert len(portion) <= most
        found += portion
        last = portion[-1][0]
    assert [row for row, _ in found] == [f"S{number:02}" for number in range(10)]
    kept = {row: table.get(ACCOUNT, row) for row, _ in found}
    assert {row for row, one in kept.items() if one and one.status is Status.UNKNOWN} == INTENDED
    assert {row: place.due for row, place in found} == {row: 130.0 if row in INTENDED else 0.0 for row, _ in found}


async def test_a_newer_version_that_comes_before_the_rows_are_read_waits_for_the_one_in_doubt() -> None:
    world = await World().start()
    world.shop.gate = asyncio.Event()
    world.push(task("A", 1))
    await breathe()
    assert len(world.shop.requests) == 1
    await world.kill()
    world.shop.gate = None
    courier = asyncio.create_task(world.start())
    await asyncio.sleep(0)
    assert world.row(key("A")) is not None
    world.push(task("A", 2), task("B", 1))
    await courier
    await world.advance(34)
    assert world.shop.log == [(key("B"), 1)]
    await world.advance(2)
    assert world.shop.log == [(key("B"), 1), (key("A"), 2)]
    assert world.ledger()["received"] == 3
    await world.stop()
