"""The scores a shaper is judged by, in virtual time: use of the quota and refusals under each disturbance."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.kit.contract import Feedback
from connectors.kit.pacing import Gcra, LevelFeedback
from tests.unit.kit.bucket_simulation import Result, Run, Server, between, steady, without

FOREVER = 1e9
SEEDS = (1, 2, 3)


def level() -> LevelFeedback:
    return LevelFeedback(rate=100, burst=2000, max_in_flight=16)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hungry_owner_uses_the_quota_without_one_refusal(seed: int) -> None:
    result = Run(level(), Server(2000, steady(100)), seed=seed).play()
    assert result.utilisation >= 0.97
    assert result.refused == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hidden_rival_that_takes_half_costs_no_refusals(seed: int) -> None:
    result = Run(level(), Server(2000, steady(100), rival=between(20, 40, 50, otherwise=0)), seed=seed).play()
    assert result.utilisation >= 0.97
    assert result.refused <= 0.005 * result.calls


@pytest.mark.parametrize("seed", SEEDS)
def test_an_unannounced_cut_to_half_is_noticed_within_three_refusals(seed: int) -> None:
    result = Run(level(), Server(2000, between(20, FOREVER, 50, otherwise=100)), seed=seed).play()
    assert result.refused <= 3
    assert result.utilisation >= 0.97


def test_a_quota_raised_fivefold_is_used_within_seconds() -> None:
    server = Server(2000, between(30, FOREVER, 500, otherwise=100))
    pacer = level()
    result = Run(pacer, server, report=without("restore_rate")).play()
    late = sum(cost for at, cost in result.started if at >= 35) / 25
    assert late >= 0.9 * 500
    assert result.refused == 0
    assert pacer.snapshot()["refill"] == pytest.approx(500, rel=0.1)


def test_a_rival_shows_in_the_refill_estimate_though_the_api_advertises_the_full_rate() -> None:
    pacer = level()
    Run(pacer, Server(2000, steady(100), rival=steady(50))).play()
    assert pacer.snapshot()["restore_rate"] == 100
    assert pacer.snapshot()["refill"] == pytest.approx(50, rel=0.4)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rival_beside_rare_and_dear_requests_costs_few_refusals(seed: int) -> None:
    server = Server(2000, steady(100), rival=between(50, 250, 50, otherwise=0))
    result = Run(level(), server, costs=(1, 800), seconds=300, seed=seed).play()
    assert result.refused <= 3


@pytest.mark.parametrize("scale", [(0.02, 0.08), (0.1, 0.4), (0.2, 0.8)])
def test_long_round_trips_cost_little_quota_and_no_refusals(scale: tuple[float, float]) -> None:
    """A bucket of one second, where prompt feedback matters most."""
    pacer = LevelFeedback(rate=40, burst=40, max_in_flight=64)
    result = Run(pacer, Server(40, steady(40)), costs=(1, 1), rtt=scale, seconds=24, advertised=40).play()
    assert result.refused == 0
    assert result.utilisation >= 0.93


def test_estimates_twice_too_high_are_settled_and_cost_no_quota() -> None:
    result = Run(level(), Server(2000, steady(100)), overestimate=1.0).play()
    assert result.utilisation >= 0.96
    assert result.refused == 0


def test_estimates_too_high_and_never_corrected_do_not_starve_us() -> None:
    result = Run(level(), Server(2000, steady(100)), overestimate=0.5, report=without("cost"), seconds=300).play()
    assert result.utilisation >= 0.97
    assert result.refused == 0


def test_lost_replies_neither_starve_nor_overrun() -> None:
    result = Run(level(), Server(2000, steady(100)), lost_replies=0.02).play()
    assert result.utilisation >= 0.97
    assert result.refused == 0


def test_an_api_that_always_claims_a_full_bucket_is_soon_not_believed() -> None:
    def lie(_: Server, feedback: Feedback) -> Feedback:
        return replace(feedback, level=2000.0)

    result = Run(level(), Server(2000, steady(100)), report=lie).play()
    assert result.refused <= 0.04 * result.calls
    assert result.utilisation >= 0.95


def test_without_any_feedback_the_model_paces_at_the_configured_rate() -> None:
    result = Run(level(), Server(2000, steady(100), level=0), costs=(10, 10), report=lambda *_: None).play()
    assert 0.9 * 100 * 60 <= result.served <= 100 * 60
    assert result.refused <= 1  # the first request meets the empty bucket


def test_gcra_uses_a_constant_rate_whole() -> None:
    result = Run(Gcra(rate=95, burst=1900), Server(2000, steady(100)), report=lambda *_: None).play()
    assert result.refused == 0
    assert result.utilisation >= 0.94


def test_gcra_slows_down_when_a_constant_rate_is_cut() -> None:
    """A pacer of constant rate would be refused every other call here."""
    server = Server(40, between(20, FOREVER, 20, otherwise=40))
    result: Result = Run(Gcra(40, 40), server, costs=(1, 1), report=lambda *_: None, seconds=120).play()
    assert result.refused <= 0.02 * result.calls
    assert result.utilisation >= 0.9
