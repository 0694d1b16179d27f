"""Costs learnt per kind of request."""

from __future__ import annotations

import math
import random

import pytest

from connectors.kit.costs import Costs


@pytest.mark.parametrize("cost", [1, 10, 100, 800])
def test_after_fifty_calls_the_charge_is_expected_within_a_tenth(cost: float) -> None:
    costs, rand, errors = Costs(), random.Random(1), []
    for number in range(200):
        actual = cost * rand.uniform(0.9, 1.1)
        if number >= 50:
            errors.append(abs(costs.expected("read", 10.0) - actual) / actual)
        costs.charged("read", 10.0, actual)
    assert sum(errors) / len(errors) < 0.1


def test_what_is_learnt_of_one_kind_says_nothing_of_another() -> None:
    costs = Costs()
    costs.charged("read", 10.0, 100.0)
    assert costs.expected("write", 10.0) == 10.0


def test_a_page_twice_as_large_is_expected_to_cost_twice_as_much() -> None:
    costs = Costs()
    costs.charged("page", 50.0, 25.0)
    assert costs.expected("page", 100.0) == 50.0


@pytest.mark.parametrize("bad", [None, math.nan, math.inf, -1.0, 0.0])
def test_what_is_no_charge_teaches_nothing(bad: float | None) -> None:
    costs = Costs()
    costs.charged("read", 10.0, bad)
    assert costs.expected("read", 10.0) == 10.0
