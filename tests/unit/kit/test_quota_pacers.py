"""Quotas per window, unknown limits and places, scored in virtual time; several buckets at once."""

from __future__ import annotations

import math
import random

import pytest

from connectors.kit.buckets import Buckets
from connectors.kit.contract import Budget, Feedback
from connectors.kit.pacing import Aimd, Concurrent, Latency, Outcome, Window, make
from tests.unit.kit.bucket_simulation import Run, Server, between, steady
from tests.unit.kit.quota_simulation import EPOCH, Hunger, Quota, Trip, silent

DAY = 86_400.0


# ----------------------------------------------------------------------------------------------- windows


@pytest.mark.parametrize("sliding", [False, True], ids=["fixed", "sliding"])
@pytest.mark.parametrize("told", [False, True], ids=["silent", "told"])
@pytest.mark.parametrize(("limit", "window", "windows"), [(100, 60, 10), (1000, 3600, 5), (2000, DAY, 2)])
def test_a_quota_per_window_is_used_whole_without_a_refusal(
    sliding: bool, told: bool, limit: float, window: float, windows: int
) -> None:
    run = Hunger(Window(limit, window), Quota(limit, window, sliding).ask, windows * window)
    if not told:
        run.told = silent
    result = run.play()
    assert result.refused == 0
    assert result.served >= 0.98 * windows * limit


@pytest.mark.parametrize(("limit", "window"), [(100, 60), (1000, 3600)])
def test_what_a_rival_takes_of_a_told_quota_costs_no_refusal(limit: float, window: float) -> None:
    result = Hunger(Window(limit, window), Quota(limit, window, others=0.3 * limit).ask, 10 * window).play()
    assert result.refused == 0
    assert result.served >= 0.98 * 7 * limit


def test_a_daily_quota_is_not_spent_by_noon() -> None:
    result = Hunger(Window(5000, DAY), Quota(5000, DAY).ask, DAY / 2, told=silent).play()
    assert result.served == pytest.approx(0.1 * 5000 + 0.45 * 5000, rel=0.02)


def test_a_reset_that_is_told_late_is_waited_for_and_then_the_whole_quota_is_there() -> None:
    pacer = Window(10, 60)
    pacer.start(EPOCH, 1)
    pacer.settle(EPOCH, 1, Feedback(level=0, limit=10, resets_after=30), Outcome.ANSWERED)
    assert pacer.ready_at(EPOCH + 1, 1) == EPOCH + 31
    pacer.start(EPOCH + 31, 1)
    assert pacer.ready_at(EPOCH + 31, 1) == math.inf  # what others took of the new window is not known yet
    pacer.settle(EPOCH + 31, 1, Feedback(level=9, limit=10, resets_after=59), Outcome.ANSWERED)
    assert pacer.ready_at(EPOCH + 31, 8) == EPOCH + 31


def test_replies_that_overtake_each_other_do_not_raise_what_is_left() -> None:
    pacer = Window(100, 60)
    pacer.start(EPOCH, 1)
    pacer.settle(EPOCH, 1, Feedback(level=20, limit=100, resets_after=30), Outcome.ANSWERED)
    for _ in range(2):
        pacer.start(EPOCH + 1, 1)
    for level in (18, 19):
        pacer.settle(EPOCH + 2, 1, Feedback(level=level, limit=100, resets_after=28), Outcome.ANSWERED)
    assert pacer.snapshot()["level"] == 18


def test_a_restart_forgets_nothing_of_what_was_spent() -> None:
    before, after = Window(10, DAY), Window(10, DAY)
    for _ in range(8):
        before.start(EPOCH, 1)
        before.settle(EPOCH, 1, None, Outcome.UNKNOWN)
    after.restore(before.snapshot())
    assert after.ready_at(EPOCH + 60, 3) > EPOCH + DAY / 2


# ----------------------------------------------------------------------------------------------- nothing is known


def test_an_unknown_limit_is_found_and_kept() -> None:
    server = Server(40, steady(40))
    result = Run(pacer := Aimd(1, 1000, 32), server, costs=(1, 1), report=lambda *_: None, seconds=1800).play()
    assert result.utilisation >= 0.98
    assert result.refused <= 0.0005 * result.calls
    assert pacer.snapshot()["restore_rate"] == pytest.approx(40, rel=0.1)


