"""Laws of the breaker, whatever succeeds and fails."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from streams.core.breaker import CAP, THRESHOLD, Breaker

STEPS = st.lists(st.tuples(st.floats(0, 10), st.booleans(), st.floats(0, 0.999)), max_size=200)


def played(breaker: Breaker, steps: list[tuple[float, bool, float]], now: float = 1000.0) -> float:
    for pause, good, jitter in steps:
        now += pause
        if good:
            breaker.succeeded(now)
        else:
            breaker.failed(now, jitter, "unavailable")
    return now


@given(STEPS)
def test_it_never_stays_closed_after_failures_in_a_row_and_never_waits_longer_than_the_cap(
    steps: list[tuple[float, bool, float]],
) -> None:
    breaker = Breaker()
    now = played(breaker, steps)
    for _ in range(THRESHOLD):
        breaker.failed(now, 0.5, "unavailable")
    assert not breaker.closed
    assert now < breaker.opens_at(now, 0) <= now + CAP


@given(STEPS, st.integers(1, 64))
def test_while_it_is_not_closed_at_most_one_probe_runs_and_one_may_always_come(
    steps: list[tuple[float, bool, float]], running: int
) -> None:
    breaker = Breaker()
    now = played(breaker, steps)
    later = breaker.open_until + 0.001
    if not breaker.closed:
        assert breaker.opens_at(max(now, later), running) == math.inf
        assert breaker.opens_at(max(now, later), 0) == max(now, later)


@given(STEPS, st.integers(1, 64))
def test_a_success_always_closes_it_and_places_come_back_and_never_exceed_what_there_is(
    steps: list[tuple[float, bool, float]], places: int
) -> None:
    breaker = Breaker()
    now = played(breaker, steps)
    breaker.succeeded(now)
    assert breaker.closed
    given_back = [breaker.places(now + step * 0.25, places) for step in range(20)]
    assert given_back == sorted(given_back)
    assert (given_back[0] >= 1, given_back[-1]) == (True, places)


@given(st.lists(st.floats(0, 10), max_size=100))
def test_nothing_but_failures_ever_opens_it(pauses: list[float]) -> None:
    breaker = Breaker()
    now = played(breaker, [(pause, True, 0.0) for pause in pauses])
    assert breaker.opens_at(now, 99) == now
    assert breaker.places(now, 8) == 8
