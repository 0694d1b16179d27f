"""The `calls` topic: every request to a vendor, what it cost, and how its bucket stands."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.kit.contract import Request
from connectors.kit.metrics import COURIER_BUCKET_RESTORE, COURIER_COST, COURIER_QUOTA_USED, Metrics
from connectors.kit.snapshots import buckets, used_share
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
    (pace,) = call["paces"]
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
    assert round((call["paces"][0]["blocked_until"]).timestamp() * 1e6) == START + 7_000_000
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
    assert world.calls()[-1]["paces"][0]["blocked_until"] is None
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


def test_a_quota_per_window_is_used_up_by_what_is_missing_of_it_and_a_refilling_bucket_is_not() -> None:
    metrics = Metrics()
    own = {"level": 40.0, "limit": 100.0, "refill": 2.5, "restore_rate": 10.0}
    Metered(metrics, "shopify").bucket(
        "acme|shop", {**own, "day/level": 150.0, "day/limit": 1000.0, "day/window": 86400.0}, 0.0
    )
    assert metrics.value(COURIER_QUOTA_USED, "shopify", "acme|shop", "day") == pytest.approx(0.85)
    assert (
        metrics.registry.get_sample_value(
            COURIER_QUOTA_USED.name, {"platform": "shopify", "account": "acme|shop", "quota": ""}
        )
        is None
    )


def test_the_numbers_of_further_buckets_are_told_apart_by_name() -> None:
    found = buckets({"level": 1.0, "per minute/level": 2.0, "a/b/level": 3.0})
    assert found == {"": {"level": 1.0}, "per minute": {"level": 2.0}, "a/b": {"level": 3.0}}


@pytest.mark.parametrize(
    ("numbers", "share"),
    [
        ({"level": 25.0, "limit": 100.0, "window": 60.0}, 0.75),
        ({"level": 200.0, "limit": 100.0, "window": 60.0}, 0.0),
        ({"level": -1.0, "limit": 100.0, "window": 60.0}, None),
        ({"level": 25.0, "limit": 100.0}, None),
        ({"level": 25.0, "limit": 0.0, "window": 60.0}, None),
    ],
)
def test_the_used_share_lies_between_nothing_and_all(numbers: dict[str, float], share: float | None) -> None:
    assert used_share(numbers) == share


async def test_a_call_says_how_every_bucket_stands_that_it_was_charged_to(monkeypatch: pytest.MonkeyPatch) -> None:
    world = await World().start()
    line = next(iter(world.courier._lines.values())) if world.courier else None
    assert line is not None
    own = line.pacer.snapshot()
    further = {
        "level": 7.0,
        "limit": 9.0,
        "refill": 0.1,
        "restore_rate": 0.1,
        "blocked_until": 0.0,
        "ends": START / 1e6 + 60,
    }
    monkeypatch.setattr(line.pacer, "snapshot", lambda: own | {f"day/{name}": value for name, value in further.items()})
    world.push(task("A", 1))
    await breathe()
    _, day = world.calls()[0]["paces"]
    assert (day["name"], day["cost"], day["level"], day["limit"]) == ("day", 1.0, 7.0, 9.0)
    assert round(day["ends_at"].timestamp() * 1e6) == START + 60_000_000
    await world.stop()
