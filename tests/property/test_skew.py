"""The estimate of an API's clock: within its bounds whatever the delays, and soon narrow."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.skew import MICROS, ClockSkew

NOW = 1_772_366_400 * MICROS
delays = st.floats(0.0, 3.0)
replies = st.lists(st.tuples(st.floats(0.0, 200.0), delays, delays), min_size=1, max_size=40)


def date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC), usegmt=True)


def reply(skew: ClockSkew, at: float, ahead: float, there: float, back: float) -> None:
    """A request that left `at` seconds after NOW, was answered after `there` and heard of after `back`."""
    made = NOW / MICROS + at + there
    skew.replied(date(made + ahead), NOW + round(at * MICROS), NOW + round((at + there + back) * MICROS))


@given(replies, st.floats(-3_600.0, 3_600.0))
def test_the_true_offset_is_within_the_bounds_whatever_the_delays(
    said: list[tuple[float, float, float]], ahead: float
) -> None:
    skew, at = ClockSkew(), 0.0
    for pause, there, back in said:
        reply(skew, at, ahead, there, back)
        at += pause + there + back
        assert skew.offset is not None
        assert abs(skew.offset.seconds - ahead) <= skew.offset.error + 1e-5


@given(st.integers(0, 1 << 16), st.floats(-300.0, 300.0))
def test_a_hundred_quick_replies_tell_it_to_a_fifth_of_a_second(seed: int, ahead: float) -> None:
    skew, chance = ClockSkew(), random.Random(seed)
    for number in range(100):
        reply(skew, number * 2.0 + chance.random(), ahead, 0.02 + 0.05 * chance.random(), 0.02 + 0.05 * chance.random())
    assert skew.offset is not None
    assert skew.offset.error < 0.2


@given(st.floats(-60.0, 60.0), st.floats(3.0, 60.0))
def test_a_clock_that_is_set_is_followed_at_once(ahead: float, jump: float) -> None:
    skew = ClockSkew()
    for number in range(10):
        reply(skew, number * 1.3, ahead, 0.05, 0.05)
    reply(skew, 20.0, ahead + jump, 0.05, 0.05)
    assert skew.offset is not None
    assert skew.offset.seconds == pytest.approx(ahead + jump, abs=0.6)


def test_bounds_of_long_ago_are_forgotten_so_a_drift_is_followed() -> None:
    skew = ClockSkew()
    for number in range(2_000):
        reply(skew, number * 1.7, number * 0.001, 0.05, 0.05)
    assert skew.offset is not None
    assert skew.offset.seconds == pytest.approx(2.0, abs=0.7)


@pytest.mark.parametrize("text", ["", "yesterday", "Sun, 99 Nov 2026 00:00:00 GMT"])
def test_what_is_no_date_says_nothing(text: str) -> None:
    skew = ClockSkew()
    skew.replied(text, NOW, NOW + 1)
    assert skew.offset is None
