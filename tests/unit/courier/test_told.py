"""What the courier tells its recorder, and what becomes of it in the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from connectors.kit.contract import Account, Flow, Request, Write, Written
from connectors.kit.errors import Retry
from connectors.kit.metrics import (
    COURIER_BLOCKED_SECONDS,
    COURIER_BUCKET_LEVEL,
    COURIER_BUCKET_LIMIT,
    COURIER_BUCKET_REFILL,
    COURIER_PUSHES,
    COURIER_WAIT_SECONDS,
    PIPELINE_DEAD_LETTERS,
    Metrics,
)
from schemas import topics
from streams.courier.role import Metered
from tests.unit.courier.shop import ScriptedPlatform, body
from tests.unit.courier.world import Noted, World, breathe, fetch, key, task

SNAPSHOT = {"level": 40.0, "limit": 100.0, "refill": 2.5, "restore_rate": 10.0, "blocked_until": 0.0}


class Told(Noted):
    """A recorder that remembers buckets, waits and dead letters."""

    def __init__(self) -> None:
        super().__init__()
        self.buckets: list[tuple[str, Mapping[str, float], float]] = []
        self.waits: list[tuple[str, float]] = []
        self.dead: list[str] = []

    def bucket(self, account: str, snapshot: Mapping[str, float], blocked: float) -> None:
        self.buckets.append((account, snapshot, blocked))

    def waited(self, lane: str, seconds: float) -> None:
        self.waits.append((lane, round(seconds, 3)))

    def rejected(self, topic: str, reason: str) -> None:
        self.dead.append(reason)


async def listened(**options: Any) -> tuple[World, Told]:
    world, told = World(**options), Told()
    world.noted = told
    return await world.start(), told


def tick(world: World) -> None:
    assert world.courier is not None
    world.courier.tick(world.shard)


async def test_work_that_has_to_wait_for_the_bucket_is_told_with_its_wait() -> None:
    world, told = await listened(rate=1.0)
    world.push(task("A", 1), task("B", 1, lane="high"), task("C", 1))
    await world.advance(5)
    assert sorted(told.waits, key=lambda one: one[1]) == [("high", 0.0), ("normal", 1.0), ("normal", 2.0)]
    await world.stop()


async def test_the_wait_of_a_retry_begins_when_the_retry_is_due() -> None:
    world, told = await listened()
    world.shop.away()
    world.push(task("A", 1))
    await world.advance(60)
    assert len(world.shop.requests) == 2
    assert told.waits == [("normal", 0.0)] * 2
    await world.stop()


async def test_only_the_first_request_of_a_piece_of_work_has_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_two_steps(self: ScriptedPlatform, account: Account, write: Write) -> Flow:
        for _ in range(2):
            yield Request("POST", "set", "set", "/set", body=body(write), writes=True)
        return Written()

    monkeypatch.setattr(ScriptedPlatform, "write", in_two_steps)
    world, told = await listened()
    world.push(task("A", 1))
    await world.advance(1)
    assert len(world.shop.requests) == 2
    assert told.waits == [("normal", 0.0)]
    await world.stop()


async def test_a_newer_version_does_not_hide_how_long_the_row_has_waited() -> None:
    world, told = await listened(rate=1.0)
    world.push(*(task(sku, 1) for sku in "ABCD"))
    await world.advance(2.5)
    world.push(task("D", 2))
    await world.advance(5)
    assert [seconds for _, seconds in told.waits] == [0.0, 1.0, 2.0, 3.0]
    await world.stop()


async def test_a_tick_tells_how_the_buckets_stand_and_for_how_long_nothing_may_be_sent() -> None:
    world, told = await listened(rate=10.0)
    tick(world)
    account, snapshot, blocked = told.buckets[-1]
    assert (account, snapshot["level"], snapshot["limit"], snapshot["refill"], blocked) == ("acme|shop", 10, 10, 10, 0)
    world.shop.status(429, retry_after="30")
    world.push(task("A", 1))
    await world.advance(2)
    tick(world)
    assert told.buckets[-1][2] == pytest.approx(28.0, abs=0.01)
    await world.advance(40)
    tick(world)
    assert told.buckets[-1][2] == 0.0
    await world.stop()


async def test_buckets_are_told_once_a_second_however_often_it_ticks() -> None:
    world, told = await listened()
    for _ in range(25):
        tick(world)
        await world.advance(0.1)
    assert len(told.buckets) == 3
    await world.stop()


async def test_a_read_that_was_sent_and_never_answered_is_a_call() -> None:
    world, _ = await listened()

    def silence(request: Request) -> Any:
        raise Retry("fetch timed out", reason="timeout")

    world.shop.script.append(silence)
    world.push(fetch("orders", "1"), topic=topics.fetch("shopify"))
    await breathe()
    calls = [(one["operation"], one["status"], one["outcome"]) for one in world.calls()]
    assert calls == [("fetch", 0, "retry")]
    await world.stop()


async def test_work_that_dies_is_told_as_a_dead_letter() -> None:
    world, told = await listened()
    world.shop.status(422)
    world.push(task("A", 1))
    await breathe()
    assert told.dead == [one["reason"] for one in world.dead_letters()]
    assert len(told.dead) == 1
    assert world.row(key("A")) is not None
    await world.stop()


# ------------------------------------------------------------------------------------------------ metrics


def test_a_bucket_stands_in_the_gauges() -> None:
    metrics = Metrics()
    Metered(metrics, "shopify").bucket("acme|shop", SNAPSHOT, 7.0)
    gauges = (COURIER_BUCKET_LEVEL, COURIER_BUCKET_LIMIT, COURIER_BUCKET_REFILL, COURIER_BLOCKED_SECONDS)
    assert [metrics.value(one, "shopify", "acme|shop") for one in gauges] == [40.0, 100.0, 2.5, 7.0]


def test_waits_stand_in_the_histogram_of_their_lane() -> None:
    metrics = Metrics()
    metered = Metered(metrics, "shopify")
    metered.waited("high", 0.2)
    metered.waited("high", -0.001)
    assert metrics.value(COURIER_WAIT_SECONDS, "shopify", "high") == 2
    assert metrics.value(COURIER_WAIT_SECONDS, "shopify", "bulk") == 0


def test_pushes_are_counted_when_they_are_finished_and_only_under_documented_outcomes() -> None:
    metrics = Metrics()
    metered = Metered(metrics, "shopify")
    results = ("applied", "no_op", "filtered", "parked", "dead", "retry", "unknown", "paused")
    for result in results:
        metered.settled("acme|shop", "normal", result, 1.0)
    counted = [one for one in results if metrics.value(COURIER_PUSHES, "shopify", "acme|shop", one)]
    assert counted == ["applied", "no_op", "filtered", "parked", "dead"]
    assert all(one in COURIER_PUSHES.doc for one in counted)


def test_a_dead_letter_of_the_courier_is_counted_by_its_reason() -> None:
    metrics = Metrics()
    Metered(metrics, "shopify").rejected("push.shopify", "invalid")
    assert metrics.value(PIPELINE_DEAD_LETTERS, "courier", "invalid") == 1
