"""Retries that wait long enough and stay few."""

from __future__ import annotations

import pytest

from connectors.kit.backoff import RetryBudget, delay


@pytest.mark.parametrize(("attempt", "longest"), [(0, 0.5), (1, 1.0), (2, 2.0), (7, 60.0), (5000, 60.0)])
def test_the_ceiling_doubles_up_to_the_cap(attempt: int, longest: float) -> None:
    assert delay(attempt, 0.999999) == pytest.approx(longest, rel=1e-3)


def test_a_retry_after_beyond_the_cap_is_waited_out() -> None:
    assert delay(0, 0.5, cap=60, retry_after=3600) == 3600


def test_a_target_that_fails_every_request_gets_a_fifth_more_and_not_a_multiple() -> None:
    budget, now, retries = RetryBudget(), 0.0, 0
    while budget.spend(now):
        pass
    for _ in range(1000):
        budget.request(now)
        retries += budget.spend(now)
    assert retries == pytest.approx(200, abs=1)


def test_a_quiet_target_may_still_be_tried_again_ten_times_a_second() -> None:
    budget = RetryBudget()
    while budget.spend(0.0):
        pass
    assert budget.balance(1.0) == pytest.approx(10)
    assert sum(budget.spend(1.0) for _ in range(20)) == 10


def test_a_clock_that_goes_back_gives_nothing() -> None:
    budget = RetryBudget()
    while budget.spend(100.0):
        pass
    assert not budget.spend(50.0)
    assert budget.balance(100.0) < 1
