"""Resolvers and couriers die by kill -9 under load; the oracle finds nothing amiss. `make chaos` is the larger run."""

from __future__ import annotations

import pytest

from streams.stack import Endpoints
from streams.testing import chaos

KILLS, SEED = 6, 7


@pytest.mark.broker
@pytest.mark.timeout(480)
def test_kills_at_random_moments_lose_repeat_and_regress_nothing(endpoints: Endpoints) -> None:
    score = chaos.run(endpoints, KILLS, SEED, say=False)
    assert score.failed == (), f"seed {SEED}"
    assert (score.lost, score.duplicates, score.regressions, score.wrong_final) == (0, 0, 0, 0)
    assert score.kills == KILLS
    assert score.events > 100
