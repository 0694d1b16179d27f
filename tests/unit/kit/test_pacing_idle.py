"""A bucket that is hardly used shows no rival: what it did not take because it was full was lost, not taken."""

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
