"""Pacing by the level an API reports: proportional control on the bucket's own reading. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from connectors.kit.contract import Feedback
from connectors.kit.gate import URGENT_SHARE, Gate, Outcome, charged, is_refusal, usable
from connectors.kit.trend import Trend

DRAIN = 1.0  # seconds over which what stands above the reserve is spent
RESERVE_SHARE = 0.125  # of the limit kept back for others and for what we do not see ...
RESERVE_SECONDS = 1.0  # ... but no more than this much refill
_LEAST_REFILL = 0.1  # of the advertised rate: without a request nothing new is learnt, so never wait for ever
_JITTER = 0.5  # of the reserve is kept by our own account too: what leaves evenly arrives unevenly
_DRIFT_AFTER = 2.0  # seconds the API must report more than our account before the account is raised
_DISTRUST = 10.0  # seconds a level is not believed after a refusal it did not explain; doubles up to ...
_LONGEST_DISTRUST = 640.0
_CATCH_UP = 0.05  # seconds by which a start that came late does not put off those after it
_ROUNDED = 1.0  # unit: levels are reported as whole ones


class LevelFeedback:
    """One owner, one bucket, one first-in-first-out pacer.

    Two readings of the same bucket are kept and the lower one rules. `level` is what the API reported last, less the
    cost in flight, growing by the net refill: it sees rivals and cut quotas. `account` is what the bucket would hold
    if we were alone: an upper bound that makes reordered, late or wrong reports harmless.

    Send rate = net refill + (level - reserve) / DRAIN. Until a first level is known one request goes out alone.
    """

    def __init__(self, rate: float, burst: float, max_in_flight: int = 16) -> None:
        self._gate = Gate(max_in_flight)
        self._limit = burst
        self._configured_rate = rate
        self._rate = rate
        self._rate_reported = False
        self._level: float | None = None
        self._account = burst
        self._at = -math.inf
        self._net = rate
        self._trend = Trend()
        self._last_start = -math.inf
        self._last_cost = 0.0
        self._excess = math.inf  # least the API reported above our account ...
        self._excess_since = math.inf  # ... since then
        self._distrusted_until = -math.inf
        self._distrust = _DISTRUST

    @property
    def reserve(self) -> float:
        """Units left in the bucket on purpose."""
        return min(RESERVE_SHARE * self._limit, RESERVE_SECONDS * self._rate)

    def admits(self, cost: float) -> bool:
        """Whether a request of this cost can ever start."""
        return cost <= self._limit

    def ready_at(self, now: float, cost: float, urgent: bool = False) -> float:
        """Earliest time a request of `cost` may start; inf: not before something is settled, or never. An urgent one
        may use most of the reserve, and is not spaced."""
        opens = self._gate.opens_at(now)
        if self._level is None:
            return math.inf if self._gate.in_flight else opens
        if not self.admits(cost):
            return math.inf
        level, account = self._readings(now)
        kept = self.reserve * (URGENT_SHARE if urgent else 1.0)
        by_level = now + (min(self._limit, cost + kept) - level) / self._net
        by_account = now + (min(self._limit, cost + kept * _JITTER) - account) / self._rate
        spaced = -math.inf if urgent else self._spaced(min(level, account))
        return max(opens, by_level, by_account, spaced)

    def start(self, now: float, cost: float) -> None:
        """A request starts and is charged its expected cost."""
        self._advance(now)
        planned = min(now, self._spaced(min(self._readings(now))))
        self._gate.start(cost)
        self._spend(cost)
        self._last_start, self._last_cost = max(planned, now - _CATCH_UP), cost

    def settle(self, now: float, cost_expected: float, feedback: Feedback | None, outcome: Outcome) -> None:
        """A request ended: correct its cost, learn what the reply says of the bucket."""
        self._advance(now)
        refused = is_refusal(feedback, outcome)
        reported = usable(feedback.level, lowest=-math.inf) if feedback is not None else None
        self._gate.settle(now, cost_expected, feedback, outcome, told=reported is not None and reported < cost_expected)
        actual = charged(cost_expected, feedback, outcome)
        self._spend(actual - cost_expected)
        self._trend.spend(actual)
        if feedback is not None:
            self._learn(feedback)
        if reported is not None:
            self._observe(now, reported, actual)
        if refused:
            self._refused(now, cost_expected, reported)
        elif reported is None and self._level is None and outcome is Outcome.ANSWERED:
            self._level = self._account = self.reserve  # the API does not tell: assume the worst once, then the model

    def block(self, until: float) -> None:
        """Nothing starts before `until`."""
        self._gate.block(until)

    def snapshot(self) -> dict[str, float]:
        """State for metrics and a warm restart, as of the last start or settle; `level` is -1 while unknown."""
        return {
            **self._gate.snapshot(),
            "level": -1.0 if self._level is None else min(self._level, self._account),
            "limit": self._limit,
            "refill": self._net,
            "restore_rate": self._rate,
            "reserve": self.reserve,
        }

    def restore(self, saved: Mapping[str, float]) -> None:
        """Take over a former owner's block and learnt sizes. The level is never taken over: it is asked for."""
        self._gate.block(saved.get("blocked_until", -math.inf))
        self._limit = usable(saved.get("limit"), 1e-9) or self._limit
        self._rate = self._net = usable(saved.get("restore_rate"), 1e-9) or self._rate
        self._account = self._limit

    def _readings(self, now: float) -> tuple[float, float]:
        passed = max(0.0, now - self._at)
        account = min(self._limit, self._account + passed * self._rate)
        level = account if self._level is None else min(self._limit, self._level + passed * self._net)
        return (account if now < self._distrusted_until else level), account

    def _advance(self, now: float) -> None:
        passed = max(0.0, now - self._at) if math.isfinite(self._at) else 0.0
        self._account = min(self._limit, self._account + passed * self._rate)
        if self._level is not None:
            self._level = min(self._limit, self._level + passed * self._net)
        self._at = max(self._at, now)

    def _spend(self, cost: float) -> None:
        self._account = min(self._limit, self._account - cost)
        if self._level is not None:
            self._level = min(self._limit, self._level - cost)

    def _spaced(self, available: float) -> float:
        """Spread what stands above the reserve over DRAIN seconds instead of sending it at once."""
        return self._last_start + self._last_cost / (self._net + max(0.0, available - self.reserve) / DRAIN)

    def _learn(self, feedback: Feedback) -> None:
        limit, rate = usable(feedback.limit, 1e-9), usable(feedback.restore_rate, 1e-9)
        if limit is not None and limit != self._limit:
            self._limit = limit
            self._account = min(self._account, limit)
        if rate is None:
            return
        self._rate_reported = True
        if rate != self._rate:
            self._rate = self._net = rate
            self._trend.restart()

    def _observe(self, now: float, reported: float, cost: float) -> None:
        level = min(self._limit, reported) - self._gate.in_flight_cost
        if self._level is None:
            self._account = level
        if now < self._distrusted_until:
            return
        self._level = level
        if reported >= self._limit:  # full although something was charged just now: that proves no excess
            self._excess, self._excess_since = math.inf, math.inf
        else:
            self._raise_account(now, level)
        if reported + cost + self._gate.in_flight_cost >= self._limit - _ROUNDED:  # full before: refill was lost
            self._trend.restart()
            self._net = self._rate
            return
        self._trend.observe(now, reported)
        slope, confidence = self._trend.slope()
        if not self._rate_reported:
            self._rate = max(self._configured_rate, slope * confidence)
        blended = self._rate + (slope - self._rate) * confidence
        self._net = min(self._rate, max(self._rate * _LEAST_REFILL, blended))

    def _raise_account(self, now: float, level: float) -> None:
        """Costs charged by us but not by the API add up; what it reports above our account for long is there."""
        excess = level - self._account
        if excess <= 0.0 or not math.isfinite(self._excess_since):
            self._excess, self._excess_since = math.inf, now
            return
        self._excess = min(self._excess, excess)
        if now - self._excess_since >= _DRIFT_AFTER:
            self._account = min(self._limit, self._account + self._excess)
            self._excess, self._excess_since = math.inf, now

    def _refused(self, now: float, cost: float, reported: float | None) -> None:
        """The bucket holds less than `cost`. A report that says otherwise is not believed for a while."""
        if reported is not None and reported < cost:
            return
        self._account = min(self._account, 0.0)
        self._level = min(0.0 if self._level is None else self._level, 0.0)
        if reported is not None and now >= self._distrusted_until:
            self._distrusted_until = now + self._distrust
            self._distrust = min(_LONGEST_DISTRUST, self._distrust * 2.0)
