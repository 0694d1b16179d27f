"""How the lanes of one account share its quota, and when they may use it. Pure."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, tzinfo

from connectors.kit.errors import Misconfigured
from schemas.entities import Lane
from streams.core.hours import Hours
from streams.core.policy import Flow, TaskKind

FLOORS: Mapping[Lane, float] = {Lane.HIGH: 0.7, Lane.NORMAL: 0.2, Lane.BULK: 0.1}
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Lanes:
    """Of one account. `floors`: least share of the cost served that a lane gets while it has work; the most urgent lane
    gets what the others leave. `hours`: when work may run, by lane, or by share (see `share`) of a flow. `zone`: whose
    clock hours are meant by. Raises Misconfigured for floors that are no shares of one whole."""

    floors: Mapping[Lane, float] = field(default_factory=lambda: FLOORS)
    hours: Mapping[str, Hours] = field(default_factory=dict)
    zone: tzinfo = UTC

    def __post_init__(self) -> None:
        if min(self.floors.values(), default=0.0) < 0.0 or sum(self.floors.values()) > 1.0 + _ROUNDING:
            told = ", ".join(f"{lane} {share:g}" for lane, share in self.floors.items())
            raise Misconfigured(f"lane floors ({told}) must be shares that add up to 1 at most")

    def with_flows(self, flows: Iterable[Flow]) -> Lanes:
        """The same with the hours of flows, by the clock of this account."""
        own = {share(flow.kind, flow.name): replace(flow.hours, zone=self.zone) for flow in flows if flow.hours.windows}
        return replace(self, hours={**self.hours, **own})


def floors(given: Mapping[Lane, float]) -> Mapping[Lane, float]:
    """All floors: those that were not given are the defaults, and the most urgent lane's what the others leave."""
    left = {Lane.HIGH: max(0.0, 1.0 - sum(given.get(lane, FLOORS[lane]) for lane in FLOORS if lane is not Lane.HIGH))}
    return {**FLOORS, **left, **given}


def share(kind: TaskKind | str, cause: str) -> str:
    """Whom work is fair against within its lane: other flows, other reasons to read. One string, not one per row."""
    return sys.intern(f"{kind}:{cause}")
