"""What a pacer promises the owner of a bucket."""

from __future__ import annotations

import math

import pytest

from connectors.kit.contract import Budget, Feedback
from connectors.kit.errors import Misconfigured
from connectors.kit.pacing import Gcra, LevelFeedback, Outcome, Pacer, make

T0 = 1_772_366_400.0


def at(time: float) -> object:
    """A time to the microsecond; the default tolerance is relative and would be half an hour here."""
    return pytest.approx(time, rel=0, abs=1e-5)


def probed(level: float = 2000.0, rate: float = 100.0, limit: float = 2000.0) -> LevelFeedback:
    """A pacer that has heard of its bucket once."""
    pacer = LevelFeedback(rate, limit, max_in_flight=4)
    pacer.start(T0, 10)
    pacer.settle(T0, 10, Feedback(cost=10, level=level, limit=limit, restore_rate=rate), Outcome.ANSWERED)
    return pacer


def both() -> list[Pacer]:
    return [probed(), Gcra(100, 2000, max_in_flight=4)]


@pytest.mark.parametrize("pacer", both(), ids=["level", "gcra"])
def test_retry_after_is_obeyed_exactly(pacer: Pacer) -> None:
    now = T0 + 5
    pacer.start(now, 10)
    pacer.settle(now, 10, Feedback(retry_after=3600.0, throttled=True), Outcome.THROTTLED)
    assert pacer.ready_at(now, 1) == now + 3600.0


@pytest.mark.parametrize("pacer", both(), ids=["level", "gcra"])
def test_retry_after_of_a_reply_that_was_no_refusal_is_obeyed_too(pacer: Pacer) -> None:
    now = T0 + 5
    pacer.start(now, 10)
    pacer.settle(now, 10, Feedback(retry_after=12.5), Outcome.ANSWERED)
    assert pacer.ready_at(now, 1) == now + 12.5


@pytest.mark.parametrize("pacer", both(), ids=["level", "gcra"])
def test_a_shorter_retry_after_never_shortens_a_block(pacer: Pacer) -> None:
    now = T0 + 5
    pacer.block(now + 100)
    pacer.start(now, 10)
    pacer.settle(now, 10, Feedback(retry_after=1.0, throttled=True), Outcome.THROTTLED)
    assert pacer.ready_at(now, 1) == now + 100


@pytest.mark.parametrize("pacer", both(), ids=["level", "gcra"])
def test_no_more_than_max_in_flight_requests_are_out(pacer: Pacer) -> None:
    now = T0 + 5
    for _ in range(4):
        now = max(now, pacer.ready_at(now, 1))
        pacer.start(now, 1)
    assert pacer.ready_at(now, 1) == math.inf
    pacer.settle(now, 1, None, Outcome.UNKNOWN)
    assert math.isfinite(pacer.ready_at(now, 1))


@pytest.mark.parametrize("pacer", both(), ids=["level", "gcra"])
def test_a_request_larger_than_the_bucket_never_starts(pacer: Pacer) -> None:
    assert not pacer.admits(2001)
    assert pacer.ready_at(T0 + 5, 2001) == math.inf
    assert pacer.admits(2000)


@pytest.mark.parametrize("pacer", both(), ids=["level", "gcra"])
def test_a_request_as_large_as_the_bucket_starts_when_it_is_full(pacer: Pacer) -> None:
    assert pacer.ready_at(T0 + 60, 2000) == at(T0 + 60)


@pytest.mark.parametrize("pacer", both(), ids=["level", "gcra"])
def test_a_request_that_was_not_sent_is_refunded(pacer: Pacer) -> None:
    now = T0 + 60
    pacer.start(now, 1500)
    assert pacer.ready_at(now, 1500) > now + 1
    pacer.settle(now, 1500, None, Outcome.NOT_SENT)
    assert pacer.snapshot()["level"] == pytest.approx(2000)


