"""A modelled API: what calls cost, what it says of its bucket in which dialect, how it fails. Pure but for its seed."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from connectors.kit.contract import Feedback, Request, Response
from streams.testing.score.bucket import Bucket, Closure, Quota, Rival


class Dialect(StrEnum):
    """How the API speaks of its limits."""

    COST = "cost"  # level, limit, restore rate and cost of every call; a refusal is a 429
    THROTTLED = "throttled"  # the same, but a refusal is a 200 that says THROTTLED (Shopify GraphQL)
    CALLS = "calls"  # used/limit, as X-Shopify-Shop-Api-Call-Limit: 32/40
    SILENT = "silent"  # nothing but Retry-After at a refusal
    MUTE = "mute"  # a bare 429


class Report(StrEnum):
    """How true the reported level is."""

    EXACT = "exact"
    LATE = "late"  # as it was LATENESS seconds ago
    WRONG = "wrong"  # anything between nothing and the whole bucket
    STUCK = "stuck"  # always the whole bucket


LATENESS = 2.0  # seconds
RESET = 1.0  # seconds of Retry-After when the bucket is short of units


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of request: what a connector expects it to cost, and what it costs (uniformly between the two)."""

    guess: float = 1.0
    low: float = 1.0
    high: float = 1.0


@dataclass(frozen=True, slots=True)
class Api:
    """`rtt`: seconds, uniformly between the two; `lost`: share of the requests whose reply never comes, half of them
    carried out, half of them told at once by a closed connection; `advertises`: whether the restore rate it states
    follows a change of the quota."""

    quotas: tuple[Quota, ...] = (Quota(40.0, 40.0),)
    rivals: tuple[Rival, ...] = ()
    closures: tuple[Closure, ...] = ()
    dialect: Dialect = Dialect.COST
    report: Report = Report.EXACT
    advertises: bool = True
    rtt: tuple[float, float] = (0.02, 0.08)
    lost: float = 0.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request met. `cost` is what it would be charged, whether or not it was admitted."""

    admitted: bool
    cost: float
    headers: Mapping[str, str]
    status: int


class Account:
    """One account's bucket at the API."""

    def __init__(self, api: Api, shapes: Mapping[str, Shape], rng: random.Random) -> None:
        self.bucket = Bucket(api.quotas, api.rivals, api.closures)
        self._api = api
        self._shapes = shapes
        self._rng = rng
        self._past: deque[tuple[float, float]] = deque([(-math.inf, self.bucket.level)])
        self._restore = api.quotas[0].refill

    def ask(self, now: float, request: Request) -> Reply:
        """A request arrives, `now` seconds after the start."""
        shape = self._shapes[request.operation]
        cost = self._rng.uniform(shape.low, shape.high)
        admitted = self.bucket.ask(now, cost)
        if self._api.advertises:
            self._restore = self.bucket.quota.refill
        headers = self._headers(now, cost if admitted else 0.0)
        if admitted:
            return Reply(True, cost, headers, 200)
        if self._api.dialect is Dialect.THROTTLED:
            return Reply(False, cost, {**headers, "x-throttled": "true"}, 200)
        if self._api.dialect is not Dialect.MUTE:
            headers["retry-after"] = f"{self._wait():.3f}"
        return Reply(False, cost, headers, 429)

    def _wait(self) -> float:
        closed = self.bucket.closed()
        return RESET if closed is None else closed.end - self.bucket.at

    def _headers(self, now: float, cost: float) -> dict[str, str]:
        level, limit = self._told(now), self.bucket.quota.capacity
        if self._api.dialect is Dialect.CALLS:
            return {"x-calls": f"{limit - level}/{limit}"}
        if self._api.dialect in (Dialect.COST, Dialect.THROTTLED):
            return {"x-level": f"{level}", "x-limit": f"{limit}", "x-restore": f"{self._restore}", "x-cost": f"{cost}"}
        return {}

    def _told(self, now: float) -> float:
        level, limit = self.bucket.level, self.bucket.quota.capacity
        match self._api.report:
            case Report.EXACT:
                return level
            case Report.WRONG:
                return self._rng.uniform(0.0, limit)
            case Report.STUCK:
                return limit
        self._past.append((now, level))
        while len(self._past) > 1 and self._past[1][0] <= now - LATENESS:
            self._past.popleft()
        return min(limit, self._past[0][1])


def read(response: Response) -> Feedback:
    """What a connector makes of a reply in any dialect."""
    headers = response.headers
    wait = headers.get("retry-after")
    throttled = response.status == 429 or "x-throttled" in headers
    told = Feedback(retry_after=None if wait is None else float(wait), throttled=throttled)
    if "x-calls" in headers:
        used, limit = map(float, headers["x-calls"].split("/"))
        return Feedback(None, limit - used, limit, None, told.retry_after, throttled)
    if "x-level" in headers:
        cost, level, limit, restore = (float(headers[name]) for name in ("x-cost", "x-level", "x-limit", "x-restore"))
        return Feedback(cost, level, limit, restore, told.retry_after, throttled)
    return told
