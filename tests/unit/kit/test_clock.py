"""Clocks."""

from __future__ import annotations

import time

import pytest

from connectors.kit.clock import Clock, ManualClock, SystemClock


def test_the_system_clock_tells_microseconds_of_wall_time() -> None:
    clock: Clock = SystemClock()
    assert abs(clock.now() / 1e6 - time.time()) < 5
    assert clock.monotonic() <= clock.monotonic()


def test_a_manual_clock_stands_still_until_it_is_advanced() -> None:
    clock = ManualClock(start=1_000_000)
    assert (clock.now(), clock.monotonic()) == (1_000_000, 0.0)
    clock.advance(1.5)
    assert (clock.now(), clock.monotonic()) == (2_500_000, 1.5)


def test_a_manual_clock_never_goes_back() -> None:
    with pytest.raises(ValueError, match="never goes back"):
        ManualClock().advance(-1)
