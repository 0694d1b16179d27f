"""How every bucket stands now, told from its last calls. Pure; every time is seconds UTC."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from connectors.kit.limits import Kind, Limit
from streams.runtime.quota import estimate
from streams.runtime.quota.calls import Call, Pace
from streams.runtime.quota.estimate import Sample

RECENT = 60.0  # seconds that refill, use and trend are told from
ALERT = 0.8  # of the refill, from which on a quota is nearly used up
_NOISE = 0.01  # of the refill: a level that falls more slowly does not fall
LimitsOf = Callable[[str], Sequence[Limit]]


@dataclass(frozen=True, slots=True)
class Standing:
    """One bucket. Units and units per second, None where nothing says so.

    `level`: what it holds now, by the last reply and the net refill since; `advertised`: its refill by the API's or
    our own settings' word; `net`: what of it is left beside what others take; `used`: what we were charged of late;
    `rivals`: their share of the refill, in [0, 1]; `load`: what all together use of it, of a quota per window what is
    used up; `blocked_until` and `exhausted_at`: None when nothing is blocked, or going to be empty; `ends_at`: when a
    quota per window begins anew; `used_for`: `used` by purpose; `calls` and `throttled` of the whole time looked at;
    `reported`: whether the API itself tells its level.
    """

    platform: str
    account: str
    bucket: str
    level: float | None
    limit: float | None
    advertised: float | None
    net: float | None
    used: float
    rivals: float | None
    load: float | None
    blocked_until: float | None
    exhausted_at: float | None
    ends_at: float | None
    used_for: dict[str, float]
    calls: int
    throttled: int
    last_at: float
    reported: bool


@dataclass
class Live:
    """Calls of the last `window` seconds, by bucket. `limits_of`: a platform's documented limits."""

    window: float
    limits_of: LimitsOf = lambda platform: ()
    _buckets: dict[str, deque[Call]] = field(default_factory=dict)

    def add(self, call: Call) -> None:
        """One more call; in the order of the topic."""
        for part in call.parts():
            self._buckets.setdefault(part.bucket, deque()).append(part)

    def standings(self, now: float) -> list[Standing]:
        """All buckets that were called within the window, by name."""
        for name, calls in list(self._buckets.items()):
            while calls and calls[0].ended < now - self.window:
                calls.popleft()
            if not calls:
                del self._buckets[name]
        return [standing(list(self._buckets[name]), now, self.limits_of) for name in sorted(self._buckets)]


def standing(calls: Sequence[Call], now: float, limits_of: LimitsOf = lambda platform: ()) -> Standing:
    """One bucket from its calls, at least one."""
    calls = sorted(calls, key=lambda call: call.ended)
    last = calls[-1]
    recent = [call for call in calls if call.ended >= now - RECENT]
    limit = _last(calls, lambda call: call.limit, lambda pace: pace.limit)
    advertised = _last(calls, lambda call: call.restore_rate, lambda pace: pace.restore_rate if pace.refill else None)
    net = _net(calls, recent, limit, advertised)
    used_for = _per_second(recent, now, calls[0].at)
    used = sum(used_for.values())
    rivals = None if advertised is None else estimate.rival_share(advertised, net)
    ends_at = _ends_at(last, now, limits_of)
    grows = 0.0 if ends_at else advertised if net is None else net
    level = _level(calls, now, grows, limit)
    return Standing(
        platform=last.platform,
        account=last.account,
        bucket=last.bucket,
        level=level,
        limit=limit,
        advertised=advertised,
        net=net,
        used=used,
        rivals=rivals,
        load=_load(used, rivals, advertised) if ends_at is None else _used_up(level, limit),
        blocked_until=_blocked(calls, now),
        exhausted_at=_exhausted(recent, now, level, advertised, ends_at),
        ends_at=ends_at,
        used_for=used_for,
        calls=len(calls),
        throttled=sum(call.throttled for call in calls),
        last_at=last.ended,
        reported=any(call.level is not None for call in calls),
    )


def _last(
    calls: Sequence[Call], reported: Callable[[Call], float | None], paced: Callable[[Pace], float | None]
) -> float | None:
    """The newest word of the API, else of the bucket's owner."""
    for call in reversed(calls):
        said = reported(call)
        if said is not None:
            return said
    return next((paced(call.pace) for call in reversed(calls) if call.pace), None)


def _samples(calls: Sequence[Call]) -> list[Sample]:
    return [Sample(call.at, call.ended, call.cost, call.level) for call in calls if call.level is not None]


def _paced(calls: Sequence[Call]) -> list[Sample]:
    """Levels as the owner of the bucket reckons them, for an API that reports none."""
    return [
        Sample(call.at, call.ended, call.cost, call.pace.level)
        for call in calls
        if call.pace is not None and call.pace.level is not None
    ]


def _net(calls: Sequence[Call], recent: Sequence[Call], limit: float | None, advertised: float | None) -> float | None:
    """From the levels where the API reports them, else as the owner has learnt it from refusals. Places for requests at
    the same time do not refill."""
    if any(call.level is not None for call in calls):
        observed = None if limit is None else estimate.net_refill(_samples(recent), limit)
        return observed if observed is None or advertised is None else min(advertised, observed)
    return next((call.pace.refill or None for call in reversed(calls) if call.pace), None)


def _level(calls: Sequence[Call], now: float, net: float | None, limit: float | None) -> float | None:
    known = _samples(calls) or _paced(calls)
    return estimate.level_at(now, known[-1], net or 0.0, limit) if known and limit is not None else None


def _per_second(recent: Sequence[Call], now: float, first: float) -> dict[str, float]:
    """Cost by purpose over the time that the calls cover, at least a second."""
    seconds = max(1.0, min(RECENT, now - first))
    spent: dict[str, float] = defaultdict(float)
    for call in recent:
        spent[call.purpose] += call.cost
    return {purpose: cost / seconds for purpose, cost in sorted(spent.items(), key=lambda one: -one[1])}


def _blocked(calls: Sequence[Call], now: float) -> float | None:
    """The latest end of a block, as the owner says it or as a Retry-After asks for it."""
    ends = [call.pace.blocked_until for call in calls if call.pace]
    ends += [call.ended + call.retry_after for call in calls if call.retry_after is not None]
    until = max(ends, default=0.0)
    return until if until > now else None


def _exhausted(
    recent: Sequence[Call], now: float, level: float | None, advertised: float | None, ends_at: float | None
) -> float | None:
    rising = estimate.trend(_samples(recent) or _paced(recent))
    if rising is None or level is None:
        return None
    return estimate.exhausted_at(now, level, rising, _NOISE * (advertised or 0.0), ends_at)


def _load(used: float, rivals: float | None, advertised: float | None) -> float | None:
    return used / advertised + (rivals or 0.0) if advertised else None


def _used_up(level: float | None, limit: float | None) -> float | None:
    return None if level is None or not limit else min(1.0, max(0.0, 1.0 - level / limit))


def _ends_at(call: Call, now: float, limits_of: LimitsOf) -> float | None:
    """When the quota begins anew: as its owner says, else at the end of the window that the API documents."""
    if call.pace is not None and call.pace.ends_at is not None:
        return call.pace.ends_at if call.pace.ends_at > now else None
    for limit in limits_of(call.platform):
        if limit.kind is Kind.WINDOW and limit.unit == "requests" and limit.covers(call.endpoint):
            return estimate.window_end(now, limit.seconds)
    return None
