"""The modelled API neither makes nor loses a unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.testing.score.bucket import Bucket, Closure, Quota, Rival

QUOTAS = st.lists(st.builds(Quota, st.floats(0.1, 200), st.floats(1, 200), st.floats(0, 60)), max_size=3)
RIVALS = st.lists(st.builds(Rival, st.floats(0, 300), st.floats(0, 30), st.floats(30, 60)), max_size=2)
CLOSURES = st.lists(st.builds(Closure, st.floats(0, 30), st.floats(30, 60)), max_size=1)
ASKS = st.lists(st.tuples(st.floats(0, 5), st.floats(0, 50)), max_size=40)


@given(QUOTAS, RIVALS, CLOSURES, ASKS)
def test_what_was_there_was_admitted_spilled_or_is_still_there(
    quotas: list[Quota], rivals: list[Rival], closures: list[Closure], asks: list[tuple[float, float]]
) -> None:
    bucket, now, admitted = Bucket([Quota(40, 40, -1.0), *quotas], rivals, closures), 0.0, 0.0
    for pause, cost in asks:
        now += pause
        admitted += cost * bucket.ask(now, cost)
        assert -1e-5 <= bucket.level <= bucket.quota.capacity + 1e-9
    assert bucket.supply == pytest.approx(admitted + bucket.spilled + bucket.level, abs=1e-4)


@given(QUOTAS, RIVALS, CLOSURES, st.lists(st.floats(0, 90), max_size=30))
def test_the_supply_does_not_depend_on_how_often_it_is_looked_at(
    quotas: list[Quota], rivals: list[Rival], closures: list[Closure], looks: list[float]
) -> None:
    once, often = (Bucket([Quota(40, 40, -1.0), *quotas], rivals, closures) for _ in range(2))
    for at in sorted(looks):
        often.advance(at)
    once.advance(90.0)
    often.advance(90.0)
    assert often.supply == pytest.approx(once.supply, abs=1e-6)
    assert often.level == pytest.approx(once.level, abs=1e-6)


def test_a_rival_takes_from_the_supply_only_while_it_is_there() -> None:
    bucket = Bucket([Quota(40, 40)], [Rival(20, 10, 20)])
    bucket.ask(0.0, 40)
    bucket.advance(30.0)
    assert bucket.supply == pytest.approx(40 + 40 * 30 - 20 * 10)


def test_a_closed_bucket_fills_and_what_it_spills_is_nobodys_loss() -> None:
    bucket = Bucket([Quota(40, 40)], closures=[Closure(0.0, 100.0)])
    assert not bucket.ask(50.0, 1)
    bucket.advance(100.0)
    assert bucket.supply == 40
    assert bucket.ask(100.0, 40)


def test_a_cut_takes_what_no_longer_fits() -> None:
    bucket = Bucket([Quota(40, 40), Quota(20, 20, at=10.0)])
    bucket.advance(10.0)
    assert (bucket.level, bucket.supply) == (20, 40 + 400 - 20)


def test_asking_for_more_than_the_bucket_could_ever_give_is_overshoot() -> None:
    bucket = Bucket([Quota(40, 40)])
    assert all(bucket.ask(0.0, 10) for _ in range(4))
    assert bucket.overshoot == 0.0
    assert not bucket.ask(0.0, 10)
    assert bucket.overshoot == pytest.approx(0.25)
