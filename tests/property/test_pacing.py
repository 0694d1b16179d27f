"""Laws of the pacers."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.contract import Feedback
from connectors.kit.pacing import Gcra, LevelFeedback, Outcome

RATES = st.sampled_from([0.5, 1.0, 2.0, 40.0])
NUMBERS = st.none() | st.floats(allow_nan=True, allow_infinity=True)
FEEDBACK = st.none() | st.builds(Feedback, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, st.booleans())
SHARES = st.sampled_from([0.1, 0.5, 1.0]) | st.floats(0.1, 1)
ACTUAL = st.sampled_from([0.0, 0.5, 1.0]) | st.floats(0, 1)
STEPS = st.tuples(st.sampled_from([0.0, 0.1, 1.0, 9.0]) | st.floats(0, 20), SHARES, ACTUAL, st.integers(0, 2))


@settings(deadline=None, max_examples=300)
@given(RATES, st.sampled_from([1.0, 10.0, 40.0]), st.lists(STEPS, max_size=60))
def test_gcra_never_exceeds_rate_times_window_plus_burst(
    rate: float, burst: float, steps: list[tuple[float, float, float, int]]
) -> None:
    """At actual cost, whatever is refunded and whenever; open requests count at their expected cost."""
    pacer, now = Gcra(rate, burst, max_in_flight=5), 0.0
    sent: list[list[float]] = []
    open_: list[list[float]] = []
    for pause, share, actual, settled in steps:
        now += pause
        for one in open_[:settled]:
            pacer.settle(now, one[1], Feedback(cost=one[1] * actual), Outcome.ANSWERED)
            one[1] *= actual
        del open_[:settled]
        ready = pacer.ready_at(now, share * burst)
        if math.isfinite(ready):
            now = max(now, ready)
            pacer.start(now, share * burst)
            sent.append([now, share * burst])
            open_.append(sent[-1])
    for index, (start, _) in enumerate(sent):
        used = 0.0
        for end, cost in sent[index:]:
            used += cost
            assert used <= rate * (end - start) + burst + 1e-6


@settings(deadline=None)
@given(st.booleans(), st.lists(st.tuples(st.floats(0, 30), st.floats(0.1, 100), FEEDBACK), max_size=40))
def test_whatever_an_api_says_the_pacer_goes_on_and_never_looks_back(
    by_level: bool, steps: list[tuple[float, float, Feedback | None]]
) -> None:
    pacer = LevelFeedback(10, 100) if by_level else Gcra(10, 100)
    now = 1_772_366_400.0
    for pause, cost, feedback in steps:
        now += pause
        ready = pacer.ready_at(now, cost)
        assert ready >= now
        assert math.isfinite(ready) == pacer.admits(cost)
        pacer.start(now, cost)
        pacer.settle(now, cost, feedback, Outcome.ANSWERED)
        assert pacer.snapshot()["in_flight"] == 0
        assert all(math.isfinite(value) for value in pacer.snapshot().values())


@given(st.floats(0, 1e6), st.floats(0, 100), st.booleans())
def test_nothing_starts_before_the_end_of_a_retry_after(wait: float, later: float, by_level: bool) -> None:
    pacer = LevelFeedback(10, 100) if by_level else Gcra(10, 100)
    pacer.start(0.0, 1)
    pacer.settle(0.0, 1, Feedback(retry_after=wait, throttled=True), Outcome.THROTTLED)
    assert pacer.ready_at(min(later, wait), 1) >= wait


@settings(deadline=None, max_examples=200)
@given(RATES, st.sampled_from([1.0, 10.0, 40.0]), st.lists(STEPS, max_size=30), st.floats(0, 9), st.floats(0, 60))
def test_two_owners_one_after_the_other_never_exceed_the_rate_of_one(
    rate: float, burst: float, steps: list[tuple[float, float, float, int]], unsaid: float, gap: float
) -> None:
    """The former one went on for `unsaid` seconds after it had written down what it knew, and spent all there was."""
    former, now = Gcra(rate, burst, max_in_flight=100), 1_772_366_400.0
    sent: list[tuple[float, float]] = []

    def spend(pacer: Gcra, until: float, share: float) -> None:
        at = sent[-1][0] if sent else now
        while (at := max(at, pacer.ready_at(at, share * burst, urgent=True))) <= until and len(sent) < 300:
            pacer.start(at, share * burst)
            pacer.settle(at, share * burst, None, Outcome.ANSWERED)
            sent.append((at, share * burst))

    for pause, share, _, _ in steps:
        now += pause
        spend(former, now, share)
    saved = former.snapshot()
    if not sent:
        return
    now = sent[-1][0] + unsaid
    spend(former, now, 1.0)
    now += gap
    successor = Gcra(rate, burst)
    successor.restore(saved)
    while len(sent) < 320:
        at = max(now, sent[-1][0])
        at = max(at, successor.ready_at(at, burst, urgent=True))
        successor.start(at, burst)
        successor.settle(at, burst, None, Outcome.ANSWERED)
        sent.append((at, burst))
        if at > now + 10 * burst / rate:
            break
    rounding = 1e-5 + 2 * rate * len(sent) * math.ulp(now)  # times of our century: 0.24 us
    for index, (start, _) in enumerate(sent):
        used = 0.0
        for end, cost in sent[index:]:
            used += cost
            assert used <= rate * (end - start) + burst + rounding
