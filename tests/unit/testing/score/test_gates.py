"""Planted shapers that are no good, and the gates that catch them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.kit.contract import Budget
from schemas.entities import Lane
from streams.testing.score.api import Api, Dialect, Shape
from streams.testing.score.bucket import Closure
from streams.testing.score.figures import Figures, Focus, figures, jain, quantile
from streams.testing.score.gates import GATES, Apart, judge
from streams.testing.score.load import Burst, Stream, changes
from streams.testing.score.scenarios import SCENARIOS
from streams.testing.score.world import Case, Run, run

HUNGRY = Case((Stream("stock", backlog=900),), 15.0, Api(dialect=Dialect.SILENT))
FOCUS = Focus((0.0, 15.0))


def failed(case: Case, focus: Focus = FOCUS) -> set[str]:
    return {one.figure for one in judge(figures(run(case, 1), focus), None, {}) if not one.passed}


def test_a_courier_that_does_not_pace_is_refused_overshoots_and_wastes() -> None:
    unpaced = replace(HUNGRY, budget=Budget("rate", 1e6, 1e6, 64))
    assert {"throttled", "overshoot", "waste"} <= failed(unpaced)


def test_a_careful_static_rate_leaves_quota_unused() -> None:
    assert failed(replace(HUNGRY, budget=Budget("rate", 34.0, 40.0, 32))) == {"utilisation"}


def test_too_few_places_for_the_round_trip_leave_quota_unused() -> None:
    slow = replace(HUNGRY, api=Api(rtt=(0.5, 0.5)), budget=Budget("level", 40.0, 40.0, 4))
    assert "utilisation" in failed(slow)


def test_one_flow_before_the_other_is_unfair() -> None:
    first = Stream("a", Lane.HIGH, backlog=900)
    assert "jain" in failed(
        replace(HUNGRY, streams=(first, Stream("b", backlog=900))), Focus((0.0, 15.0), fair=("a", "b"))
    )


def test_costs_that_nobody_reports_are_predicted_wrong() -> None:
    dear = replace(HUNGRY, shapes={"write": Shape(1.0, 2.0, 2.0)}, budget=Budget("rate", 20.0, 20.0, 32))
    assert "prediction" in failed(dear)


def test_who_is_still_away_after_the_end_of_an_outage_is_too_late() -> None:
    lame = replace(HUNGRY, budget=Budget("rate", 10.0, 10.0, 32), api=Api(closures=(Closure(2.0, 4.0, outage=True),)))
    assert "reaction_up" in failed(lame, Focus(rise=4.0))


def test_demand_below_supply_says_nothing_of_utilisation() -> None:
    with pytest.raises(ValueError, match="demand is below its supply"):
        figures(run(replace(HUNGRY, streams=(Stream("stock", rate=5.0),)), 1), FOCUS)


def test_the_same_seed_gives_the_same_figures() -> None:
    def once(seed: int) -> Figures:
        return replace(figures(run(replace(HUNGRY, api=Api(lost=0.01)), seed), FOCUS), cpu_us=0.0)

    assert once(7) == once(7)
    assert once(7) != once(8)


def test_a_bar_is_moved_only_with_a_reason_and_only_for_a_gate() -> None:
    names = {one.figure for one in GATES}
    for scenario in SCENARIOS:
        assert scenario.apart.keys() <= names
        assert all(one.reason for one in scenario.apart.values())


def test_a_gate_that_is_set_apart_has_the_other_bar_or_none() -> None:
    measured = figures(run(replace(HUNGRY, seconds=2.0), 1), Focus())
    assert "waste" in {one.figure for one in judge(measured, None, {})}
    assert "waste" not in {one.figure for one in judge(measured, None, {"waste": Apart(None, "why")})}
    assert not all(one.passed for one in judge(measured, None, {"waste": Apart(0.0, "why")}))
    assert [one.passed for one in judge(measured, 0.06, {}) if one.figure == "high_shift"] == [False]


def test_what_a_stream_offers_does_not_depend_on_its_neighbours() -> None:
    one, other = Stream("a", rate=20.0, entities=5), Stream("b", rate=20.0, burst=Burst(10.0, 20.0, 10.0))
    together = changes((one, other), 60.0, 3)
    assert [change for change in together if change.flow == "a"] == changes((one,), 60.0, 3)
    inside = [change for change in together if change.flow == "b" and 10.0 <= change.at < 20.0]
    assert 1700 < len(inside) < 2300


def test_indices_are_as_defined() -> None:
    assert jain([1.0, 1.0, 1.0]) == pytest.approx(1.0)
    assert jain([3.0, 0.0, 0.0]) == pytest.approx(1 / 3)
    assert [quantile(range(1, 101), share) for share in (0.5, 0.99, 1.0)] == [50, 99, 100]


def test_a_run_that_nothing_was_asked_of_has_no_figures_of_it() -> None:
    empty = figures(Run(HUNGRY, [], samples=run(replace(HUNGRY, seconds=1.0), 1).samples), Focus())
    assert (empty.calls, empty.utilisation, empty.jain, empty.prediction, empty.coalescing) == (
        0,
        None,
        None,
        None,
        None,
    )
