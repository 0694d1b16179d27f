"""Couriers die by kill -9 while vendors carry out and do not answer. `make chaos-courier` is the larger run."""

from __future__ import annotations

import pytest

from streams.stack import Endpoints
from streams.testing import courierchaos

KILLS, SEED = 6, 7


@pytest.mark.broker
@pytest.mark.timeout(420)
def test_couriers_that_die_at_random_moments_apply_nothing_backwards_and_lose_nothing(endpoints: Endpoints) -> None:
    score = courierchaos.run(endpoints, KILLS, SEED, say=False)
    assert score.failed == (), f"seed {SEED}"
    assert (score.regressions, score.wrong_final, score.commands_repeated, score.commands_lost) == (0, 0, 0, 0)
    assert score.kills == KILLS
    assert score.lost_replies >= 3
    assert score.accepted > 50
    assert score.commands > 20
