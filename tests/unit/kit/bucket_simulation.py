"""A fake leaky bucket, rivals and the network in virtual time: seconds of traffic in milliseconds."""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.kit.contract import Feedback
from connectors.kit.pacing import Outcome, Pacer

Rate = Callable[[float], float]


def steady(value: float) -> Rate:
    return lambda _: value


def between(start: float, end: float, value: float, otherwise: float) -> Rate:
    return lambda at: value if start <= at < end else otherwise


@dataclass
class Server:
    """A leaky bucket in the vendor's hands. `rival`: units per second others take while there are any."""

    capacity: float
    refill: Rate
    rival: Rate = field(default_factory=lambda: steady(0.0))
    level: float = -1.0
    offered: float = 0.0  # what the bucket had for us
    at: float = 0.0

    def __post_init__(self) -> None:
        self.level = self.capacity if self.level < 0 else self.level
        self.offered = self.level

    def advance(self, now: float) -> None:
        while self.at < now:
            step = min(0.05, now - self.at)
            free = (self.refill(self.at) - self.rival(self.at)) * step
            self.offered += free
            self.level = min(self.capacity, max(0.0, self.level + free))
            self.at += step

    def ask(self, now: float, cost: float) -> bool:
        self.advance(now)
        if self.level < cost:
            return False
        self.level -= cost
        return True


@dataclass
class Result:
    calls: int = 0
    refused: int = 0
    served: float = 0.0
    offered: float = 0.0
    lowest: float = math.inf
    refused_at: list[float] = field(default_factory=list)
    started: list[tuple[float, float]] = field(default_factory=list)

    @property
    def utilisation(self) -> float:
        return self.served / self.offered


Reporter = Callable[[Server, Feedback], Feedback | None]


def honest(_: Server, feedback: Feedback) -> Feedback | None:
    return feedback


@dataclass
class Run:
    """`workers` hungry callers behind one pacer for `seconds` of virtual time."""

    pacer: Pacer
    server: Server
    costs: tuple[float, float] = (10.0, 50.0)
    rtt: tuple[float, float] = (0.020, 0.080)
    seconds: float = 60.0
    seed: int = 1
    report: Reporter = honest
    advertised: float = 100.0
    lost_replies: float = 0.0
    overestimate: float = 0.0  # share by which the expected cost exceeds the actual one
    epoch: float = 1_772_366_400.0

    def play(self) -> Result:
        self._random = random.Random(self.seed)
        self._result, self._count, self._wake = Result(), 0, math.inf
        self._events: list[tuple[float, int, Callable[[float], None]]] = [(0.0, 0, self._try)]
        self._cost = self._draw()
        while self._events:
            now, _, action = heapq.heappop(self._events)
            if now > self.seconds:
                break
            action(now)
        self.server.advance(self.seconds)
        self._result.offered = self.server.offered
        return self._result

    def _at(self, when: float, action: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (when, self._count, action))

    def _draw(self) -> float:
        low, high = self.costs
        return float(self._random.randint(int(low), int(high)))

    def _try(self, now: float) -> None:
        """What a courier does: ask, start all that may start, wake when the next may."""
        self._wake = self._wake if now < self._wake else math.inf
        while True:
            cost = self._cost * (1.0 + self.overestimate)
            ready = self.pacer.ready_at(self.epoch + now, cost) - self.epoch
            if ready > now + 1e-6:
                break
            self.pacer.start(self.epoch + now, cost)
            self._result.started.append((now, self._cost))
            trip = self._random.uniform(*self.rtt)
            self._at(now + trip * self._random.uniform(0.2, 0.8), self._arrive(cost, self._cost, now + trip))
            self._cost = self._draw()
        if ready < self._wake:
            self._wake = ready
            self._at(ready, self._try)

    def _arrive(self, expected: float, cost: float, back: float) -> Callable[[float], None]:
        def arrive(now: float) -> None:
            admitted = self.server.ask(now, cost)
            self._result.calls += 1
            self._result.lowest = min(self._result.lowest, self.server.level)
            if admitted:
                self._result.served += cost
            else:
                self._result.refused += 1
                self._result.refused_at.append(now)
            feedback = Feedback(
                cost=cost if admitted else 0.0,
                level=self.server.level,
                limit=self.server.capacity,
                restore_rate=self.advertised,
                throttled=not admitted,
            )
            self._at(back, self._reply(expected, admitted, self.report(self.server, feedback)))

        return arrive

    def _reply(self, expected: float, admitted: bool, feedback: Feedback | None) -> Callable[[float], None]:
        outcome = Outcome.ANSWERED if admitted else Outcome.THROTTLED
        if self._random.random() < self.lost_replies:
            feedback, outcome = None, Outcome.UNKNOWN
        elif not admitted and feedback is None:
            feedback = Feedback(throttled=True)

        def reply(now: float) -> None:
            self.pacer.settle(self.epoch + now, expected, feedback, outcome)
            self._try(now)

        return reply


def without(*names: str) -> Reporter:
    """A reporter that leaves these fields out."""
    changes: dict[str, Any] = dict.fromkeys(names)
    return lambda _, feedback: replace(feedback, **changes)
