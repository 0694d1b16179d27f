"""What is learnt from refusals alone: how much there is, when there is more, and at what price."""

from __future__ import annotations

import pytest

from connectors.kit.pacing import Gcra
from tests.unit.kit.bucket_simulation import Result, Run, Server, between, steady

RATE = 40.0
SILENCE = {"costs": (1.0, 1.0), "report": lambda *_: None}
START, END = 20.0, 40.0  # of a rival


def under_a_rival(share: float, seconds: float = 60.0, end: float = END) -> tuple[Result, Gcra]:
    pacer = Gcra(RATE, RATE, max_in_flight=32)
    rival = between(START, end, share * RATE, 0.0)
    return Run(pacer, Server(RATE, steady(RATE), rival), seconds=seconds, **SILENCE).play(), pacer  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_a_rival_that_only_refusals_show_leaves_its_share_and_costs_few_of_them(share: float) -> None:
    result, _ = under_a_rival(share)
    assert result.utilisation > 0.93
    assert result.refused <= 16


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
def test_the_net_refill_is_measured_by_the_second_refusal(share: float) -> None:
    _, pacer = under_a_rival(share, seconds=24.5, end=100.0)
    assert pacer.snapshot()["refill"] == pytest.approx(RATE * (1.0 - share), rel=0.15)


def test_when_the_rival_has_gone_the_whole_rate_is_used_again() -> None:
    result, pacer = under_a_rival(0.5)
    assert pacer.snapshot()["refill"] == RATE
    assert not [at for at in result.refused_at if at > END + 10.0]
    assert result.utilisation > 0.97


def test_a_rival_that_stays_is_asked_about_ever_less_often() -> None:
    result, _ = under_a_rival(0.5, seconds=620.0, end=1000.0)
    early = [at for at in result.refused_at if at < 80.0]
    late = [at for at in result.refused_at if at >= 560.0]
    assert len(early) > 2 * len(late) > 0
    assert result.refused / result.calls < 0.005


def test_a_bucket_that_gives_nothing_for_a_while_is_asked_again() -> None:
    result, pacer = under_a_rival(1.2, seconds=80.0)
    assert pacer.snapshot()["refill"] == RATE
    assert result.utilisation > 0.75
