"""What a bucket gives that says nothing but no: its level and net refill, learnt from refusals. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass

_FIRST = 0.5  # of the rate is left after the first refusal, until the second one tells: an equal rival, a halved quota
_SLOWER = 0.7  # of the net refill after a refusal too soon for a measurement (botocore's adaptive mode)
_LEAST_SHARE = 0.5  # of the net refill is left by any one measurement ...
_SLOWEST = 0.05  # ... and of the known rate by all of them
_BELOW = 0.99  # of what was measured is used; the rest is saved in the bucket and spent at the next look
_MEASURABLE = 0.5  # seconds between two refusals that make a measurement
_LOOK = 1.75  # seconds from the end of a pause to a look for more; at once, when nothing was measured yet
_FASTER = 2.0  # times the net refill while looking for more
_SLACK, _DRIFT = 0.1, 0.02  # seconds of the net refill by which the believed level may be wrong, more each second
_FOUND = 1.25  # times the net refill after each request that was beyond that and was let through
_FEW_BEYOND, _MANY_BEYOND = 2, 4  # requests beyond it under way: while the refill is below the rate
_DRAIN = 1.0  # seconds over which what was saved is spent
_PER_ANSWER, _PER_SECOND = 1 / 400, 1 / 60  # looks that may fail: a rival that stays has no more calls refused
_LOOKS = 8.0  # saved up


@dataclass(slots=True)
class _Sent:
    """A request under way. `left`: what it is believed to leave in the bucket; `raised`: of all beliefs by then."""

    at: float
    cost: float
    left: float
    raised: float


class Shortage:
    """A second bucket beside that of the known rate, from the first refusal until it is found to be as full.

    A refusal is a reading: the level is 0. What was let through between two refusals is what the bucket gained, so the
    second refusal measures the net refill. Requests then leave at that rate, less a little. After some seconds one
    request goes beyond it. When it is let through there is more: twice as many go beyond and the believed refill grows,
    round trip by round trip. When it is refused, that is the next measurement. Refusals of such looks are paid from a
    budget that answers and time fill, so a rival that stays does not cost a refusal every few seconds.

    The level is the one a request meets that starts now: the way there takes time, but the same for all.
    """

    def __init__(self, rate: float, burst: float) -> None:
        self._most = rate
        self._burst = burst
        self._short = False
        self._net = rate
        self._measured = rate  # before looks raised it
        self._level = burst
        self._raised = self._raised_before = 0.0  # by which looks raised the level, in all and before this one
        self._at = -math.inf
        self._since, self._level_then, self._taken = -math.inf, burst, 0.0  # the measurement under way
        self._told_at = -math.inf  # what was sent before the refusal was heard of, is no new evidence
        self._sent: list[_Sent] = []
        self._beyond = 1
        self._found_at = -math.inf
        self._look_at = -math.inf
        self._looks = _LOOKS
        self._last_start, self._last_cost = -math.inf, 0.0

    @property
    def net(self) -> float:
        """Units per second the bucket is believed to gain."""
        return self._net

    def ready_at(self, now: float, cost: float, kept: float, urgent: bool) -> float:
        """Earliest time for a request of `cost` that leaves `kept` in the bucket, or for one that looks for more."""
        if not self._short:
            return now
        level, kept = self._level_at(now), kept * self._net / self._most
        due = now + max(0.0, cost + kept - level) / self._net
        if not urgent:
            due = max(due, self._spaced(self._net + max(0.0, level - kept) / _DRAIN))
        if self._looks < 1.0 or sum(one.left < 0.0 for one in self._sent) >= self._beyond:
            return due
        beyond = now + max(0.0, cost * (1 - self._beyond) - level) / self._net
        return min(due, max(beyond, self._look_at, self._spaced(self._net * _FASTER)))

    def start(self, now: float, cost: float) -> None:
        """A request starts and is charged its expected cost."""
        self._advance(now)
        self._level -= cost
        self._sent.append(_Sent(now, cost, self._level, self._raised))
        self._last_start, self._last_cost = now, cost

    def settle(self, now: float, expected: float, actual: float, answered: bool) -> None:
        """A request ended that was not refused and cost `actual`. `answered`: it is known to have been let through."""
        self._advance(now)
        sent = self._landed(now, expected)
        self._level += expected - actual
        self._looks = min(_LOOKS, self._looks + _PER_ANSWER)
        if sent.at < self._since:
            return
        self._taken += actual
        missing = -sent.left - (self._raised - sent.raised)
        if answered and self._short and missing > 0.0 and sent.at >= self._told_at:
            self._found(now, sent, missing)

    def refused(self, now: float, expected: float, until: float) -> None:
        """A request was refused; `until`: when the next may start. Those under way with it are no new evidence."""
        self._advance(now)
        sent = self._landed(now, expected)
        self._level += expected
        if self._short and sent.left < 0.0:
            self._looks = max(0.0, self._looks - 1.0)
        if sent.at < self._told_at:
            return
        self._look_at = until + _LOOK if self._short else until
        self._net = self._measured = self._learnt(sent.at)
        self._level = self._net * (now - sent.at) - sum(one.cost for one in self._sent if one.at > sent.at)
        self._since, self._level_then, self._taken = sent.at, 0.0, 0.0
        self._short, self._beyond, self._told_at = True, 1, now
        self._raised_before = self._raised

    def compare(self, level: float, kept: float) -> None:
        """`level`: what the bucket would hold if it gave all of the known rate. When no less is there, it does."""
        if self._short and self._net >= self._most and self._level + self._last_cost + kept >= level:
            self._short = False

    def restore(self, net: float) -> None:
        """Go on from what a former owner had learnt, with an empty bucket."""
        self._short = True
        self._net = self._measured = max(_SLOWEST * self._most, net)
        self._level = 0.0

    def _found(self, now: float, sent: _Sent, missing: float) -> None:
        """There is more; the believed refill grows once for all that were under way together."""
        self._raised += missing
        self._level += missing
        if sent.at < self._found_at:
            return
        self._found_at = now
        if self._raised - self._raised_before > (_SLACK + _DRIFT * (now - self._told_at)) * self._measured:
            self._net = min(self._most, self._net * _FOUND)
        self._beyond = min(_FEW_BEYOND if self._net < self._most else _MANY_BEYOND, 2 * self._beyond)

    def _learnt(self, at: float) -> float:
        """The net refill, as the bucket was empty when a request met it that was sent at that time."""
        passed = at - self._since
        if not self._short:
            return self._most * _FIRST
        if passed < _MEASURABLE:
            return max(_SLOWEST * self._most, self._measured * _SLOWER)
        taken = self._taken + sum(one.cost for one in self._sent if one.at < at)
        measured = (taken - self._level_then) / passed * _BELOW
        return min(self._most, max(_SLOWEST * self._most, _LEAST_SHARE * self._measured, measured))

    def _landed(self, now: float, expected: float) -> _Sent:
        """The oldest request of that cost is no longer under way."""
        found = next((index for index, one in enumerate(self._sent) if one.cost == expected), None)
        return _Sent(now, expected, 0.0, self._raised) if found is None else self._sent.pop(found)

    def _level_at(self, now: float) -> float:
        passed = max(0.0, now - self._at) if math.isfinite(self._at) else 0.0
        return min(self._burst, self._level + passed * self._net)

    def _advance(self, now: float) -> None:
        if math.isfinite(self._at):
            self._looks = min(_LOOKS, self._looks + max(0.0, now - self._at) * _PER_SECOND)
        self._level = self._level_at(now)
        self._at = max(self._at, now)
        if self._level >= self._burst:  # full: from here on refill is lost and proves nothing
            self._since, self._level_then, self._taken = self._at, self._burst, 0.0

    def _spaced(self, pace: float) -> float:
        return self._last_start + self._last_cost / pace
