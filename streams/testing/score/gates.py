"""The bars a shaper has to clear, and what a scenario may hold against one of them: only with its reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from streams.testing.score.figures import Figures


@dataclass(frozen=True, slots=True)
class Gate:
    """One bar. `least`: the figure must not be below it, else not above it; `strict`: nor equal to it."""

    figure: str
    bar: float
    least: bool = False
    strict: bool = False

    def passes(self, value: float, bar: float) -> bool:
        """Whether a figure clears the bar."""
        if value == bar:
            return not self.strict
        return value > bar if self.least else value < bar


GATES = (
    Gate("utilisation", 0.98, least=True),
    Gate("throttled", 0.0005),
    Gate("overshoot", 0.0),
    Gate("jain", 0.98, least=True),
    Gate("high_shift", 0.05),
    Gate("reaction_down", 1.0, strict=True),
    Gate("refused_after_cut", 2),
    Gate("reaction_up", 5.0, strict=True),
    Gate("waste", 0.01, strict=True),
    Gate("prediction", 0.10, strict=True),
    Gate("starvation", 600.0, strict=True),
    Gate("regressions", 0),
)


@dataclass(frozen=True, slots=True)
class Apart:
    """Another bar for one scenario, and why. `bar` None: the gate says nothing there."""

    bar: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """One gate at one scenario."""

    figure: str
    value: float
    bar: float
    passed: bool


def judge(figures: Figures, high_shift: float | None, apart: Mapping[str, Apart]) -> list[Verdict]:
    """Every gate that applies. `high_shift`: how much lower lanes moved the high lane's p99, as a share of it."""
    found = []
    for gate in GATES:
        value = high_shift if gate.figure == "high_shift" else getattr(figures, gate.figure)
        other = apart.get(gate.figure)
        bar = gate.bar if other is None else other.bar
        if value is not None and bar is not None:
            found.append(Verdict(gate.figure, value, bar, gate.passes(value, bar)))
    return found
