"""Laws of waiting and of the retry budget."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.backoff import RetryBudget, delay

RAND = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 10_000), RAND, st.floats(0.01, 10), st.floats(0.01, 3600))
def test_a_delay_stays_below_the_cap_and_below_its_doubling(attempt: int, rand: float, base: float, cap: float) -> None:
    wait = delay(attempt, rand, base, cap)
    assert 0 <= wait <= cap
    assert wait <= base * 2.0 ** min(attempt, 63)


@given(st.integers(0, 100), RAND, st.floats(0, 1e7))
def test_retry_after_is_a_floor_no_cap_cuts(attempt: int, rand: float, asked: float) -> None:
    assert delay(attempt, rand, retry_after=asked) >= asked
    assert delay(attempt, 0.0, retry_after=asked) == asked


@given(st.integers(0, 40), RAND, RAND)
def test_the_whole_range_below_the_ceiling_is_used(attempt: int, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert delay(attempt, low) <= delay(attempt, high)


@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 50), st.integers(0, 100)), max_size=50))
def test_retries_stay_within_a_fifth_of_the_requests_and_ten_a_second(steps: list[tuple[float, int, int]]) -> None:
    budget, now, requests, retries = RetryBudget(), 0.0, 0, 0
    for pause, asked, wanted in steps:
        now += pause
        for _ in range(asked):
            budget.request(now)
        requests += asked
        retries += sum(budget.spend(now) for _ in range(wanted))
        assert retries <= 0.2 * requests + 10 * now + 100 + 1e-6
