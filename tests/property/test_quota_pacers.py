"""Laws of quotas per window, of unknown limits and of several buckets, whatever replies say."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.buckets import Buckets
from connectors.kit.contract import Budget, Feedback
from connectors.kit.pacing import Aimd, Concurrent, Latency, Outcome, Pacer, Window

NOW = 1_772_366_400.0
WINDOW = 60.0
ANY = st.none() | st.floats(allow_nan=True, allow_infinity=True) | st.floats(0, 100)
REPLIES = st.none() | st.builds(
    Feedback, level=ANY, retry_after=ANY, resets_after=ANY, throttled=st.booleans(), malformed=st.integers(0, 3)
)
TALK = st.none() | st.builds(
    Feedback, ANY, ANY, ANY, ANY, ANY, st.booleans(), ANY, ANY, st.sampled_from(["", "x", "concurrent-requests"])
)
STEPS = st.tuples(
    st.sampled_from([0.0, 0.5, 7.0, 61.0]) | st.floats(0, 90), st.floats(0.1, 1.0), st.integers(0, 2), REPLIES
)
PACERS = st.sampled_from(
    [
        lambda: Window(10, WINDOW, 5),
        lambda: Aimd(2, 100, 5),
        lambda: Concurrent(5),
        lambda: Latency(5),
        lambda: Buckets(Budget("rate", 5, 10, 5, also={"day": Budget("window", 0.5, 30, 5)})),
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.lists(STEPS, max_size=60))
def test_no_reply_makes_a_window_hold_more_than_its_quota(
    steps: list[tuple[float, float, int, Feedback | None]],
) -> None:
    """In any 60 seconds, counted from starts, at what they were expected to cost; what was refused cost nothing."""
    pacer, now, limit = Window(10, WINDOW, 8), NOW, 10.0
    sent: list[list[float]] = []
    open_: list[list[float]] = []
    for pause, share, settled, reply in steps:
        now += pause
        for one in open_[:settled]:
            pacer.settle(now, one[1], reply, Outcome.UNKNOWN)
            one[1] *= reply is None or not reply.throttled
        del open_[:settled]
        ready = pacer.ready_at(now, share * limit)
        if math.isfinite(ready) and ready < now + 1000:
            now = max(now, ready)
            pacer.start(now, share * limit)
            sent.append([now, share * limit])
            open_.append(sent[-1])
    for index, (start, _) in enumerate(sent):
        assert sum(cost for at, cost in sent[index:] if at < start + WINDOW) <= limit + 1e-6


@settings(deadline=None)
@given(PACERS, st.lists(st.tuples(st.floats(0, 90), st.floats(0.1, 5), TALK), max_size=40))
def test_whatever_an_api_says_every_pacer_goes_on(
    make: type[Pacer], steps: list[tuple[float, float, Feedback | None]]
) -> None:
    pacer, now = make(), NOW
    for pause, cost, reply in steps:
        now += pause
        ready = pacer.ready_at(now, cost)
        assert ready >= now
        assert math.isfinite(ready) == pacer.admits(cost)
        pacer.start(now, cost)
        pacer.settle(now, cost, reply, Outcome.ANSWERED)
        assert all(math.isfinite(value) for value in pacer.snapshot().values())
        assert pacer.snapshot()["in_flight"] == 0


@given(PACERS, st.floats(0, 1e6), st.floats(0, 100))
def test_nothing_starts_before_the_end_of_a_retry_after(make: type[Pacer], wait: float, later: float) -> None:
    pacer = make()
    pacer.start(NOW, 1)
    pacer.settle(NOW, 1, Feedback(retry_after=wait, throttled=True), Outcome.THROTTLED)
    assert pacer.ready_at(NOW + min(later, wait), 1) >= NOW + wait - 1e-6


@given(st.lists(st.tuples(st.floats(0, 5), st.sampled_from(list(Outcome))), max_size=100))
def test_an_unknown_limit_is_never_searched_above_what_was_allowed(steps: list[tuple[float, Outcome]]) -> None:
    pacer, now = Aimd(1, 50, 8), NOW
    for pause, outcome in steps:
        now = max(now + pause, pacer.ready_at(now + pause, 1))
        before = pacer.rate
        pacer.start(now, 1)
        pacer.settle(now, 1, None, outcome)
        assert 0 < pacer.rate <= 50
        if outcome is Outcome.THROTTLED:
            assert pacer.rate <= before


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 3), st.floats(0.1, 5), st.floats(0, 4), st.floats(0, 1)), max_size=40))
def test_several_buckets_together_never_allow_more_than_each_alone(
    steps: list[tuple[float, float, float, float]],
) -> None:
    budget = Budget("rate", 5, 10, 5, also={"points": Budget("rate", 2, 4, 5), "day": Budget("window", 0.5, 30, 5)})
    buckets, now = Buckets(budget), NOW
    alone = {"": Buckets(Budget("rate", 5, 10, 5)), **{name: Buckets(one) for name, one in budget.also.items()}}
    for pause, cost, points, day in steps:
        now += pause
        costs = {"": cost, "points": points, "day": day}
        ready, name = buckets.tightest(now, cost, {"points": points, "day": day})
        assert ready == max(one.ready_at(now, costs[key]) for key, one in alone.items())
        assert ready == alone[name].ready_at(now, costs[name])
        now = max(now, ready)
        buckets.start(now, cost, {"points": points, "day": day})
        buckets.settle(now, cost, None, Outcome.UNKNOWN, {"points": points, "day": day})
        for key, one in alone.items():
            one.start(now, costs[key])
            one.settle(now, costs[key], None, Outcome.UNKNOWN)


@given(st.integers(1, 8), st.lists(st.tuples(st.booleans(), TALK), max_size=60))
def test_places_are_never_taken_twice_and_never_all_lost(
    places: int, steps: list[tuple[bool, Feedback | None]]
) -> None:
    pacer, now, taken = Concurrent(places), NOW, 0
    for begin, reply in steps:
        now += 100.0
        if begin and math.isfinite(pacer.ready_at(now, 1)):
            pacer.start(now, 1)
            taken += 1
        elif taken:
            pacer.settle(now, 1, None if reply is None else Feedback(throttled=reply.throttled), Outcome.ANSWERED)
            taken -= 1
        assert taken <= places
        assert taken > 0 or math.isfinite(pacer.ready_at(now, 1))
