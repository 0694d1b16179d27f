"""Pacing of an API whose limit nobody knows: slow start, then additive increase, multiplicative decrease. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping

from connectors.kit.contract import Feedback
from connectors.kit.gate import Gate, Outcome, charged, is_refusal, usable

_MEASURED = 2.0  # seconds over which the accepted rate is measured
_SLACK = 0.1  # seconds of lateness that may be caught up
_LEAST = 0.01  # units per second
_DEPTH, _SHALLOW = 0.3, 0.05  # of the learnt limit that the first cut takes, and one after a limit was confirmed
_STRETCH, _LONGEST = 10.0, 640.0  # seconds of use from a cut back to the learnt limit, at first and at most
_CONFIRMED = 0.1  # share by which two measurements of one limit differ
_ENOUGH = 4000  # answers per refusal: the search for more takes no longer than that
_OUTGROWN = 1.1  # times the learnt limit without a refusal: it was raised


class Aimd:
    """Finds the rate an API bears and stays just below it; each time it looks for more may cost one refusal.

    Slow start: the rate doubles with every second of full use, until the first refusal or `most`. The learnt limit lies
    between what was accepted per second since the last refusal (too little, if the bucket was ever full) and what was
    accepted just before this one (too much, as the bucket was running dry). The rate falls below it and comes back
    along a cubic (RFC 9438), flat near the limit. When the next refusal confirms the limit, the next cut is shallow and
    the search for more takes twice as long, so a constant limit costs ever fewer refusals. Above _OUTGROWN times the
    limit slow start begins again. Time counts only while the rate is used: an idle hour proves nothing.
    """

    def __init__(self, rate: float, most: float, max_in_flight: int = 16) -> None:
        self._gate = Gate(max_in_flight)
        self._most = most
        self._first = min(rate, most)
        self._limit = math.inf  # learnt
        self._stretch = _STRETCH
        self._depth = _DEPTH
        self._used = 0.0  # seconds of full use since the start or the last cut
        self._accepted: deque[tuple[float, float]] = deque()  # lately
        self._cut_at = -math.inf
        self._answers, self._units = 0, 0.0  # accepted since then
        self._next = -math.inf

    def admits(self, cost: float) -> bool:
        """Nothing is known that would forbid any request for ever."""
        return True

    def ready_at(self, now: float, cost: float, urgent: bool = False) -> float:
        """Earliest time a request may start, urgent or not; inf: not before something is settled."""
        return max(self._gate.opens_at(now), self._next)

    def start(self, now: float, cost: float) -> None:
        """A request starts; the next one waits for as long as it takes at the present rate."""
        self._gate.start(cost)
        self._next = max(self._next, now - _SLACK) + cost / self.rate

    def settle(self, now: float, cost_expected: float, feedback: Feedback | None, outcome: Outcome) -> None:
        """A request ended: an answer lets the rate grow, a refusal cuts it, once for all that were under way."""
        fresh = now >= self._gate.blocked_until
        self._gate.settle(now, cost_expected, feedback, outcome, told=False)
        if is_refusal(feedback, outcome):
            if fresh:
                self._cut(now)
        elif outcome is Outcome.ANSWERED:
            cost = charged(cost_expected, feedback, outcome)
            self._used += cost / self.rate
            self._remember(now, cost)
            if self._depth == _SHALLOW and self.rate > _OUTGROWN * self._limit:
                self._first, self._limit, self._used = self.rate, math.inf, 0.0

    def block(self, until: float) -> None:
        """Nothing starts before `until`."""
        self._gate.block(until)

    @property
    def rate(self) -> float:
        """Units per second now."""
        if math.isinf(self._limit):
            rate = self._first * math.pow(2.0, min(self._used, 60.0))
        else:
            rate = self._limit * (1.0 + self._depth * math.pow(self._used / self._stretch - 1.0, 3.0))
        return min(self._most, max(_LEAST, rate))

    def snapshot(self) -> dict[str, float]:
        """State for metrics and a warm restart; `level` is always unknown, `learnt` 0 until there was a refusal."""
        return {
            **self._gate.snapshot(),
            "level": -1.0,
            "limit": self._most,
            "refill": self.rate,
            "restore_rate": self.rate if math.isinf(self._limit) else self._limit,
            "learnt": 0.0 if math.isinf(self._limit) else self._limit,
            "stretch": self._stretch,
        }

    def restore(self, saved: Mapping[str, float]) -> None:
        """Go on from what a former owner had learnt: no second slow start."""
        self._gate.block(saved.get("blocked_until", -math.inf))
        learnt = usable(saved.get("learnt"), _LEAST)
        if learnt is not None:
            self._limit, self._depth = learnt, _SHALLOW
            self._stretch = min(_LONGEST, usable(saved.get("stretch"), _STRETCH) or _STRETCH)
        elif (rate := usable(saved.get("refill"), _LEAST)) is not None:
            self._first = min(self._most, max(self._first, rate / 2.0))

    def _cut(self, now: float) -> None:
        limit = max(_LEAST, min(self.rate, self._measured(now)))
        confirmed = abs(limit / self._limit - 1.0) <= _CONFIRMED and self._used >= self._stretch / 2.0
        if not confirmed:
            self._stretch = _STRETCH
        elif self._answers < _ENOUGH:
            self._stretch = min(_LONGEST, self._stretch * 2.0)
        self._depth = _SHALLOW if confirmed else _DEPTH
        self._limit, self._used = limit, 0.0
        self._cut_at, self._answers, self._units = now, 0, 0.0
        self._accepted.clear()
        self._next = now

    def _remember(self, now: float, cost: float) -> None:
        self._answers += 1
        self._units += cost
        self._accepted.append((now, cost))
        while now - self._accepted[0][0] > _MEASURED:
            self._accepted.popleft()

    def _measured(self, now: float) -> float:
        """Units per second the API bears; half the present rate when there were too few answers to say."""
        if len(self._accepted) < 2:
            return self.rate / 2.0
        lately = sum(cost for _, cost in self._accepted) / max(_MEASURED / 4.0, now - self._accepted[0][0])
        if now - self._cut_at < _MEASURED or math.isinf(self._cut_at):
            return lately
        return (lately + self._units / (now - self._cut_at)) / 2.0
