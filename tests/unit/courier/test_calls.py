"""The `calls` topic: every request to a vendor, what it cost, and how its bucket stands."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.kit.contract import Request
from connectors.kit.metrics import COURIER_BUCKET_RESTORE, COURIER_COST, Metrics
from schemas import topics
from streams.courier.role import Metered
from tests.unit.courier.test_trouble import WithLookUp
from tests.unit.courier.world import START, World, breathe, command, fetch, task

RATE = 1000.0  # of the scripted shop: units per second, and at once


async def test_polls_fetches_writes_and_look_ups_are_all_there_and_say_what_they_were_for() -> None:
    world = World()
    world.vendor = WithLookUp(world.shop)
    world.with_poller, world.vendor.resource_names = True, ("orders",)
    world.shop.pages["orders"] = [[]]
    await world.start()
    world.push(fetch("orders", "1"), topic=topics.fetch("shopify"))
    await breathe()
    world.push(task("A", 1))
    await breathe()
    world.shop.lose_reply()
    world.push(command("B", "ship-1"))
    await world.advance(58)
    purposes = [call["purpose"] for call in world.calls()]
    assert sorted(set(purposes)) == ["command", "fetch", "poll", "set", "verify"]
    assert len(purposes) == len(world.shop.requests)
    await world.stop()


async def test_a_call_says_how_its_bucket_stands_once_it_is_settled() -> None:
    world = await World().start()
    world.push(task("A", 1))
    await breathe()
    (call,) = world.calls()
    pace = call["pace"]
    assert pace["level"] == pytest.approx(RATE - 1, abs=0.01)
    assert (pace["limit"], pace["restore_rate"], pace["refill"], pace["blocked_until"]) == (RATE, RATE, RATE, None)
    assert call["restore_rate"] is None
    assert call["cost"] == 1.0
    await world.stop()


async def test_a_refused_call_costs_nothing_and_says_until_when_the_bucket_is_blocked() -> None:
    world = await World().start()
    world.shop.status(429, retry_after="7")
    world.push(task("A", 1))
    await breathe()
    call = world.calls()[0]
    assert call["cost"] == 0.0
    assert round((call["pace"]["blocked_until"]).timestamp() * 1e6) == START + 7_000_000
    await world.stop()


async def test_a_request_during_which_the_sender_breaks_is_a_call_all_the_same() -> None:
    world = await World().start()

    def broken(request: Request) -> Any:
        raise RuntimeError("a defect of the sender")

    world.shop.script.append(broken)
    world.push(task("A", 1))
    await breathe()
    call = world.calls()[0]
    assert (call["status"], call["outcome"], call["cost"]) == (0, "unknown", 1.0)
    await world.stop()


async def test_a_bucket_that_a_later_call_finds_open_is_not_said_to_be_blocked() -> None:
    world = await World().start()
    world.shop.status(429, retry_after="7")
    world.push(task("A", 1))
    await world.advance(10)
    assert world.calls()[-1]["outcome"] == "success"
    assert world.calls()[-1]["pace"]["blocked_until"] is None
    await world.stop()


def test_costs_and_the_advertised_refill_stand_in_the_metrics() -> None:
    metrics = Metrics()
    metered = Metered(metrics, "shopify")
    metered.spent("acme|shop", "poll", 12.0)
    metered.spent("acme|shop", "poll", 3.0)
    snapshot = {"level": 40.0, "limit": 100.0, "refill": 2.5, "restore_rate": 10.0}
    metered.bucket("acme|shop", snapshot, 0.0)
    assert metrics.value(COURIER_COST, "shopify", "acme|shop", "poll") == 15.0
    assert metrics.value(COURIER_BUCKET_RESTORE, "shopify", "acme|shop") == 10.0