@pytest.mark.parametrize("pacer", both(), ids=["level", "gcra"])
def test_the_actual_cost_replaces_the_expected_one(pacer: Pacer) -> None:
    now = T0 + 60
    pacer.start(now, 800)
    pacer.settle(now, 800, Feedback(cost=50), Outcome.ANSWERED)
    assert pacer.snapshot()["level"] == pytest.approx(1950)


@pytest.mark.parametrize("pacer", both(), ids=["level", "gcra"])
def test_repeated_refusals_without_advice_pause_longer_each_time(pacer: Pacer) -> None:
    now, pauses = T0 + 60, []
    for _ in range(3):
        pacer.start(now, 10)
        pacer.settle(now, 10, Feedback(throttled=True), Outcome.THROTTLED)
        until = pacer.snapshot()["blocked_until"]
        pauses.append(round(until - now))
        now = until
    assert pauses == [1, 2, 4]


def test_after_a_restart_one_probe_goes_out_alone() -> None:
    pacer = LevelFeedback(100, 2000, max_in_flight=8)
    assert pacer.ready_at(T0, 50) == T0
    pacer.start(T0, 50)
    assert pacer.ready_at(T0 + 1, 50) == math.inf
    pacer.settle(T0 + 1, 50, Feedback(cost=50, level=1200, limit=2000, restore_rate=100), Outcome.ANSWERED)
    assert pacer.snapshot()["level"] == 1200
    assert math.isfinite(pacer.ready_at(T0 + 1, 50))


def test_a_probe_without_reply_is_followed_by_another_probe() -> None:
    pacer = LevelFeedback(100, 2000)
    pacer.start(T0, 50)
    pacer.settle(T0 + 1, 50, None, Outcome.UNKNOWN)
    assert pacer.snapshot()["level"] == -1
    assert pacer.ready_at(T0 + 1, 50) == T0 + 1


def test_a_probe_that_learns_no_level_assumes_a_nearly_empty_bucket() -> None:
    pacer = LevelFeedback(100, 2000)
    pacer.start(T0, 50)
    pacer.settle(T0, 50, None, Outcome.ANSWERED)
    pacer.start(pacer.ready_at(T0, 50), 50)
    assert pacer.ready_at(T0 + 1, 100) > T0 + 1


def test_the_reported_level_counts_what_is_still_in_flight() -> None:
    pacer = probed()
    pacer.start(T0 + 1, 100)
    pacer.start(T0 + 1, 200)
    pacer.settle(T0 + 1, 100, Feedback(cost=100, level=1000, limit=2000, restore_rate=100), Outcome.ANSWERED)
    assert pacer.snapshot()["level"] == 800


def test_the_reserve_is_left_in_the_bucket() -> None:
    pacer = probed(level=100.0)
    assert pacer.reserve == 100
    assert pacer.ready_at(T0, 50) == at(T0 + 0.5)


def test_urgent_work_may_spend_at_once_what_stands_above_a_part_of_the_reserve() -> None:
    pacer = probed(level=400.0)
    pacer.start(T0, 100)
    assert pacer.ready_at(T0, 100) > T0 + 0.25  # spread, less what a late start makes up for
    assert pacer.ready_at(T0, 100, urgent=True) == T0
    assert pacer.ready_at(T0, 300, urgent=True) == at(T0 + 0.25)


def test_a_known_rate_leaves_room_for_requests_that_arrive_closer_together_than_they_left() -> None:
    pacer, now, sent = Gcra(40, 40, max_in_flight=1000), T0, list[float]()
    for _ in range(400):
        now = max(now, pacer.ready_at(now, 1))
        pacer.start(now, 1)
        sent.append(now)
    level, seen = 40.0, T0
    for arrival in sorted(start + (0.1 if index < 40 else 0.0) for index, start in enumerate(sent)):
        level, seen = min(40.0, level + 40 * (arrival - seen)) - 1, arrival
        assert level >= 0


