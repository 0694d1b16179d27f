"""GCRA: a known rate for an API that does not report its level. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from connectors.kit.contract import Feedback
from connectors.kit.gate import URGENT_SHARE, Gate, Outcome, charged, is_refusal, usable
from connectors.kit.shortage import Shortage

_RESERVE_SHARE, _RESERVE_SECONDS = 0.125, 0.25  # of the burst, but no more than so much refill, is kept back
_UNSEEN = 10.0  # seconds a former owner may have gone on after it last wrote down what it knew
_LONGEST_HISTORY = 4096  # requests; reached only when some are never settled


@dataclass(slots=True)
class _Charge:
    start: float
    cost: float
    open: bool = True


class Gcra:
    """The generic cell rate algorithm (ITU-T I.371): one theoretical arrival time, exact waits, no timers.

    Never starts more than `rate` * window + `burst` units in any window, counted at their actual cost. A refund is
    granted only as far as the bucket would hold it had the actual cost been known at the start: the requests since
    the oldest unsettled one are replayed. A reserve is kept for urgent requests, and because requests that leave evenly
    arrive unevenly. A request dearer than expected is paid afterwards. After a refusal a
    `Shortage` says how much less than the configured rate there is; it never allows more.
    """

    def __init__(self, rate: float, burst: float, max_in_flight: int = 16) -> None:
        self._rate = rate
        self._burst = burst
        self._reserve = min(_RESERVE_SHARE * burst, _RESERVE_SECONDS * rate)
        self._gate = Gate(max_in_flight)
        self._base = -math.inf  # arrival time before the first of `_charges`
        self._tat = -math.inf
        self._charges: list[_Charge] = []
        self._shortage = Shortage(rate, burst)
        self._at = 0.0  # last start or settle
        self._emptied = -math.inf  # until then a former owner may have spent all there was

    def admits(self, cost: float) -> bool:
        """Whether a request of this cost can ever start."""
        return cost <= self._burst

    def ready_at(self, now: float, cost: float, urgent: bool = False) -> float:
        """Earliest time a request of `cost` may start; inf: not before something is settled, or never."""
        if not self.admits(cost):
            return math.inf
        self._inherit(now)
        kept = min(self._reserve * (URGENT_SHARE if urgent else 1.0), self._burst - cost)
        by_account = self._tat + (cost + kept - self._burst) / self._rate
        return max(self._gate.opens_at(now), by_account, self._shortage.ready_at(now, cost, kept, urgent))

    def start(self, now: float, cost: float) -> None:
        """A request starts and is charged its expected cost."""
        self._inherit(now)
        self._gate.start(cost)
        self._at = now
        self._charges.append(_Charge(now, cost))
        self._tat = self._after(self._tat, self._charges[-1])
        self._forget()
        self._shortage.start(now, cost)

    def settle(self, now: float, cost_expected: float, feedback: Feedback | None, outcome: Outcome) -> None:
        """A request ended. A refused one stays charged: the API is emptier than the model."""
        self._gate.settle(now, cost_expected, feedback, outcome, told=False)
        self._at = now
        refused = is_refusal(feedback, outcome)
        actual = cost_expected if refused else charged(cost_expected, feedback, outcome)
        self._correct(cost_expected, actual)
        if refused:
            self._shortage.refused(now, cost_expected, max(now, self._gate.blocked_until))
        else:
            self._shortage.settle(now, cost_expected, actual, outcome is Outcome.ANSWERED)
            self._shortage.compare(self._level(now), self._reserve)

    def block(self, until: float) -> None:
        """Nothing starts before `until`."""
        self._gate.block(until)

    def snapshot(self) -> dict[str, float]:
        """State for metrics and a warm restart; `level` as of the last start or settle, by our own account."""
        return {
            **self._gate.snapshot(),
            "level": self._level(self._at),
            "limit": self._burst,
            "refill": self._shortage.net,
            "at": self._at,
            "restore_rate": self._rate,
        }

    def restore(self, saved: Mapping[str, float]) -> None:
        """Take over what a former owner of the bucket saved: its block, the refill it had learnt, and a bucket that it
        has emptied since."""
        self._gate.block(saved.get("blocked_until", -math.inf))
        if (at := usable(saved.get("at"), 1e-9)) is not None:
            self._emptied = at + _UNSEEN
        if (net := usable(saved.get("refill"))) is not None and net < self._rate:
            self._shortage.restore(net)

    def _inherit(self, now: float) -> None:
        if math.isfinite(self._emptied):
            self._base = self._tat = min(now, self._emptied) + self._burst / self._rate
            self._emptied = -math.inf

    def _level(self, now: float) -> float:
        return self._burst - max(0.0, self._tat - now) * self._rate

    def _after(self, tat: float, charge: _Charge) -> float:
        return max(tat, charge.start) + charge.cost / self._rate

    def _correct(self, expected: float, actual: float) -> None:
        """Settle the oldest open request of that cost: replies to equally dear requests are taken in order."""
        match = next((one for one in self._charges if one.open and one.cost == expected), None)
        if match is None:
            return
        match.open, match.cost = False, actual
        self._forget()
        self._tat = self._base
        for one in self._charges:
            self._tat = self._after(self._tat, one)

    def _forget(self) -> None:
        """Fold what can no longer change into the base."""
        settled = 0
        while settled < len(self._charges) and (
            not self._charges[settled].open or len(self._charges) - settled > _LONGEST_HISTORY
        ):
            self._base = self._after(self._base, self._charges[settled])
            settled += 1
        del self._charges[:settled]
