"""Every scenario clears its gates. `make score` prints the figures."""

from __future__ import annotations

import pytest

from streams.testing.score.scenarios import SCENARIOS, Scenario
from streams.testing.score.verdict import score


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda one: one.name)
def test_the_courier_clears_every_gate_of(scenario: Scenario) -> None:
    result = score(scenario, seed=1)
    assert not result.failed, result.line()
