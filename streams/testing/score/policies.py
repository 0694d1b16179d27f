"""Limits a modelled API has beside its bucket: so many requests per window, so many at once. Pure."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PerWindow:
    """`limit` requests, of `units` each, in every window of `window` seconds, the first of which begins at 0."""

    name: str
    limit: int
    window: float
    units: float = 1.0


@dataclass(frozen=True, slots=True)
class AtOnce:
    """`limit` requests at the same time; each takes its place for `seconds`."""

    name: str
    limit: int
    seconds: float


class Windows:
    """The API's count of one PerWindow. `supply`: units it would have let through so far."""

    def __init__(self, policy: PerWindow) -> None:
        self.policy = policy
        self._window = 0
        self._used = 0

    def supply(self, now: float) -> float:
        """All of each window that has begun before now."""
        return self.policy.limit * self.policy.units * max(1.0, math.ceil(now / self.policy.window))

    def room(self, now: float) -> bool:
        """Whether one more is let through now."""
        return self.left(now) >= 1

    def take(self, now: float) -> None:
        """One was let through."""
        self._roll(now)
        self._used += 1

    def left(self, now: float) -> int:
        """How many are let through before the window ends."""
        self._roll(now)
        return self.policy.limit - self._used

    def resets_in(self, now: float) -> float:
        """Seconds until the next window."""
        return self.policy.window * (1.0 + now // self.policy.window) - now

    def _roll(self, now: float) -> None:
        if (window := int(now // self.policy.window)) != self._window:
            self._window, self._used = window, 0


class Places:
    """The API's count of one AtOnce."""

    def __init__(self, policy: AtOnce) -> None:
        self.policy = policy
        self._until: deque[float] = deque()

    def room(self, now: float) -> bool:
        """Whether a place is free."""
        while self._until and self._until[0] <= now:
            self._until.popleft()
        return len(self._until) < self.policy.limit

    def take(self, now: float) -> None:
        """A place is taken."""
        self._until.append(now + self.policy.seconds)
