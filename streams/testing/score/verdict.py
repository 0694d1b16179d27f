"""One scenario, run, measured and judged."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from schemas.entities import Lane
from streams.testing.score.figures import Figures, Focus, figures
from streams.testing.score.gates import Verdict, judge
from streams.testing.score.scenarios import Scenario
from streams.testing.score.world import Case, run


@dataclass(frozen=True, slots=True)
class Score:
    """One scenario, run and judged."""

    scenario: Scenario
    seed: int
    figures: Figures
    high_shift: float | None
    verdicts: list[Verdict]

    @property
    def failed(self) -> list[Verdict]:
        """The gates it does not pass."""
        return [one for one in self.verdicts if not one.passed]

    def line(self) -> str:
        """One JSON object."""
        record: dict[str, Any] = {"scenario": self.scenario.name, "about": self.scenario.about, "seed": self.seed}
        record["passed"] = not self.failed
        measured = {**asdict(self.figures), "high_shift": self.high_shift}
        record |= {name: _plain(value) for name, value in measured.items() if value is not None}
        record["failed"] = [f"{one.figure} is {one.value:.6g}, the bar is {one.bar:g}" for one in self.failed]
        record["apart"] = {name: one.reason for name, one in self.scenario.apart.items()}
        return json.dumps(record)


def score(scenario: Scenario, seed: int) -> Score:
    """Run one scenario in virtual time."""
    measured = figures(run(scenario.case, seed), scenario.focus)
    shift = None if scenario.alone is None else _shift(scenario.alone, seed, measured)
    return Score(scenario, seed, measured, shift, judge(measured, shift, scenario.apart))


def _shift(alone: Case, seed: int, measured: Figures) -> float:
    """By what share the high lane's p99 is longer than without the lower lanes. A wait that is shorter than the quota
    needs for one call counts as that long."""
    quota, slot = alone.api.quotas[0], max(one.high for one in alone.shapes.values())
    before = max(figures(run(alone, seed), Focus()).delay_p99[Lane.HIGH], slot / quota.refill)
    return max(measured.delay_p99[Lane.HIGH], slot / quota.refill) / before - 1.0


def _plain(value: Any) -> Any:
    """Rounded for reading."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return round(value, 6) if isinstance(value, float) and math.isfinite(value) else value
