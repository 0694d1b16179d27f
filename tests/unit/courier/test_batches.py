"""Sets that wait together go in one call, each with an intent, an outcome and a place in the ledger of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest

from connectors.kit.contract import Account, Flow, Request, Write, Written
from connectors.kit.errors import Conflict, Invalid, OutcomeUnknown, SluiceError
from connectors.kit.operations import Batch
from streams.core import courier_rows as rows
from streams.core.desired import Status
from tests.unit.courier.shop import ScriptedPlatform, body, check
from tests.unit.courier.world import World, breathe, command, key, task


class Together(ScriptedPlatform):
    """Takes up to four sets in one call; the shop refuses `refused` and with it the whole call."""

    refused: frozenset[str] = frozenset()
    calls: list[list[str]]

    def batch(self, account: Account, write: Write) -> Batch | None:
        return Batch("all", 4) if write.remote_id else None

    def write_all(self, account: Account, writes: Sequence[Write]) -> Flow:
        self.calls.append([write.golden_key for write in writes])
        bodies = [body(write) for write in writes]
        check((yield Request("POST", "sets", "sets", "/sets", body=b"\n".join(bodies), writes=True, key="batch")))
        if not self.refused & {write.golden_key for write in writes}:
            for said in bodies:
                self.shop.carry_out(Request("POST", "", "", "", body=said, writes=True))
            return [Written() for _ in writes]
        return [self._refusal(write) for write in writes]

    def _refusal(self, write: Write) -> SluiceError:
        return Invalid("no such level") if write.golden_key in self.refused else Conflict("not set with the others")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    started = World(max_in_flight=8, rate=1.0)
    vendor = Together(started.shop, max_in_flight=8, rate=1.0)
    vendor.calls = []
    started.vendor = vendor
    yield await started.start()
    await started.stop()


def calls(world: World) -> list[list[str]]:
    assert isinstance(world.vendor, Together)
    return [[name.split("|")[2].removesuffix("~main") for name in one] for one in world.vendor.calls]


def swallow(world: World, times: int = 1) -> None:
    """The next calls are answered by a shop that leaves carrying out to the platform."""
    world.shop.script.extend([lambda request: (200, {}, b"")] * times)


async def test_what_waits_for_the_bucket_goes_in_one_call(world: World) -> None:
    swallow(world, 9)
    world.push(*(task(f"S{n}", 1) for n in range(9)))
    await world.advance(5)
    assert [len(one) for one in calls(world)] == [4, 4]
    assert world.ledger() == {"received": 9, "applied": 9}
    assert len(world.calls()) == 3


async def test_one_that_is_refused_dies_alone_and_the_others_are_sent(world: World) -> None:
    assert isinstance(world.vendor, Together)
    world.vendor.refused = frozenset({key("S1")})
    swallow(world)
    world.push(*(task(f"S{n}", 1) for n in range(4)))
    await world.advance(30)
    (letter,) = world.dead_letters()
    assert (letter["reason"], "S1" in letter["detail"], "no such level" in letter["detail"]) == ("invalid", True, True)
    assert sorted(world.shop.held) == [key("S0"), key("S2"), key("S3")]
    assert world.ledger() == {"received": 4, "applied": 3, "dead": 1}
    assert len(calls(world)) == 1, "what was refused once goes alone"


async def test_every_set_of_a_lost_call_is_in_doubt_and_repeated_on_its_own(world: World) -> None:
    world.shop.script.append(_lost)
    world.push(*(task(f"S{n}", 1) for n in range(3)))
    await breathe()
    open_ = [rows.unpack_intent(data) for _, data in world.shard.rows.scan(rows.INTENT)]
    assert {one.op_id for one in open_} == {f"shop|{key(f'S{n}')}|1" for n in range(3)}
    assert {one.vendor_key for one in open_} == {"batch"}
    world.push(task("S1", 2))
    await world.restart()
    await world.advance(34)
    assert world.shop.log == []
    await world.advance(20)
    assert sorted(world.shop.log) == [(key("S0"), 1), (key("S1"), 2), (key("S2"), 1)]
    assert world.ledger() == {"received": 4, "coalesced": 1, "applied": 3}


def _lost(request: Request) -> tuple[int, dict[str, str], bytes]:
    raise OutcomeUnknown("no reply came")


async def test_a_throttled_call_gives_all_of_its_sets_back(world: World) -> None:
    world.shop.status(429, retry_after="7")
    world.push(*(task(f"S{n}", 1) for n in range(3)))
    await breathe()
    found = [world.row(key(f"S{n}")) for n in range(3)]
    assert [(row.status, row.reason) for row in found if row] == [(Status.READY, "throttled")] * 3
    await world.advance(20)
    assert world.ledger() == {"received": 3, "applied": 3}


async def test_commands_what_expired_and_other_flows_do_not_come_along(world: World) -> None:
    swallow(world)
    gone = world.clock.now() - 1
    world.push(
        task("S0", 1),
        task("S1", 1),
        command("C", "ship-1"),
        task("S2", 1, flow="other"),
        task("S3", 1, expires_at=gone),
    )
    await world.advance(20)
    assert calls(world) == [["S0", "S1"]]
    assert world.ledger() == {"received": 5, "applied": 4, "dead": 1}


class Apart(Together):
    """Takes sets of one family in one call: those whose SKUs differ in a number. `asked`: for how many it was asked
    what they may share a call with."""

    asked = 0

    def batch(self, account: Account, write: Write) -> Batch | None:
        self.asked += 1
        return Batch(write.golden_key.split("|")[2].removesuffix("~main").rstrip("0123456789"), 4)


async def apart(*names: str) -> tuple[World, Apart]:
    """A world in which all of these wait at the same time."""
    world = World(max_in_flight=8, rate=1.0)
    vendor = Apart(world.shop, max_in_flight=8, rate=1.0)
    vendor.calls, world.vendor = [], vendor
    await world.start()
    swallow(world, len(names))
    world.push(*(task(name, 1) for name in names))
    await world.advance(len(names) + 5)
    await world.stop()
    return world, vendor


async def test_sets_of_several_groups_that_come_mixed_go_each_with_their_own() -> None:
    world, _ = await apart(*(f"{family}{n}" for n in range(4) for family in "ABC"))
    assert sorted(map(sorted, calls(world))) == [[f"{family}{n}" for n in range(4)] for family in "ABC"]
    assert world.ledger() == {"received": 12, "applied": 12}


async def test_sets_that_fit_no_other_are_looked_at_less_and_less() -> None:
    names = [f"{one}{other}" for one in "ABCDEFGH" for other in "ABCDEFGH"]
    world, vendor = await apart(*names)
    assert calls(world) == []
    assert world.ledger() == {"received": 64, "applied": 64}
    assert vendor.asked < len(names)


async def test_sets_that_go_together_are_found_behind_many_that_do_not() -> None:
    names = [f"{one}{other}" for one in "ABCDEFGH" for other in "ABCDEFGH"]
    world, _ = await apart(*names, *(f"Z{n}" for n in range(80)))
    assert sum(len(one) for one in calls(world)) >= 40
    assert world.ledger() == {"received": 144, "applied": 144}