def test_an_unknown_limit_that_falls_to_half_is_found_again() -> None:
    server = Server(40, between(300, 1e9, 20, otherwise=40))
    result = Run(Aimd(1, 1000, 32), server, costs=(1, 1), report=lambda *_: None, seconds=600).play()
    after = [at for at in result.refused_at if at >= 300]
    assert len(after) <= 12
    assert result.utilisation >= 0.97


def test_what_was_learnt_outlives_a_restart() -> None:
    first = Aimd(1, 1000, 32)
    Run(first, Server(40, steady(40)), costs=(1, 1), report=lambda *_: None, seconds=300).play()
    second = Aimd(1, 1000, 32)
    second.restore({**first.snapshot(), "blocked_until": 0.0})
    result = Run(second, Server(40, steady(40)), costs=(1, 1), report=lambda *_: None, seconds=60).play()
    assert (result.refused, result.utilisation >= 0.93) == (0, True)


def test_an_idle_hour_is_no_proof_that_the_limit_rose() -> None:
    pacer = Aimd(10, 1000)
    for _ in range(5):
        pacer.start(EPOCH, 1)
        pacer.settle(EPOCH, 1, None, Outcome.ANSWERED)
    rate = pacer.rate
    assert pacer.ready_at(EPOCH + 3600, 1) == EPOCH + 3600
    assert pacer.rate == rate
    assert 10 < rate < 20


def test_a_refusal_cuts_once_for_all_that_was_under_way() -> None:
    pacer = Aimd(100, 1000, 32)
    for number in range(40):
        pacer.start(EPOCH + number * 0.01, 1)
        pacer.settle(EPOCH + number * 0.01, 1, None, Outcome.ANSWERED)
    for _ in range(3):
        pacer.start(EPOCH + 1, 1)
    pacer.settle(EPOCH + 1, 1, None, Outcome.THROTTLED)
    cut = pacer.rate
    pacer.settle(EPOCH + 1.1, 1, None, Outcome.THROTTLED)
    pacer.settle(EPOCH + 1.2, 1, None, Outcome.THROTTLED)
    assert pacer.rate == cut < 100
    assert pacer.ready_at(EPOCH + 1.3, 1) == pytest.approx(EPOCH + 2, abs=1e-5)


# ----------------------------------------------------------------------------------------------- places


def test_no_more_requests_are_under_way_than_there_are_places() -> None:
    result = Hunger(Concurrent(5), lambda *_: Feedback(), 10).play()
    assert max(result.places) == 5


def test_the_number_of_places_is_learnt_from_the_api() -> None:
    result = Hunger(Concurrent(5), lambda *_: Feedback(limit=9), 10).play()
    assert max(result.places) == 9


def test_a_refusal_for_want_of_places_takes_some_away_and_answers_bring_them_back() -> None:
    pacer = Concurrent(10)
    pacer.start(EPOCH, 1)
    pacer.settle(EPOCH, 1, None, Outcome.THROTTLED)
    assert pacer.snapshot()["limit"] == pytest.approx(7)
    result = Hunger(pacer, lambda *_: Feedback(), 60).play()
    assert max(result.places) == 10


def crowded(knee: int) -> Trip:
    """0.1 s while at most `knee` requests are under way; beyond them each waits its turn."""

    def trip(under_way: int, rand: random.Random) -> float:
        return rand.uniform(0.09, 0.11) * max(1.0, under_way / knee)

    return trip


