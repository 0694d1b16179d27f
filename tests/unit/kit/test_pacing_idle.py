"""An idle bucket shows no rival (what ran over was lost, not taken), and a busy machine loses no quota."""

from __future__ import annotations

import pytest

from connectors.kit.clock import ManualClock
from connectors.kit.contract import Feedback
from connectors.kit.pacing import LevelFeedback, Outcome
from connectors.shopify.fake.bucket import Bucket
from connectors.shopify.fake.options import Options


@pytest.mark.parametrize("every", [0.5, 1.0, 10.0])
@pytest.mark.parametrize("at_once", [1, 3])
def test_a_bucket_that_fills_up_between_calls_keeps_its_whole_refill(every: float, at_once: int) -> None:
    clock, pacer = ManualClock(0), LevelFeedback(100.0, 2000.0)
    bucket = Bucket(Options(), clock)
    for _ in range(40):
        clock.advance(every)
        for _ in range(at_once):
            pacer.start(clock.monotonic(), 10.0)
            bucket.take(10.0)
        said = bucket.throttle_status()
        told = Feedback(10.0, said["currentlyAvailable"], said["maximumAvailable"], said["restoreRate"])
        for _ in range(at_once):
            pacer.settle(clock.monotonic() + 0.05, 10.0, told, Outcome.ANSWERED)
    assert pacer.snapshot()["refill"] == 100.0


@pytest.mark.parametrize("late", [0.0, 0.01, 0.03])
def test_an_owner_that_wakes_up_late_each_time_uses_the_quota_all_the_same(late: float) -> None:
    """Every start waits for a timer, and on a busy machine timers are late by more than starts lie apart."""
    clock, pacer = ManualClock(0), LevelFeedback(500.0, 600.0, max_in_flight=64)
    options = Options(bucket=600.0, restore_rate=500.0)
    bucket = Bucket(options, clock)
    while clock.monotonic() < 20.0:
        ready = pacer.ready_at(clock.monotonic(), 10.0)
        if ready > clock.monotonic():
            clock.advance(ready - clock.monotonic() + late)
        pacer.start(clock.monotonic(), 10.0)
        assert bucket.take(10.0)
        said = bucket.throttle_status()
        told = Feedback(10.0, said["currentlyAvailable"], said["maximumAvailable"], said["restoreRate"])
        pacer.settle(clock.monotonic(), 10.0, told, Outcome.ANSWERED)
    assert bucket.stats.accepted_cost / bucket.stats.refill > 0.97
