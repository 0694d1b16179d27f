"""One account's line: classes that break apart, buckets beside the own one, lanes, learnt costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from connectors.kit.contract import Account, Budget, Feedback, Flow, Request, Response, Write, Written
from schemas import topics
from schemas.entities import Lane
from streams.core import courier_rows as rows
from streams.core.breaker import CAP, THRESHOLD
from streams.core.hours import Hours
from streams.core.lanes import Lanes
from streams.core.livelag import BEHIND, CAUGHT_UP, SILENCE
from streams.courier.line import endpoint_class
from streams.courier.processor import NOTE_INTERVAL
from tests.unit.courier.shop import ScriptedPlatform, Shop, body, check
from tests.unit.courier.world import PLATFORM, START, World, fetch, key, task


@pytest.fixture
async def world() -> AsyncIterator[World]:
    started = await World(max_in_flight=1).start()
    yield started
    await started.stop()


def seconds(world: World, path: str = "") -> list[float]:
    """When requests whose path starts so left, in seconds since the start."""
    found = [at for at, request in world.shop.requests if request.path.startswith(path)]
    return [round(at - START / 1e6, 3) for at in found]


def answers(world: World, reply: Callable[[Request], tuple[int, Mapping[str, str], bytes] | None]) -> None:
    """Requests are answered so; None: as usual."""
    usual = world.shop.carry_out
    world.shop.carry_out = lambda request: reply(request) or usual(request)  # type: ignore[method-assign,assignment,return-value]


def pushed(world: World, prefix: str, number: int, **changes: Any) -> None:
    world.push(*(task(f"{prefix}{index}", 1, **changes) for index in range(number)))


def fetched(world: World, number: int) -> None:
    world.push(*(fetch("product", f"p{index}") for index in range(number)), topic=topics.fetch(PLATFORM))


def test_what_may_fail_together_is_one_class() -> None:
    assert endpoint_class(key("A"), "set:stock") == endpoint_class(key("B"), "set:other") == "write:inventory_level"
    assert endpoint_class("\x02product|12", "fetch:hint") == "read:product"
    assert endpoint_class("\x03orders", "poll:orders") == "poll:orders"
    assert endpoint_class("\x01op-1", "command:ship") == "command:ship"


# ------------------------------------------------------------------------------------------------ what is broken


async def test_an_endpoint_that_fails_does_not_stop_the_others(world: World) -> None:
    answers(world, lambda request: (503, {}, b"") if request.path.startswith("product") else None)
    pushed(world, "before", 1)
    await world.advance(1)
    fetched(world, 40)
    await world.advance(10)
    pushed(world, "S", 20)
    await world.advance(0.5)
    assert len(world.shop.log) == 21
    assert THRESHOLD < len(seconds(world, "product")) <= THRESHOLD + 11
    assert world.noted.stops == []


async def test_the_probe_of_a_class_is_its_most_urgent_row(world: World) -> None:
    answers(world, lambda _: (503, {}, b"") if world.waiter.now() < START / 1e6 + 20 else None)
    pushed(world, "slow", 30, lane="bulk")
    await world.advance(8)
    pushed(world, "urgent", 1, lane="high")
    tried = len(world.shop.requests)
    await world.advance(CAP)
    probe = world.shop.requests[tried][1]
    assert b"urgent" in probe.body


async def test_what_was_away_is_in_full_use_again_within_five_seconds() -> None:
    world = await World(max_in_flight=8).start()
    answers(world, lambda _: (503, {}, b"") if world.waiter.now() < START / 1e6 + 60 else None)
    pushed(world, "S", 200)
    await world.advance(60)
    assert len(world.shop.log) == 0
    assert len(world.shop.requests) <= 8 + 60 / (0.8 * CAP) + 4
    await world.advance(5)
    assert len(world.shop.log) >= 150
    await world.stop()


class SlowShop(Shop):
    """Answers, but late."""

    late_by = 12.0

    async def send(self, account: Account, request: Request, seconds: float, /) -> Response:
        reply = await super().send(account, request, seconds)
        return replace(reply, received_at=reply.started_at + round(self.late_by * 1e6))


async def test_calls_that_take_longer_than_half_of_their_time_count_as_failures(world: World) -> None:
    world.shop.__class__ = SlowShop
    pushed(world, "S", 50)
    await world.advance(0.5)
    assert len(world.shop.log) == THRESHOLD
    assert world.noted.stops == [("acme|shop", "slow")]


# ------------------------------------------------------------------------------------------------ buckets


class Metered(ScriptedPlatform):
    """Charges writes to a bucket beside the account's own; a kind of write costs another price than is guessed."""

    actual = 1.0
    malformed = 0

    def __init__(self, shop: Shop, **options: Any) -> None:
        super().__init__(shop, **options)
        writes = Budget("rate", 1.0, 2.0, 16)
        self._budget = replace(self._budget, also={"writes": writes})

    def write(self, account: Account, write: Write) -> Flow:
        sent = Request("POST", "set", "set", "/set", body=body(write), writes=True, cost=10.0, charges={"writes": 1.0})
        check((yield sent))
        return Written()

    def fetch(self, account: Account, resource: str, remote_id: str) -> Flow:
        check((yield Request("GET", f"{resource}/{remote_id}", "fetch", f"/{resource}", charges={"writes": 0.0})))
        return []

    def feedback(self, request: Request, response: Response) -> Feedback:
        return Feedback(cost=self.actual if request.writes else None, malformed=self.malformed)


@pytest.fixture
async def metered() -> AsyncIterator[World]:
    world = World(rate=1000.0, max_in_flight=8)
    world.vendor = Metered(world.shop)
    await world.start()
    yield world
    await world.stop()