def test_limit_and_restore_rate_are_learnt_from_replies() -> None:
    pacer = LevelFeedback(50, 1000)
    pacer.start(T0, 10)
    pacer.settle(T0, 10, Feedback(cost=10, level=3990, limit=4000, restore_rate=200), Outcome.ANSWERED)
    snapshot = pacer.snapshot()
    assert (snapshot["limit"], snapshot["restore_rate"], snapshot["refill"]) == (4000, 200, 200)
    assert pacer.admits(4000)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_malformed_feedback_is_as_good_as_none(bad: float) -> None:
    pacer, twin = probed(), probed()
    for one, feedback in ((pacer, Feedback(bad, bad, bad, bad, bad)), (twin, None)):
        one.start(T0 + 1, 10)
        one.settle(T0 + 1, 10, feedback, Outcome.ANSWERED)
    assert pacer.snapshot() == twin.snapshot()


def test_a_refusal_that_reports_its_level_waits_for_the_level_and_no_longer() -> None:
    pacer = probed(level=300.0)
    pacer.start(T0 + 1, 200)
    refusal = Feedback(cost=0, level=20, limit=2000, restore_rate=100, throttled=True)
    pacer.settle(T0 + 1, 200, refusal, Outcome.THROTTLED)
    assert pacer.snapshot()["blocked_until"] == 0
    assert pacer.ready_at(T0 + 1, 200) == at(T0 + 1 + (200 + 100 - 20) / 100)


def test_refusals_of_what_was_sent_before_a_pause_do_not_lengthen_it() -> None:
    pacer = Gcra(100, 2000)
    for _ in range(3):
        pacer.start(T0, 10)
    for _ in range(3):
        pacer.settle(T0 + 0.1, 10, Feedback(throttled=True), Outcome.THROTTLED)
    assert pacer.snapshot()["blocked_until"] == at(T0 + 1.1)
    pacer.start(T0 + 2, 10)
    pacer.settle(T0 + 2, 10, Feedback(throttled=True), Outcome.THROTTLED)
    assert pacer.snapshot()["blocked_until"] == at(T0 + 4)


def test_a_refund_gives_back_no_more_than_the_bucket_would_have_held() -> None:
    """The first request turns out free after the bucket had long been full: there is nothing to give back."""
    pacer = Gcra(rate=1, burst=10)
    pacer.start(T0, 10)
    pacer.start(T0 + 10, 10)
    pacer.settle(T0 + 10.1, 10, Feedback(cost=0), Outcome.ANSWERED)
    assert pacer.ready_at(T0 + 10.1, 10) == at(T0 + 20)


def test_a_new_owner_takes_over_the_block_and_what_was_learnt_but_not_the_level() -> None:
    before = probed(limit=4000.0, rate=200.0)
    before.block(T0 + 500)
    after = LevelFeedback(100, 2000)
    after.restore(before.snapshot())
    assert after.ready_at(T0, 1) == T0 + 500
    assert after.snapshot()["limit"] == 4000
    assert after.snapshot()["level"] == -1


def test_a_new_owner_of_a_constant_rate_goes_on_with_the_refill_it_had_learnt_and_an_empty_bucket() -> None:
    before = Gcra(40, 40)
    before.start(T0, 1)
    before.settle(T0, 1, Feedback(throttled=True), Outcome.THROTTLED)
    after = Gcra(40, 40)
    after.restore(before.snapshot())
    assert after.snapshot()["refill"] == 20
    assert after.ready_at(T0, 1) == at(T0 + 1)
    after.start(T0 + 1, 1)
    assert after.ready_at(T0 + 1, 1) > T0 + 1.02


@pytest.mark.parametrize(("kind", "expected"), [("level", LevelFeedback), ("rate", Gcra)])
def test_a_budget_makes_the_pacer_of_its_kind(kind: str, expected: type) -> None:
    assert isinstance(make(Budget(kind, 2, 40, 4)), expected)


@pytest.mark.parametrize("budget", [Budget("guess", 2, 40, 4), Budget("rate", 0, 40, 4), Budget("level", 2, 40, 0)])
def test_a_budget_nobody_can_pace_is_refused(budget: Budget) -> None:
    with pytest.raises(Misconfigured, match="budget"):
        make(budget)
