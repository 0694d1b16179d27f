"""Laws of what is learnt from refusals."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.pacing import Gcra, Outcome
from connectors.kit.shortage import Shortage
from tests.unit.kit.bucket_simulation import Run, Server, between, steady

OUTCOMES = st.sampled_from([Outcome.ANSWERED, Outcome.THROTTLED, Outcome.UNKNOWN, Outcome.NOT_SENT])
STEPS = st.tuples(st.sampled_from([0.0, 0.01, 1.0]) | st.floats(0, 90), st.integers(1, 10), st.integers(0, 3), OUTCOMES)


@settings(deadline=None, max_examples=300)
@given(st.lists(STEPS, max_size=80), st.booleans())
def test_what_is_believed_stays_between_nearly_nothing_and_the_known_rate(
    steps: list[tuple[float, int, int, Outcome]], restored: bool
) -> None:
    shortage, now, sent = Shortage(40, 40), 1_772_366_400.0, list[int]()
    if restored:
        shortage.restore(0.0)
    for pause, cost, settled, outcome in steps:
        now += pause
        ready = shortage.ready_at(now, cost, 5.0, urgent=False)
        assert ready >= now
        assert math.isfinite(ready)
        shortage.start(ready, cost)
        sent.append(cost)
        now = ready
        for one in sent[:settled]:
            if outcome is Outcome.THROTTLED:
                shortage.refused(now, one, now + 1.0)
            else:
                shortage.settle(now, one, 0.0 if outcome is Outcome.NOT_SENT else one, outcome is Outcome.ANSWERED)
            assert 2 <= shortage.net <= 40
        del sent[:settled]


@settings(deadline=None, max_examples=60)
@given(st.lists(STEPS, max_size=60))
def test_refusals_never_make_a_constant_rate_exceed_itself(steps: list[tuple[float, int, int, Outcome]]) -> None:
    """A refused request stays charged, so it counts as well; one that was never sent does not."""
    pacer, now = Gcra(10, 20, max_in_flight=5), 0.0
    sent: list[list[float]] = []
    open_: list[list[float]] = []
    for pause, cost, settled, outcome in steps:
        now += pause
        for one in open_[:settled]:
            pacer.settle(now, one[1], None, outcome)
            one[1] *= outcome is not Outcome.NOT_SENT
        del open_[:settled]
        ready = pacer.ready_at(now, cost)
        if math.isfinite(ready):
            now = max(now, ready)
            pacer.start(now, cost)
            sent.append([now, cost])
            open_.append(sent[-1])
    for index, (start, _) in enumerate(sent):
        used = 0.0
        for end, cost_ in sent[index:]:
            used += cost_
            assert used <= 10 * (end - start) + 20 + 1e-6


@settings(deadline=None, max_examples=25)
@given(st.floats(0.05, 0.9), st.floats(5.0, 30.0), st.sampled_from([2.0, 10.0, 40.0]))
def test_whatever_a_rival_took_is_used_again_after_it_has_gone(share: float, lasting: float, rate: float) -> None:
    pacer = Gcra(rate, rate, max_in_flight=32)
    server = Server(rate, steady(rate), between(20.0, 20.0 + lasting, share * rate, 0.0))
    Run(pacer, server, costs=(1, 1), report=lambda *_: None, seconds=20.0 + lasting + 90.0).play()
    assert pacer.snapshot()["refill"] == rate
