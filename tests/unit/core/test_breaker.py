"""Open after failures in a row, one probe at a time, closed by an answer."""

from __future__ import annotations

from streams.core.breaker import CAP, THRESHOLD, Breaker


def broken() -> Breaker:
    breaker = Breaker()
    for _ in range(THRESHOLD):
        breaker.failed(100.0, 0.5, "unavailable")
    return breaker


def test_failures_in_a_row_open_it_and_an_answer_between_them_does_not() -> None:
    breaker = Breaker()
    for number in range(50):
        breaker.failed(100.0, 0.5, "unavailable")
        if number % (THRESHOLD - 1) == 0:
            breaker.succeeded()
    assert breaker.opens_at(100.0, running=9) == 100.0
    assert broken().opens_at(100.0, running=0) == 101.0


def test_when_it_half_opens_one_probe_runs_alone() -> None:
    breaker = broken()
    assert breaker.opens_at(101.0, running=0) == 101.0
    assert breaker.opens_at(101.0, running=1) == float("inf")


def test_an_answer_closes_it() -> None:
    breaker = broken()
    breaker.succeeded()
    assert breaker.closed
    assert breaker.opens_at(100.0, running=5) == 100.0


def test_waits_grow_up_to_a_cap() -> None:
    breaker, opened = broken(), []
    for _ in range(20):
        now = breaker.open_until
        breaker.failed(now, 0.999, "unavailable")
        opened.append(breaker.open_until - now)
    assert opened == sorted(opened)
    assert CAP * 0.9 < opened[-1] <= CAP + 1


def test_a_trip_names_its_reason_and_never_shortens_what_is_open() -> None:
    breaker = Breaker()
    breaker.trip(200.0, "unauthorised")
    breaker.trip(150.0, "unavailable")
    assert (breaker.open_until, breaker.closed) == (200.0, False)
