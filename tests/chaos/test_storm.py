"""Resolvers join and leave all the time under load; the oracle finds nothing amiss. `make storm` is the larger run."""

from __future__ import annotations

import pytest

from streams.stack import Endpoints
from streams.testing import storm

SECONDS, SEED = 25, 8


@pytest.mark.broker
@pytest.mark.timeout(240)
def test_members_that_come_and_go_lose_repeat_and_regress_nothing(endpoints: Endpoints) -> None:
    score = storm.run(endpoints, SECONDS, SEED, say=False)
    assert score.failed == (), f"seed {SEED}"
    assert (score.lost, score.duplicates, score.regressions, score.wrong_final) == (0, 0, 0, 0)
    assert score.events > 1_000
    assert score.joins + score.leaves + score.kills >= 5
    assert score.rebalances >= 2, "shards moved"
