"""Pacing of a quota per window: so many units per day, hour or minute. Pure."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.kit.contract import Feedback
from connectors.kit.gate import Gate, Outcome, charged, usable

SHORT = 60.0  # seconds; a window up to this long may be spent at once
HEAD = 0.1  # of a longer window's quota may be spent at once, the rest evenly until its end
RESOLUTION = 1.0  # seconds; resets are told in whole seconds, rounded to either side
_SLOTS = 500  # per window: what started within one of them expires together
_SAME_END = 2.0  # seconds by which two tellings of one reset may differ
_ROUNDING = 1e-9  # of the limit


@dataclass(slots=True)
class _Slot:
    first: float
    last: float
    cost: float


class Window:
    """Two bounds, and the tighter one rules.

    Our own account: in any `window` seconds, wherever they begin, no more than `limit` starts, whatever replies say. A
    request counts from its start until `window` seconds after its end, so it has left the API's window before ours.

    The API's account: what is left (`level`), and when it resets; it sees what others used. Where no reset is told,
    what we spent comes back as it grows old. The first request of a window goes out alone where resets are told.

    A long window is not spent by noon: beyond HEAD of it, what may be spent grows with the time that has passed of it.
    Until a reset is told, windows are counted from the first request.
    """

    def __init__(self, limit: float, window: float, max_in_flight: int = 16) -> None:
        self._gate = Gate(max_in_flight)
        self._limit = limit
        self._window = window
        self._slots: deque[_Slot] = deque()
        self._spent = 0.0  # in `_slots`
        self._left = math.inf  # as the API says, less what is in flight
        self._mine = 0.0  # spent or in flight since the window began
        self._ends = -math.inf
        self._told = False  # that end is the API's
        self._told_at = -math.inf  # when it last said what is left
        self._lowest = math.inf  # level told since nothing was under way
        self._probe = False  # the API tells its resets and has said nothing of this window yet
        self._at = 0.0

    def admits(self, cost: float) -> bool:
        """Whether a request of this cost can ever start."""
        return cost <= self._limit

    def ready_at(self, now: float, cost: float, urgent: bool = False) -> float:
        """Earliest time a request of `cost` may start; inf: not before something is settled, or never. An urgent one
        does not wait for its part of the day."""
        if not self.admits(cost):
            return math.inf
        return max(self._gate.opens_at(now), self._by_account(now, cost), self._by_report(now, cost, urgent))

    def start(self, now: float, cost: float) -> None:
        """A request starts and is charged its expected cost."""
        self._roll(now)
        self._gate.start(cost)
        self._left -= cost
        self._mine += cost

    def settle(self, now: float, cost_expected: float, feedback: Feedback | None, outcome: Outcome) -> None:
        """A request ended: from now on it grows old; learn what the reply says of the window."""
        self._roll(now)
        level = usable(feedback.level) if feedback is not None else None
        self._gate.settle(now, cost_expected, feedback, outcome, told=level is not None and level < cost_expected)
        actual = charged(cost_expected, feedback, outcome)
        self._count(now, actual)
        self._left += cost_expected - actual
        self._mine += actual - cost_expected
        if feedback is not None:
            self._learn(now, feedback, level)

    def block(self, until: float) -> None:
        """Nothing starts before `until`."""
        self._gate.block(until)

    def snapshot(self) -> dict[str, float]:
        """State for metrics and a warm restart, as of the last start or settle."""
        ends = self._ends if math.isfinite(self._ends) else 0.0
        return {
            **self._gate.snapshot(),
            "level": max(0.0, min(self._left, self._limit - self._spent - self._gate.in_flight_cost)),
            "limit": self._limit,
            "refill": self._limit / self._window,
            "restore_rate": self._limit / self._window,
            "window": self._window,
            "ends": ends,
            "mine": self._mine,
            "spent": self._spent + self._gate.in_flight_cost,
            "at": self._at,
        }

    def restore(self, saved: Mapping[str, float]) -> None:
        """Take over a former owner's block, what it had spent and what it knew of the window."""
        self._gate.block(saved.get("blocked_until", -math.inf))
        self._limit = usable(saved.get("limit"), 1e-9) or self._limit
        self._window = usable(saved.get("window"), 1e-9) or self._window
        self._at = saved.get("at", 0.0)
        self._ends = saved.get("ends") or -math.inf
        self._mine = usable(saved.get("mine")) or 0.0
        self._count(self._at, usable(saved.get("spent")) or 0.0)

    # -- our own account

    def _by_account(self, now: float, cost: float) -> float:
        excess = self._spent + self._gate.in_flight_cost + cost - self._limit
        if excess <= _ROUNDING * self._limit:
            return now
        for slot in self._slots:
            excess -= slot.cost
            if excess <= _ROUNDING * self._limit:
                return max(now, slot.last + self._window)
        return math.inf

    def _count(self, now: float, cost: float) -> None:
        self._at = max(self._at, now)
        if cost > 0.0:
            self._spent += cost
            if self._slots and now - self._slots[-1].first < self._window / _SLOTS:
                self._slots[-1].last = max(self._slots[-1].last, now)
                self._slots[-1].cost += cost
            else:
                self._slots.append(_Slot(now, now, cost))

    def _roll(self, now: float) -> None:
        """What is older than a window is forgotten; a window that ended is followed by the next."""
        self._at = max(self._at, now)
        while self._slots and self._slots[0].last + self._window <= now:
            old = self._slots.popleft().cost
            self._spent -= old
            self._left += 0.0 if self._told else old
        if not self._slots:
            self._spent = 0.0
        if now >= self._ends:
            begun = now if not math.isfinite(self._ends) else now - (now - self._ends) % self._window
            self._ends = begun + self._window
            self._mine = self._gate.in_flight_cost
            if self._told:
                self._left, self._lowest = self._limit - self._mine, math.inf
                self._told, self._probe = False, True

    # -- the API's account

    def _by_report(self, now: float, cost: float, urgent: bool) -> float:
        if self._ends <= now:
            return math.inf if self._told and self._gate.in_flight else now
        if self._probe and self._gate.in_flight:
            return math.inf
        if cost > self._left + _ROUNDING * self._limit:
            return self._ends if self._told else self._regained(cost - self._left)
        if urgent:
            return now
        return max(now, self._due(now, cost + (self._limit - self._left if self._told else self._mine)))

    def _regained(self, missing: float) -> float:
        """When so much of what we spent has grown old; what others spent has within a window of their report."""
        for slot in self._slots:
            missing -= slot.cost
            if missing <= _ROUNDING * self._limit:
                return slot.last + self._window
        return self._told_at + self._window

    def _due(self, now: float, used: float) -> float:
        """When so much of this window may have been used."""
        if self._window <= SHORT or self._ends - now > self._window + _SAME_END:
            return now
        share = (used / self._limit - HEAD) / (1.0 - HEAD)
        return self._ends - self._window * (1.0 - min(1.0, share))

    def _learn(self, now: float, feedback: Feedback, level: float | None) -> None:
        self._resize(usable(feedback.limit, 1e-9), usable(feedback.window, 1e-9))
        resets_after = usable(feedback.resets_after)
        other = resets_after is not None and self._end_at(now + resets_after + RESOLUTION)
        if level is None:
            return
        self._lowest = level if other else min(self._lowest, level)  # replies overtake each other: the lowest is newest
        left = min(self._lowest, self._limit) - self._gate.in_flight_cost
        alone = self._gate.in_flight == 0  # nothing is on its way that the report does not count
        if not self._told:
            self._left = min(level, self._limit) - self._gate.in_flight_cost
        else:
            self._left = left if other or alone else min(self._left, left)
        if alone:
            self._lowest = math.inf
        self._told_at, self._probe = now, False

    def _end_at(self, end: float) -> bool:
        """The API told when its window ends. Returns whether that is another window than the one we knew of."""
        if self._told and abs(end - self._ends) <= _SAME_END:
            self._ends = min(self._ends, end)
            return False
        later = self._told and end > self._ends
        self._ends, self._told = end, True
        return later

    def _resize(self, limit: float | None, window: float | None) -> None:
        if limit is not None:
            self._limit = limit
        if window is not None and window != self._window:
            self._window = window