async def test_an_empty_bucket_holds_only_what_is_charged_to_it(metered: World) -> None:
    fetched(metered, 3)
    await metered.advance(0.1)
    pushed(metered, "S", 10)
    await metered.advance(0.1)
    fetched(metered, 30)
    await metered.advance(2)
    assert len(seconds(metered, "product")) >= 30
    assert len(metered.shop.log) <= 4
    await metered.advance(10)
    assert len(metered.shop.log) == 10


async def test_less_urgent_work_does_not_empty_the_bucket_that_urgent_work_waits_for(metered: World) -> None:
    pushed(metered, "first", 2)
    await metered.advance(0.1)
    pushed(metered, "bulk", 5, lane="bulk", flow="other", type="price")
    pushed(metered, "urgent", 2, lane="high")
    await metered.advance(2.2)
    assert [name.split("|")[-1].split("~")[0] for name, _ in metered.shop.log[1:3]] == ["urgent0", "urgent1"]


async def test_a_request_is_charged_what_its_kind_was_charged_before(metered: World) -> None:
    for number in range(4):
        pushed(metered, f"S{number}", 1)
        await metered.advance(3)
    assert [request.cost for _, request in metered.shop.requests] == pytest.approx([10.0, 1.0, 1.0, 1.0])


async def test_headers_that_make_no_sense_are_counted(metered: World) -> None:
    assert isinstance(metered.vendor, Metered)
    metered.vendor.malformed = 2
    pushed(metered, "S", 1)
    await metered.advance(1)
    assert metered.noted.malformed_headers == 2


async def test_what_was_spent_of_a_quota_survives_a_crash(world: World) -> None:
    pushed(world, "S", 3)
    await world.advance(NOTE_INTERVAL + 1)
    assert world.courier is not None
    world.courier.tick(world.shard)
    stored = world.shard.rows.get(rows.key(rows.BUCKET, "acme|shop"))
    assert stored is not None
    assert rows.unpack_bucket(stored).learnt["level"] < 1000


# ------------------------------------------------------------------------------------------------ lanes


async def test_urgent_work_finds_a_place_while_slow_replies_keep_others_waiting() -> None:
    world = await World(max_in_flight=8).start()
    world.shop.gate = asyncio.Event()
    pushed(world, "bulk", 30, lane="bulk")
    await world.advance(1)
    assert len(world.shop.requests) == 7
    pushed(world, "urgent", 1, lane="high")
    await world.advance(0.1)
    assert b"urgent" in world.shop.requests[-1][1].body
    world.shop.gate.set()
    await world.stop()


async def test_bulk_work_waits_while_live_work_is_not_all_read(world: World) -> None:
    live = topics.push(PLATFORM)
    world.shard.behind[live] = BEHIND + 1
    pushed(world, "S", 1)
    world.push(task("B", 1), topic=topics.push_bulk(PLATFORM))
    await world.advance(1)
    assert [name for name, _ in world.shop.log] == [key("S0")]
    assert world.noted.bulk == [BEHIND + 1]
    world.shard.behind[live] = CAUGHT_UP + 1
    pushed(world, "T", 1)
    await world.advance(1)
    assert [name for name, _ in world.shop.log] == [key("S0"), key("T0")]
    world.shard.behind[live] = CAUGHT_UP
    pushed(world, "U", 1)
    await world.advance(1)
    assert [name for name, _ in world.shop.log][3:] == [key("B")]
    assert world.noted.bulk == [BEHIND + 1, CAUGHT_UP + 1, 0]


async def test_bulk_work_goes_on_when_nothing_more_of_the_live_work_can_be_read(world: World) -> None:
    world.shard.behind[topics.fetch(PLATFORM)] = BEHIND + 1
    world.push(fetch("stock", "1"), topic=topics.fetch(PLATFORM))
    world.push(task("B", 1), topic=topics.push_bulk(PLATFORM))
    assert world.courier is not None
    await world.advance(SILENCE - 1)
    world.courier.tick(world.shard)
    await world.advance(0.5)
    assert not world.shop.log
    await world.advance(1)
    world.courier.tick(world.shard)
    await world.advance(0.1)
    assert [name for name, _ in world.shop.log] == [key("B")]


async def test_bulk_work_that_is_behind_holds_nobody_up(world: World) -> None:
    world.shard.behind[topics.push_bulk(PLATFORM)] = BEHIND + 1
    world.push(task("B", 1), topic=topics.push_bulk(PLATFORM))
    await world.advance(1)
    assert [name for name, _ in world.shop.log] == [key("B")]


async def test_a_row_keeps_its_highest_lane_when_it_is_coalesced() -> None:
    world = await World(max_in_flight=1).start()
    world.shop.gate = asyncio.Event()
    pushed(world, "first", 1)
    await world.advance(0.1)
    pushed(world, "other", 1)
    world.push(task("A", 1, lane="high"))
    world.push(task("A", 2, lane="bulk"))
    row = world.row(key("A"))
    assert row is not None
    assert (row.wanted.version, row.wanted.lane) == (2, Lane.HIGH)
    world.shop.gate.set()
    await world.advance(1)
    assert [name for name, _ in world.shop.log] == [key("first0"), key("A"), key("other0")]
    await world.stop()


async def test_a_flow_outside_its_hours_waits_for_them() -> None:
    world = World()
    now = START / 1e6 % 86_400
    world.lanes = {"acme|shop": Lanes(hours={"set:texts": Hours([(now + 60, now + 120)])})}
    await world.start()
    world.push(task("T", 1, flow="texts"), task("P", 1))
    await world.advance(59)
    assert [name for name, _ in world.shop.log] == [key("P")]
    await world.advance(2)
    assert [name for name, _ in world.shop.log] == [key("P"), key("T")]
    await world.stop()
