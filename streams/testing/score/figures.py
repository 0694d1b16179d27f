"""What a run is worth: the measures of a shaper, computed from what was observed. Pure.

A figure is None where the run says nothing of it: no reaction without a change, no fairness with one flow.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from schemas.entities import Lane
from streams.courier.processor import REPORT_INTERVAL
from streams.testing.score.load import Kind
from streams.testing.score.platform import account
from streams.testing.score.wire import Call, Fate
from streams.testing.score.world import SAMPLE, Run

SETTLING = 30.0  # seconds after a cut in which refusals count as its consequence
RESUMED = 0.9  # of the supply: from then on a rise counts as used
WATCHED = 2.0  # seconds over which that is measured
LEARNING = 50  # calls of a shape before its predicted cost is judged


@dataclass(frozen=True, slots=True)
class Focus:
    """What is measured. Times in seconds: `saturated`: demand exceeds supply between them; `cut` and `rise`: when the
    quota changed; `fair`: flows with equal claims."""

    saturated: tuple[float, float] | None = None
    cut: float | None = None
    rise: float | None = None
    fair: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Figures:
    """Shares, seconds and counts; delays from ready to sent by lane, `sync` from a change to its effect."""

    calls: int
    utilisation: float | None
    throttled: float
    overshoot: float
    jain: float | None
    delay_p50: dict[str, float]
    delay_p99: dict[str, float]
    sync_p50: float | None
    sync_p99: float | None
    starvation: float | None
    reaction_down: float | None
    refused_after_cut: int | None
    reaction_up: float | None
    waste: float
    coalescing: float | None
    prediction: float | None
    regressions: int
    cpu_us: float


def figures(run: Run, focus: Focus) -> Figures:
    """All figures of a run. Raises ValueError when it was not saturated although the focus says so."""
    calls = [one for one in run.calls if one.fate is not Fate.FLYING]
    sync = _sync(run)
    refused = [one.arrived for one in calls if one.fate is Fate.REFUSED]
    return Figures(
        calls=len(calls),
        utilisation=utilisation(run, focus.saturated),
        throttled=len(refused) / max(1, len(calls)),
        overshoot=run.samples[-1].overshoot,
        jain=_jain(run, focus),
        delay_p50={lane: quantile(seconds, 0.5) for lane, seconds in sorted(run.waited.items())},
        delay_p99={lane: quantile(seconds, 0.99) for lane, seconds in sorted(run.waited.items())},
        sync_p50=quantile(sync, 0.5) if sync else None,
        sync_p99=quantile(sync, 0.99) if sync else None,
        starvation=_starvation(run),
        reaction_down=_reaction_down(refused, focus.cut),
        refused_after_cut=None if focus.cut is None else len(_after(refused, focus.cut)),
        reaction_up=_reaction_up(run, focus.rise),
        waste=sum(1 for one in calls if one.fate is not Fate.ADMITTED or one.useless) / max(1, len(calls)),
        coalescing=_coalescing(run, calls),
        prediction=_prediction(calls),
        regressions=sum(one.regressed for one in calls) + _twice(run, calls),
        cpu_us=run.cpu / max(1, len(calls)) * 1e6,
    )


def utilisation(run: Run, window: tuple[float, float] | None) -> float | None:
    """Accepted cost / what the API would have admitted to us, while more was wanted."""
    if window is None:
        return None
    start, end = window
    idle = next((one for one in run.samples if start + REPORT_INTERVAL < one.at <= end and one.waiting == 0), None)
    if idle is not None:
        raise ValueError(f"nothing waits {idle.at:g} s after the start: the scenario's demand is below its supply")
    offered = _supply(run, end) - (_supply(run, start) if start else 0.0)
    return sum(one.cost for one in _first(run) if start <= one.arrived < end) / offered


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def jain(served: Sequence[float]) -> float:
    """Jain's index of fairness (Jain, Chiu, Hawe 1984): 1 when all are equal, 1/n when one has everything."""
    squares = sum(one * one for one in served)
    return sum(served) ** 2 / (len(served) * squares) if squares else 0.0


def _admitted(run: Run) -> list[Call]:
    return [one for one in run.calls if one.fate is Fate.ADMITTED]


def _first(run: Run) -> list[Call]:
    """What the first account admitted."""
    return [one for one in _admitted(run) if one.account == account(0).id]


def _supply(run: Run, at: float) -> float:
    return run.samples[round(at / SAMPLE)].supply


def _jain(run: Run, focus: Focus) -> float | None:
    if focus.saturated is None or not focus.fair:
        return None
    served, (start, end) = Counter[str](), focus.saturated
    for one in _first(run):
        if start <= one.arrived < end:
            served[one.flow] += one.cost  # type: ignore[assignment]  # costs are floats
    return jain([served[flow] for flow in focus.fair])


def _sync(run: Run) -> list[float]:
    """From each change to the arrival of its version or a newer one; fetches and what never arrived are left out."""
    arrivals: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    for call in _admitted(run):
        newest = arrivals[call.account, call.entity]
        if call.version and (not newest or call.version > newest[-1][0]):
            newest.append((call.version, call.arrived))
    delays = []
    for change in run.changes:
        known = arrivals.get((account(change.account).id, change.entity), [])
        index = bisect_left(known, (change.version, -math.inf))
        if index < len(known):
            delays.append(known[index][1] - change.at)
    return delays


def _starvation(run: Run) -> float | None:
    """Longest wait in the lowest lane in use."""
    used = [lane.value for lane in Lane if lane.value in run.waited]
    return max(run.waited[used[-1]]) if len(used) > 1 else None


def _after(refused: Sequence[float], cut: float) -> list[float]:
    return [at for at in refused if cut <= at < cut + SETTLING]


def _reaction_down(refused: Sequence[float], cut: float | None) -> float | None:
    """From the cut to the last refusal that follows from it; 0 when there is none."""
    return None if cut is None else max((at - cut for at in _after(refused, cut)), default=0.0)


def _reaction_up(run: Run, rise: float | None) -> float | None:
    """From the rise to when its supply is used; inf when that never comes."""
    if rise is None:
        return None
    costs = [0.0] * (len(run.samples) + 1)
    for one in _first(run):
        costs[min(len(run.samples), int(one.arrived / SAMPLE))] += one.cost
    steps = round(WATCHED / SAMPLE)
    for first in range(round(rise / SAMPLE), len(run.samples) - steps):
        offered = run.samples[first + steps].supply - run.samples[first].supply
        if sum(costs[first : first + steps]) >= RESUMED * offered:
            return first * SAMPLE - rise
    return math.inf


def _coalescing(run: Run, calls: Sequence[Call]) -> float | None:
    writes = sum(1 for one in calls if one.version)
    offered = sum(1 for one in run.changes if _kind(run, one.flow) is not Kind.FETCH)
    return offered / writes if writes else None


def _prediction(calls: Sequence[Call]) -> float | None:
    """Mean of |expected - charged| / charged, after the first calls of each shape."""
    seen, errors = Counter[str](), list[float]()
    for one in calls:
        if one.fate is Fate.ADMITTED:
            seen[one.operation] += 1
            if seen[one.operation] > LEARNING:
                errors.append(abs(one.expected - one.cost) / one.cost)
    return sum(errors) / len(errors) if errors else None


def _twice(run: Run, calls: Sequence[Call]) -> int:
    """Commands carried out more than once."""
    return sum(one.useless and _kind(run, one.flow) is Kind.COMMAND for one in calls)


def _kind(run: Run, flow: str) -> Kind:
    return next(one.kind for one in run.case.streams if one.flow == flow)
