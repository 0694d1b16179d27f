"""Limits on how many requests are under way at once: a given number, or as many as do not slow the API down. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from connectors.kit.contract import Feedback
from connectors.kit.gate import Gate, Outcome, is_refusal, usable

_SLOWER = 0.7  # of the places after a refusal
_UNBOUNDED = 1_000_000  # requests; the places are counted here and not by the gate
_EPSILON = 1e-9


class Concurrent:
    """A number of places. A refusal takes some away; answers while all are taken bring them back one by one."""

    def __init__(self, places: float) -> None:
        self._gate = Gate(_UNBOUNDED)
        self._most = places
        self._limit = places

    def admits(self, cost: float) -> bool:
        """Whether a request that takes `cost` places can ever start."""
        return cost <= max(1.0, self._most)

    def ready_at(self, now: float, cost: float, urgent: bool = False) -> float:
        """Now, or at the end of a block, when there is a place; inf: not before something is settled, or never."""
        taken = self._gate.in_flight_cost
        fits = taken <= 0.0 or taken + cost <= math.floor(self._limit + _EPSILON)
        return self._gate.opens_at(now) if cost <= 0.0 or (fits and self.admits(cost)) else math.inf

    def start(self, now: float, cost: float) -> None:
        """A request takes its places."""
        self._gate.start(cost)

    def settle(self, now: float, cost_expected: float, feedback: Feedback | None, outcome: Outcome) -> None:
        """A request gives its places back. `feedback.limit`, if any, is the number of places."""
        busy = self._gate.in_flight_cost >= math.floor(self._limit) / 2.0
        fresh = now >= self._gate.blocked_until
        self._gate.settle(now, cost_expected, feedback, outcome, told=False)
        told = usable(feedback.limit, 1.0) if feedback is not None else None
        if told is not None and told != self._most:
            self._most = self._limit = told
        if is_refusal(feedback, outcome):
            if fresh:
                self._set(self._limit * _SLOWER)
        elif outcome is Outcome.ANSWERED and busy:
            self._set(self._grown())

    def block(self, until: float) -> None:
        """Nothing starts before `until`."""
        self._gate.block(until)

    def snapshot(self) -> dict[str, float]:
        """As every pacer; `level`: free places, `limit`: places now, `restore_rate`: places at most."""
        return {
            **self._gate.snapshot(),
            "max_in_flight": float(math.floor(self._limit)),
            "level": max(0.0, math.floor(self._limit) - self._gate.in_flight_cost),
            "limit": self._limit,
            "refill": 0.0,
            "restore_rate": self._most,
        }

    def restore(self, saved: Mapping[str, float]) -> None:
        """Take over a former owner's block and the number of places it had found."""
        self._gate.block(saved.get("blocked_until", -math.inf))
        limit = usable(saved.get("limit"), 1.0)
        if limit is not None:
            self._set(limit)

    def _grown(self) -> float:
        return self._limit + 1.0 / self._limit

    def _set(self, limit: float) -> None:
        self._limit = min(self._most, max(1.0, limit))


_FEWEST = 10  # replies that make a reading of the latency, at least two per place
_MEASURE_EVERY = 50  # readings; one of them is taken with half of the places, to see the latency without a queue
_FEW, _MANY = (1.0, 0.1), (2.0, 0.2)  # requests in the API's queue (fixed part, share of the places): grow, shrink


class Latency(Concurrent):
    """As many requests at once as the API answers without queueing them: TCP Vegas' estimate.

    `places * (1 - latency without a queue / latency)` requests stand in a queue somewhere. Fewer than _FEW of them: one
    place more (twice as many, before the first queue was seen); more than _MANY: fewer places. The latency without a
    queue is measured anew from time to time with half of the places, as BBR does, so neither a slower API nor our own
    queue is taken for it. Averages over a reading, not single replies, because operations differ. Nothing is concluded
    while fewer than half of the places are taken.
    """

    def __init__(self, most: float, first: float = 4.0) -> None:
        super().__init__(most)
        self._set(first)
        self._unqueued = math.inf  # seconds
        self._sum, self._count = 0.0, 0
        self._readings = 0
        self._starting = True
        self._before = 0.0  # places before a measurement, 0 while there is none
        self._skip = 0  # replies that still belong to the number of places before

    def observe(self, seconds: float) -> None:
        """A reply took so long. To be called before the request is settled."""
        if not math.isfinite(seconds) or seconds <= 0.0 or self._gate.in_flight_cost < self._limit / 2.0:
            return
        if self._skip > 0:
            self._skip -= 1
            return
        self._sum += seconds
        self._count += 1
        if self._count >= max(_FEWEST, 2.0 * self._limit):
            mean = self._sum / self._count
            self._sum, self._count = 0.0, 0
            self._read(mean)

    def _read(self, mean: float) -> None:
        self._readings += 1
        if self._before:
            self._unqueued = mean
            self._set(self._before)
            self._before, self._skip = 0.0, int(self._limit)
            return
        self._unqueued = min(self._unqueued, mean)
        queue = self._limit * (1.0 - self._unqueued / mean)
        if queue < _FEW[0] + _FEW[1] * self._limit:
            self._set(self._limit * 2.0 if self._starting else self._limit + 1.0)
        else:
            self._starting = False
            if queue > (many := _MANY[0] + _MANY[1] * self._limit):
                self._set(self._limit - max(1.0, (queue - many) / 2.0))
        if self._readings % _MEASURE_EVERY == 0:
            self._before, self._skip = self._limit, int(2.0 * self._limit)
            self._set(self._limit / 2.0)

    def _grown(self) -> float:
        return self._limit  # only what latency says makes it grow