@pytest.mark.parametrize("knee", [3, 10, 30])
def test_an_api_that_grows_slow_gets_as_many_requests_as_it_bears(knee: int) -> None:
    pacer = Latency(64)
    run = Hunger(pacer, lambda *_: Feedback(), 240, observe=pacer.observe)
    run.trip = crowded(knee)
    result = run.play()
    settled = result.latencies[len(result.latencies) // 2 :]
    assert result.served >= 0.95 * 240 * knee / 0.1
    assert sum(settled) / len(settled) <= 0.1 * 2


def test_an_api_that_is_slow_by_nature_is_not_taken_for_a_crowded_one() -> None:
    pacer = Latency(16)
    Hunger(pacer, lambda *_: Feedback(), 300, trip=lambda _, r: r.uniform(0.5, 3.0), observe=pacer.observe).play()
    assert pacer.snapshot()["limit"] >= 8


# ----------------------------------------------------------------------------------------------- several at once

TWO = Budget(
    "rate", 10, 10, 16, also={"day": Budget("window", 100 / DAY, 100, 16), "points": Budget("rate", 5, 50, 16)}
)


def test_the_tightest_bucket_rules_and_is_named() -> None:
    buckets = Buckets(TWO)
    assert buckets.tightest(EPOCH, 1) == (EPOCH, "")
    buckets.start(EPOCH, 1, {"points": 50})
    assert buckets.tightest(EPOCH, 1, {"points": 10}) == (EPOCH + 2.25, "points")
    assert buckets.ready_at(EPOCH, 1, charges={"points": 7}) == EPOCH + 1.65
    assert buckets.ready_at(EPOCH, 1, urgent=True, charges={"points": 7}) < EPOCH + 1.65


def test_a_request_is_charged_one_unit_where_it_does_not_say() -> None:
    buckets = Buckets(TWO)
    buckets.start(EPOCH, 3, {"points": 7})
    snapshot = buckets.snapshot()
    assert (snapshot["in_flight_cost"], snapshot["day/in_flight_cost"], snapshot["points/in_flight_cost"]) == (3, 1, 7)


def test_a_request_too_large_for_one_bucket_is_not_admitted() -> None:
    assert not Buckets(TWO).admits(1, {"points": 51})
    assert Buckets(TWO).admits(1, {"points": 50})


def test_only_the_bucket_that_refused_slows_down() -> None:
    buckets = Buckets(TWO)
    buckets.start(EPOCH, 1, {"points": 1})
    refusal = Feedback(throttled=True, named={"points": Feedback(throttled=True)})
    buckets.settle(EPOCH, 1, refusal, Outcome.THROTTLED, {"points": 1})
    snapshot = buckets.snapshot()
    assert (snapshot["refusals"], snapshot["day/refusals"], snapshot["points/refusals"]) == (0, 0, 1)
    assert buckets.tightest(EPOCH, 1)[1] == "points"


def test_a_refusal_that_names_no_bucket_is_the_account_s_own() -> None:
    buckets = Buckets(TWO)
    buckets.start(EPOCH, 1)
    buckets.settle(EPOCH, 1, Feedback(throttled=True), Outcome.THROTTLED)
    snapshot = buckets.snapshot()
    assert (snapshot["refusals"], snapshot["day/refusals"], snapshot["points/refusals"]) == (1, 0, 0)


def test_policies_that_only_the_api_names_are_kept_to() -> None:
    buckets = Buckets(Budget("rate", 1000, 1000, 16))
    named = {"minute": Feedback(level=2, limit=100, window=60, resets_after=30), "at_once": Feedback(limit=3, unit="x")}
    buckets.start(EPOCH, 1)
    buckets.settle(EPOCH, 1, Feedback(named=named), Outcome.ANSWERED)
    for _ in range(2):
        assert buckets.ready_at(EPOCH, 1) == EPOCH
        buckets.start(EPOCH, 1)
    assert buckets.tightest(EPOCH, 1) == (EPOCH + 31, "minute")
    after = Buckets(Budget("rate", 1000, 1000, 16))
    after.restore(buckets.snapshot())
    assert "minute/limit" in after.snapshot()


def test_a_policy_of_concurrent_requests_limits_the_places() -> None:
    buckets = Buckets(Budget("rate", 1000, 1000, 16))
    buckets.start(EPOCH, 1)
    named = {"at_once": Feedback(level=1, limit=2, unit="concurrent-requests")}
    buckets.settle(EPOCH, 1, Feedback(named=named), Outcome.ANSWERED)
    buckets.start(EPOCH, 1)
    buckets.start(EPOCH, 1)
    assert buckets.ready_at(EPOCH, 1) == math.inf


def test_requests_older_than_a_bucket_are_not_settled_in_it() -> None:
    buckets = Buckets(Budget("rate", 1000, 1000, 16))
    for _ in range(3):
        buckets.start(EPOCH, 1)
    named = {"at_once": Feedback(limit=2, unit="concurrent-requests")}
    buckets.settle(EPOCH, 1, Feedback(named=named), Outcome.ANSWERED)
    buckets.start(EPOCH, 1)
    buckets.start(EPOCH, 1)
    for _ in range(2):
        buckets.settle(EPOCH, 1, Feedback(), Outcome.ANSWERED)
    assert buckets.snapshot()["at_once/in_flight"] == 2


@pytest.mark.parametrize(
    ("kind", "expected"), [("window", Window), ("unknown", Aimd), ("concurrent", Concurrent), ("latency", Latency)]
)
def test_each_kind_of_budget_has_its_pacer(kind: str, expected: type) -> None:
    assert isinstance(make(Budget(kind, 2, 40, 4)), expected)
