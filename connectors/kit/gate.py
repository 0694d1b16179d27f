"""What every pacer has beside its rate: requests in flight, blocks and pauses. Pure."""

from __future__ import annotations

import math
from enum import StrEnum

from connectors.kit.contract import Feedback

FIRST_PAUSE = 1.0  # seconds after a refusal without Retry-After (shopify.dev/docs/api/usage/limits: back off 1 s)
LONGEST_PAUSE = 60.0  # seconds
URGENT_SHARE = 0.25  # of a reserve that urgent requests leave in the bucket as well


class Outcome(StrEnum):
    """What became of a paced request, as far as its bucket is concerned."""

    ANSWERED = "answered"  # any reply but a refusal for rate: it was charged
    THROTTLED = "throttled"  # refused for its rate: it was not charged
    NOT_SENT = "not_sent"  # it never left: it was not charged
    UNKNOWN = "unknown"  # no reply: taken as charged


def usable(value: float | None, lowest: float = 0.0) -> float | None:
    """The value when it is a finite number of at least `lowest`, else None: malformed feedback is as good as none."""
    if value is None or not math.isfinite(value) or value < lowest:
        return None
    return value


def is_refusal(feedback: Feedback | None, outcome: Outcome) -> bool:
    """Whether the request was refused for its rate, by status or inside a reply of status 200."""
    return outcome is Outcome.THROTTLED or (feedback is not None and feedback.throttled)


def charged(expected: float, feedback: Feedback | None, outcome: Outcome) -> float:
    """Units the request cost: what the reply says, else nothing when it was refused or not sent, else `expected`."""
    told = usable(feedback.cost) if feedback is not None else None
    if told is not None and outcome is not Outcome.NOT_SENT:
        return told
    return 0.0 if outcome is Outcome.NOT_SENT or is_refusal(feedback, outcome) else expected


class Gate:
    """Concurrency, Retry-After and pauses of one bucket. Times are seconds of one clock."""

    def __init__(self, max_in_flight: int) -> None:
        self.max_in_flight = max_in_flight
        self.in_flight = 0
        self.in_flight_cost = 0.0
        self.blocked_until = -math.inf
        self.refusals = 0
        self._streak = 0

    def opens_at(self, now: float) -> float:
        """Earliest time for a further request; inf while all places are taken."""
        return math.inf if self.in_flight >= self.max_in_flight else max(now, self.blocked_until)

    def start(self, cost: float) -> None:
        """A request takes a place."""
        self.in_flight += 1
        self.in_flight_cost += cost

    def settle(self, now: float, cost: float, feedback: Feedback | None, outcome: Outcome, told: bool) -> None:
        """A request gives its place back. `told`: the refusal came with a level that says when to go on."""
        self.in_flight = max(0, self.in_flight - 1)
        self.in_flight_cost = max(0.0, self.in_flight_cost - cost) if self.in_flight else 0.0
        wait = usable(feedback.retry_after) if feedback is not None else None
        fresh = now >= self.blocked_until
        if is_refusal(feedback, outcome):
            self.refusals += 1
            self._streak += fresh  # replies to what was sent before the pause are no new evidence
            if wait is None and fresh and not (told and self._streak == 1):
                self.block(now + min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._streak - 1, 10)))
        elif outcome is Outcome.ANSWERED and fresh:
            self._streak = 0
        if wait is not None:
            self.block(now + wait)

    def block(self, until: float) -> None:
        """Nothing starts before `until`; an earlier end never shortens a block."""
        self.blocked_until = max(self.blocked_until, until)

    def snapshot(self) -> dict[str, float]:
        """Numbers for metrics and for a warm restart; blocked_until is 0 when it never was blocked."""
        return {
            "in_flight": float(self.in_flight),
            "in_flight_cost": self.in_flight_cost,
            "max_in_flight": float(self.max_in_flight),
            "blocked_until": max(0.0, self.blocked_until),
            "refusals": float(self.refusals),
        }
