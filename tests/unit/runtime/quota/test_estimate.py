"""What levels and costs say: checked against the shipped shop's bucket, whose rival is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.clock import ManualClock
from connectors.shopify.fake.bucket import Bucket
from connectors.shopify.fake.options import Options
from streams.runtime.quota.estimate import (
    Sample,
    exhausted_at,
    level_at,
    net_refill,
    rival_share,
    trend,
    window_end,
)

SIZE = 2000.0


def replies(rate: float, rival: float, cost: float, every: float, count: int) -> list[Sample]:
    """What a shop that is asked every so many seconds says, from a full bucket on."""
    clock = ManualClock(0)
    options = Options(bucket=SIZE, restore_rate=rate, rival=rival)
    bucket = Bucket(options, clock)
    found = []
    for _ in range(count):
        clock.advance(every)
        charged = cost if bucket.take(cost) else 0.0
        now = clock.monotonic()
        found.append(Sample(now, now, charged, bucket.throttle_status()["currentlyAvailable"]))
    return found


@given(rate=st.floats(10, 1000), share=st.floats(0, 0.9), demand=st.floats(1.2, 3))
def test_the_net_refill_is_what_a_hidden_rival_leaves(rate: float, share: float, demand: float) -> None:
    told = replies(rate, rate * share, rate * demand / 4, 0.25, 200)
    net = net_refill(told, SIZE)
    assert net == pytest.approx(rate * (1 - share), abs=0.05 * rate + 0.1)
    assert rival_share(rate, net) == pytest.approx(share, abs=0.07)


@given(rate=st.floats(50, 1000), every=st.floats(1, 30))
def test_a_bucket_that_fills_up_between_calls_shows_no_rival(rate: float, every: float) -> None:
    assert net_refill(replies(rate, 0.0, 10.0, every, 50), SIZE) is None


def test_calls_under_way_together_from_a_full_bucket_show_no_rival() -> None:
    told = []
    for start in range(0, 100, 10):
        told += [Sample(start, start + 0.1 + index / 100, 10.0, SIZE - 30.0) for index in range(3)]
    assert net_refill(told, SIZE) is None


@pytest.mark.parametrize("levels", [[], [900.0], [900.0, 890.0]])
def test_too_few_levels_make_no_refill(levels: list[float]) -> None:
    told = [Sample(at * 10.0, at * 10.0, 10.0, level) for at, level in enumerate(levels)]
    assert net_refill(told, SIZE) is None
    assert trend(told) is None


def test_levels_of_less_than_two_seconds_make_no_refill() -> None:
    assert net_refill(replies(100.0, 0.0, 400.0, 0.1, 15), SIZE) is None


@pytest.mark.parametrize(("net", "share"), [(100.0, 0.0), (130.0, 0.0), (25.0, 0.75), (0.0, 1.0), (None, None)])
def test_rivals_have_what_the_net_refill_lacks_of_the_advertised_one(net: float | None, share: float | None) -> None:
    assert rival_share(100.0, net) == share


def test_of_an_unknown_refill_nobody_has_a_share() -> None:
    assert rival_share(0.0, 10.0) is None


@given(start=st.floats(100, 1000), slope=st.floats(-50, 50))
def test_the_trend_is_the_slope_of_the_levels(start: float, slope: float) -> None:
    told = [Sample(at, at, 1.0, start + slope * at) for at in map(float, range(10))]
    assert trend(told) == pytest.approx(slope, abs=1e-6)


def test_a_level_grows_by_the_net_refill_and_not_above_its_limit() -> None:
    last = Sample(0.0, 1.0, 10.0, 500.0)
    assert level_at(3.0, last, 100.0, SIZE) == 700.0
    assert level_at(1000.0, last, 100.0, SIZE) == SIZE
    assert level_at(0.5, last, 100.0, SIZE) == 500.0


@pytest.mark.parametrize(
    ("level", "rising", "ends_at", "at"),
    [
        (500.0, -50.0, None, 110.0),
        (500.0, -50.0, 111.0, 110.0),
        (500.0, -50.0, 110.0, None),  # the quota begins anew before
        (500.0, -0.5, None, None),  # noise
        (500.0, 50.0, None, None),
        (0.0, -50.0, None, 100.0),
    ],
)
def test_a_falling_level_is_empty_when_it_reaches_nothing(
    level: float, rising: float, ends_at: float | None, at: float | None
) -> None:
    assert exhausted_at(100.0, level, rising, 1.0, ends_at) == at


def test_a_day_ends_at_midnight_utc() -> None:
    noon = 1_772_366_400.0
    assert window_end(noon, 86_400.0) == noon + 43_200
    assert window_end(noon + 43_200, 86_400.0) == noon + 43_200 + 86_400
