"""Open after failures in a row, one probe at a time, closed by an answer."""

from __future__ import annotations

import pytest

from streams.core.breaker import CAP, FEWEST, RAMP, SPAN, THRESHOLD, Breaker


def broken() -> Breaker:
    breaker = Breaker()
    for _ in range(THRESHOLD):
        breaker.failed(100.0, 0.5, "unavailable")
    return breaker


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not() -> None:
    breaker = Breaker()
    for number in range(FEWEST - 1):
        breaker.failed(100.0, 0.5, "unavailable")
        if number % (THRESHOLD - 1) == 0:
            breaker.succeeded(100.0)
    assert breaker.opens_at(100.0, running=9) == 100.0
    assert broken().opens_at(100.0, running=0) == 100.9


def test_when_it_half_opens_one_probe_runs_alone() -> None:
    breaker = broken()
    assert breaker.opens_at(101.0, running=0) == 101.0
    assert breaker.opens_at(101.0, running=1) == float("inf")


def test_an_answer_closes_it() -> None:
    breaker = broken()
    breaker.succeeded(102.0)
    assert breaker.closed
    assert breaker.opens_at(100.0, running=5) == 100.0


def test_waits_grow_up_to_a_cap() -> None:
    breaker, opened = broken(), []
    for _ in range(20):
        now = breaker.open_until
        breaker.failed(now, 0.999, "unavailable")
        opened.append(round(breaker.open_until - now, 6))
    assert opened == sorted(opened)
    assert CAP * 0.8 <= opened[-1] <= CAP


def test_a_trip_names_its_reason_and_never_shortens_what_is_open() -> None:
    breaker = Breaker()
    breaker.trip(200.0, "unauthorised")
    breaker.trip(150.0, "unavailable")
    assert (breaker.open_until, breaker.closed) == (200.0, False)


def mixed(calls: int, failures_in_ten: int, seconds: float) -> Breaker:
    """So many calls, evenly spread, of which so many of ten fail, never `THRESHOLD` in a row."""
    breaker = Breaker()
    for number in range(calls):
        now = 1000.0 + seconds * number / calls
        if (number * failures_in_ten) % 10 < failures_in_ten:
            breaker.failed(now, 0.5, "unavailable")
        else:
            breaker.succeeded(now)
        if not breaker.closed:
            break
    return breaker


@pytest.mark.parametrize(("in_ten", "closed"), [(3, True), (4, True), (6, False)])
def test_half_of_the_calls_failing_opens_it_though_never_many_in_a_row(in_ten: int, closed: bool) -> None:
    assert mixed(200, in_ten, 20.0).closed is closed


def test_failures_of_long_ago_do_not_count() -> None:
    breaker = Breaker()
    for number in range(200):
        breaker.failed(1000.0 + number * SPAN, 0.5, "unavailable")
        breaker.succeeded(1000.0 + number * SPAN)
    assert breaker.closed


def test_it_resumes_with_a_tenth_of_the_places_and_has_all_of_them_after_the_ramp() -> None:
    breaker = broken()
    breaker.succeeded(200.0)
    assert breaker.places(200.0, 20) == 2
    taken = [breaker.places(200.0 + RAMP * step / 10, 20) for step in range(11)]
    assert taken == sorted(taken)
    assert taken[-1] == 20


def test_an_answer_while_it_is_closed_limits_nothing() -> None:
    breaker = Breaker()
    breaker.succeeded(200.0)
    assert breaker.places(200.0, 20) == 20


def test_a_failed_probe_opens_it_again() -> None:
    breaker = Breaker()
    breaker.trip(200.0, "unauthorised")
    breaker.failed(201.0, 0.5, "unavailable")
    assert breaker.opens_at(201.0, running=0) > 201.0
