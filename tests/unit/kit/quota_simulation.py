"""Fake APIs with quotas per window and with places, and hungry callers, in virtual time."""

from __future__ import annotations

import heapq
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from connectors.kit.contract import Feedback
from connectors.kit.pacing import Outcome, Pacer

Trip = Callable[[int, random.Random], float]
EPOCH = 1_772_366_400.0


@dataclass
class Quota:
    """`limit` units per `window` seconds: `sliding` over any of them, else from one full multiple to the next.

    What is left and when it resets are told in whole seconds, as headers do. `others`: units a rival takes at the
    start of each fixed window.
    """

    limit: float
    window: float
    sliding: bool = False
    others: float = 0.0
    used: deque[tuple[float, float]] = field(default_factory=deque)
    began: float = -math.inf

    def ask(self, now: float, cost: float) -> Feedback:
        if self.sliding:
            while self.used and self.used[0][0] <= now - self.window:
                self.used.popleft()
        elif now - now % self.window > self.began:
            self.began = now - now % self.window
            self.used.clear()
            self.used.append((now, self.others))
        left = self.limit - sum(cost for _, cost in self.used)
        refused = left < cost
        if not refused:
            self.used.append((now, cost))
        told = left if refused else left - cost
        resets_after = None if self.sliding else float(math.floor(self.began + self.window - now))
        return Feedback(level=told, limit=self.limit, resets_after=resets_after, throttled=refused)


@dataclass
class Result:
    calls: int = 0
    refused: int = 0
    served: float = 0.0
    started: list[tuple[float, float]] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


@dataclass
class Hunger:
    """Unlimited demand behind one pacer for `seconds`. `ask`: the API; `trip`: seconds one request takes, given how
    many are under way; `told`: what of the reply is passed on."""

    pacer: Pacer
    ask: Callable[[float, float], Feedback]
    seconds: float
    cost: float = 1.0
    trip: Trip = lambda _, rand: rand.uniform(0.02, 0.08)
    told: Callable[[Feedback], Feedback] = lambda feedback: feedback
    observe: Callable[[float], None] = lambda _: None

    def play(self) -> Result:
        self._random, self._result = random.Random(7), Result()
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._count, self._under_way, self._wake = 0, 0, math.inf
        self._at(0.0, self._try)
        while self._events and self._events[0][0] <= self.seconds:
            now, _, action = heapq.heappop(self._events)
            action(now)
        return self._result

    def _at(self, when: float, action: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, action))

    def _try(self, now: float) -> None:
        if now >= self._wake:
            self._wake = math.inf
        while (ready := self.pacer.ready_at(EPOCH + now, self.cost) - EPOCH) <= now + 1e-6:
            self.pacer.start(EPOCH + now, self.cost)
            self._result.started.append((now, self.cost))
            self._under_way += 1
            self._result.places.append(self._under_way)
            trip = self.trip(self._under_way, self._random)
            self._at(now + trip * self._random.uniform(0.2, 0.8), self._arrive(now, now + trip))
        if ready < self._wake:
            self._wake = ready
            self._at(ready, self._try)

    def _arrive(self, sent: float, back: float) -> Callable[[float], None]:
        def arrive(now: float) -> None:
            feedback = self.ask(now, self.cost)
            self._result.calls += 1
            self._result.refused += feedback.throttled
            self._result.served += 0.0 if feedback.throttled else self.cost
            self._at(back, self._reply(sent, feedback))

        return arrive

    def _reply(self, sent: float, feedback: Feedback) -> Callable[[float], None]:
        def reply(now: float) -> None:
            self._under_way -= 1
            self._result.latencies.append(now - sent)
            self.observe(now - sent)
            outcome = Outcome.THROTTLED if feedback.throttled else Outcome.ANSWERED
            self.pacer.settle(EPOCH + now, self.cost, self.told(feedback), outcome)
            self._try(now)

        return reply


def silent(feedback: Feedback) -> Feedback:
    """Nothing but refusals is told."""
    return replace(feedback, level=None, limit=None, resets_after=None)
