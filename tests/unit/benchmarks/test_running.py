"""What the workloads over a running resolver compute: quantiles of a histogram, the slope of a resident size."""

from __future__ import annotations

import pytest

from benchmarks.resolvers import quantile
from benchmarks.soak import slope

EMPTY = {0.01: 0.0, 0.05: 0.0, 0.1: 0.0, float("inf"): 0.0}


def test_a_quantile_is_spread_evenly_within_its_bucket() -> None:
    after = {0.01: 50.0, 0.05: 90.0, 0.1: 100.0, float("inf"): 100.0}
    assert quantile(EMPTY, after, 0.50) == pytest.approx(0.01)
    assert quantile(EMPTY, after, 0.70) == pytest.approx(0.03)
    assert quantile(EMPTY, after, 0.99) == pytest.approx(0.095)


def test_only_what_came_between_the_two_looks_counts() -> None:
    before = {0.01: 1_000.0, 0.05: 1_000.0, 0.1: 1_000.0, float("inf"): 1_000.0}
    after = {0.01: 1_000.0, 0.05: 1_000.0, 0.1: 1_010.0, float("inf"): 1_010.0}
    assert quantile(before, after, 0.5) == pytest.approx(0.075)


def test_what_lies_beyond_all_bounds_is_at_least_the_last_of_them() -> None:
    after = {0.01: 0.0, 0.05: 0.0, 0.1: 0.0, float("inf"): 5.0}
    assert quantile(EMPTY, after, 0.99) == pytest.approx(0.1)


def test_nothing_observed_is_nothing() -> None:
    assert quantile(EMPTY, EMPTY, 0.99) == 0.0
    assert quantile({}, {}, 0.99) == 0.0


def test_the_slope_is_that_of_the_line_through_the_samples() -> None:
    assert slope([(at, 300.0 + 0.5 * at) for at in range(0, 100, 10)]) == pytest.approx(0.5)
    assert slope([(0.0, 300.0), (10.0, 302.0), (20.0, 300.0)]) == pytest.approx(0.0)
    assert slope([(0.0, 300.0)]) == 0.0
