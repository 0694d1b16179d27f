"""When to try again, and whether trying again is still allowed. Pure: randomness and time are parameters."""

from __future__ import annotations

BASE = 0.5  # seconds: mean of the first retry is half of it
CAP = 60.0  # seconds
_LARGEST_EXPONENT = 63  # beyond it every cap is reached and floats would overflow


def delay(attempt: int, rand: float, base: float = BASE, cap: float = CAP, retry_after: float | None = None) -> float:
    """Seconds to wait before retry `attempt` (the first is 0): full jitter, `rand` uniform in [0, 1).

    Full jitter spreads a crowd of callers best (AWS Architecture Blog, "Exponential Backoff And Jitter"). What the
    other side asked for in `retry_after` is the floor and is never cut by `cap`.
    """
    jittered = rand * min(cap, base * 2.0 ** min(max(attempt, 0), _LARGEST_EXPONENT))
    return jittered if retry_after is None else max(retry_after, jittered)


class RetryBudget:
    """Bounds how much retries may add to the load of one target: `ratio` of its requests plus `rate` per second.

    Values are Finagle's (20 % + 10/s over 10 s). Without it a struggling target is asked several times as often as a
    healthy one. Times are seconds of one clock that does not go back.
    """

    def __init__(self, ratio: float = 0.2, rate: float = 10.0, window: float = 10.0) -> None:
        self._ratio = ratio
        self._rate = rate
        self._capacity = rate * window
        self._balance = self._capacity
        self._at: float | None = None

    def request(self, now: float) -> None:
        """A first attempt was made: it pays for a share of a retry."""
        self._advance(now)
        self._balance = min(self._capacity, self._balance + self._ratio)

    def spend(self, now: float) -> bool:
        """Take one retry from the budget; False when it is used up: fail or park instead."""
        self._advance(now)
        if self._balance < 1.0:
            return False
        self._balance -= 1.0
        return True

    def balance(self, now: float) -> float:
        """Retries that may be made at once."""
        self._advance(now)
        return self._balance

    def _advance(self, now: float) -> None:
        if self._at is not None and now > self._at:
            self._balance = min(self._capacity, self._balance + (now - self._at) * self._rate)
        self._at = now if self._at is None else max(now, self._at)
