"""A modelled API: what calls cost, what it says of its bucket in which dialect, how it fails. Pure but for its seed."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import formatdate
from enum import StrEnum

from connectors.kit import quota
from connectors.kit.buckets import CONCURRENT
from connectors.kit.contract import Feedback, Request, Response
from streams.testing.score.bucket import Bucket, Closure, Quota, Rival
from streams.testing.score.loop import START
from streams.testing.score.policies import AtOnce, PerWindow, Places, Windows


class Dialect(StrEnum):
    """How the API speaks of its limits."""

    COST = "cost"  # level, limit, restore rate and cost of every call; a refusal is a 429
    THROTTLED = "throttled"  # the same, but a refusal is a 200 that says THROTTLED (Shopify GraphQL)
    CALLS = "calls"  # used/limit, as X-Shopify-Shop-Api-Call-Limit: 32/40
    SILENT = "silent"  # nothing but Retry-After at a refusal
    MUTE = "mute"  # a bare 429
    DATES = "dates"  # nothing but Retry-After as a date, and the API's own clock in Date
    RESETS = "resets"  # X-RateLimit-* of its first window, the reset as a time in epoch seconds, and Date
    POLICIES = "policies"  # RateLimit and RateLimit-Policy of its windows and places


class Report(StrEnum):
    """How true the reported level is."""

    EXACT = "exact"
    LATE = "late"  # as it was LATENESS seconds ago
    WRONG = "wrong"  # anything between nothing and the whole bucket
    STUCK = "stuck"  # always the whole bucket


LATENESS = 2.0  # seconds
RESET = 1.0  # seconds of Retry-After when the bucket is short of units
EPOCH = 1_772_366_400.0  # seconds UTC at which a run begins, in the API's headers: its times must look like times


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
    follows a change of the quota. `also`: limits beside the bucket. `skew`: seconds the API's clock is ahead of ours;
    `errors`: share of the requests that are charged and answered with a 500."""

    quotas: tuple[Quota, ...] = (Quota(40.0, 40.0),)
    rivals: tuple[Rival, ...] = ()
    closures: tuple[Closure, ...] = ()
    dialect: Dialect = Dialect.COST
    report: Report = Report.EXACT
    advertises: bool = True
    rtt: tuple[float, float] = (0.02, 0.08)
    lost: float = 0.0
    also: tuple[PerWindow | AtOnce, ...] = ()
    skew: float = 0.0
    errors: float = 0.0


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
        self._windows = [Windows(one) for one in api.also if isinstance(one, PerWindow)]
        self._places = [Places(one) for one in api.also if isinstance(one, AtOnce)]

    def supply(self, now: float) -> float:
        """Units that were there for us so far, by the first window where there is one."""
        self.bucket.advance(now)
        return self._windows[0].supply(now) if self._windows else self.bucket.supply

    def ask(self, now: float, request: Request) -> Reply:
        """A request arrives, `now` seconds after the start."""
        shape = self._shapes[request.operation]
        cost = self._rng.uniform(shape.low, shape.high)
        beside: list[Windows | Places] = [*self._windows, *self._places]
        admitted = all(one.room(now) for one in beside) and self.bucket.ask(now, cost)
        for one in beside if admitted else ():
            one.take(now)
        if self._api.advertises:
            self._restore = self.bucket.quota.refill
        headers = self._headers(now, cost if admitted else 0.0)
        if admitted:
            return Reply(True, cost, headers, 500 if self._fails() else 200)
        if self._api.dialect is Dialect.THROTTLED:
            return Reply(False, cost, {**headers, "x-throttled": "true"}, 200)
        if self._api.dialect is Dialect.DATES:
            headers["retry-after"] = formatdate(math.ceil(self._clock(now) + self._wait(now)), usegmt=True)
        elif self._api.dialect is not Dialect.MUTE:
            headers["retry-after"] = f"{self._wait(now):.3f}"
        return Reply(False, cost, headers, 429)

    def _fails(self) -> bool:
        return self._api.errors > 0.0 and self._rng.random() < self._api.errors

    def _wait(self, now: float) -> float:
        full = next((one for one in self._windows if not one.room(now)), None)
        if full is not None:
            return full.resets_in(now)
        closed = self.bucket.closed()
        return RESET if closed is None else closed.end - self.bucket.at

    def _clock(self, now: float) -> float:
        """What the API takes for the time."""
        return EPOCH + self._api.skew + now

    def _headers(self, now: float, cost: float) -> dict[str, str]:
        level, limit = self._told(now), self.bucket.quota.capacity
        if self._api.dialect is Dialect.CALLS:
            return {"x-calls": f"{limit - level}/{limit}"}
        if self._api.dialect in (Dialect.DATES, Dialect.RESETS):
            return {"date": formatdate(self._clock(now), usegmt=True), **self._resets(now)}
        if self._api.dialect is Dialect.POLICIES:
            return self._policies(now)
        if self._api.dialect in (Dialect.COST, Dialect.THROTTLED):
            return {"x-level": f"{level}", "x-limit": f"{limit}", "x-restore": f"{self._restore}", "x-cost": f"{cost}"}
        return {}

    def _resets(self, now: float) -> dict[str, str]:
        if self._api.dialect is Dialect.DATES:
            return {}
        window = self._windows[0]
        said = {"limit": window.policy.limit, "remaining": window.left(now)}
        said["reset"] = math.ceil(self._clock(now) + window.resets_in(now))
        return {f"x-ratelimit-{name}": str(value) for name, value in said.items()}

    def _policies(self, now: float) -> dict[str, str]:
        policies = [f'"{one.policy.name}";q={one.policy.limit};w={one.policy.window:.0f}' for one in self._windows]
        places = (one.policy for one in self._places)
        policies += [f'"{one.name}";q={one.limit};qu="{CONCURRENT}"' for one in places]
        left = [f'"{one.policy.name}";r={one.left(now)};t={math.ceil(one.resets_in(now))}' for one in self._windows]
        return {"ratelimit-policy": ", ".join(policies), "ratelimit": ", ".join(left)}

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
    if not headers.keys().isdisjoint(("date", "ratelimit")):
        return quota.read(headers, response.status, response.received_at / 1e6 - START + EPOCH)
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
