"""Who used which API how much, against what its vendor documents. Pure; memory does not grow with the calls."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.kit.limits import Kind, Limit
from streams.runtime.quota.calls import Call
from streams.runtime.quota.latencies import Latencies
from streams.runtime.quota.live import LimitsOf

MINUTE = 60.0  # seconds over which a busiest time is told


@dataclass(slots=True)
class Usage:
    """Calls of one kind. `minutes`: cost by minute since 1970."""

    calls: int = 0
    cost: float = 0.0
    throttled: int = 0
    failed: int = 0
    latencies: Latencies = field(default_factory=Latencies)
    minutes: dict[int, float] = field(default_factory=lambda: defaultdict(float))

    def add(self, call: Call) -> None:
        """One more call."""
        self.calls += 1
        self.cost += call.cost
        self.throttled += call.throttled
        self.failed += call.outcome not in ("success", "throttled")
        self.latencies.add(call.seconds)
        self.minutes[int(call.at // MINUTE)] += call.cost

    @property
    def peak(self) -> float:
        """Units per second in the busiest minute."""
        return max(self.minutes.values(), default=0.0) / MINUTE

    def most_within(self, seconds: float) -> float:
        """Units in the busiest window of this length; windows begin at its whole multiples."""
        width = max(1, round(seconds / MINUTE))
        windows: dict[int, float] = defaultdict(float)
        for minute, cost in self.minutes.items():
            windows[minute // width] += cost
        return max(windows.values(), default=0.0)


class Operation(NamedTuple):
    """What was asked of which endpoint."""

    name: str
    method: str
    endpoint: str


@dataclass(slots=True)
class Bucket:
    """One quota and what was charged to it. `lowest`, `highest`: refill as advertised, units per second, over the
    time; `limit`: size told last; `lowest_level`: fewest units the API reported to be left."""

    platform: str
    account: str
    usage: Usage = field(default_factory=Usage)
    operations: dict[Operation, Usage] = field(default_factory=dict)
    purposes: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    limit: float | None = None
    lowest: float | None = None
    highest: float | None = None
    lowest_level: float | None = None
    reported: bool = False

    def add(self, call: Call) -> None:
        """One more call."""
        self.usage.add(call)
        self.operations.setdefault(Operation(call.operation, call.method, call.endpoint), Usage()).add(call)
        self.purposes[call.purpose] += call.cost
        self.reported = self.reported or call.restore_rate is not None
        rate = call.restore_rate if call.restore_rate is not None else (call.pace.restore_rate if call.pace else None)
        size = call.limit if call.limit is not None else (call.pace.limit if call.pace else None)
        self.limit = self.limit if size is None else size
        if rate is not None:
            self.lowest = rate if self.lowest is None else min(self.lowest, rate)
            self.highest = rate if self.highest is None else max(self.highest, rate)
        if call.level is not None:
            self.lowest_level = call.level if self.lowest_level is None else min(self.lowest_level, call.level)

    def headroom(self, usage: Usage) -> float | None:
        """Share of the refill that the busiest minute of `usage` left; below 0 where it lived on the bucket's store.
        Told from the lowest refill of the time. None where no refill is known."""
        return None if not self.lowest else 1.0 - usage.peak / self.lowest


@dataclass
class Audit:
    """Everything from `since` to `until` (seconds UTC). `limits_of`: a platform's documented limits."""

    since: float
    until: float
    limits_of: LimitsOf
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def add(self, call: Call) -> None:
        """One more call; what lies outside of the time is left out."""
        if self.since <= call.at < self.until:
            bucket = self.buckets.get(call.bucket)
            if bucket is None:
                bucket = self.buckets[call.bucket] = Bucket(call.platform, call.account)
            bucket.add(call)

    @property
    def platforms(self) -> list[str]:
        """Those that were called, by name."""
        return sorted({bucket.platform for bucket in self.buckets.values()})


@dataclass(frozen=True, slots=True)
class Verdict:
    """One documented limit beside what was used of it in the busiest time: `used` and `allowed` in its unit per its
    time; `plan` is the one whose figure the API reports."""

    limit: Limit
    used: float
    allowed: float

    @property
    def headroom(self) -> float:
        """Share that was left."""
        return 1.0 - self.used / self.allowed


def verdicts(bucket: Bucket, limits: Sequence[Limit]) -> list[Verdict]:
    """The documented limits that apply to a bucket: of the plan whose refill the API advertises (of any plan where it
    advertises none), for the endpoints that were called. What counts other things than a bucket's units, or has no
    rate, cannot be compared."""
    found = []
    for limit in limits:
        called = any(limit.covers(endpoint) for _, _, endpoint in bucket.operations)
        if not called or limit.unit not in ("points", "requests") or not _of_plan(limit, bucket):
            continue
        if limit.kind is Kind.REFILL:
            found.append(Verdict(limit, bucket.usage.peak, limit.amount / limit.seconds))
        elif limit.kind is Kind.WINDOW:
            found.append(Verdict(limit, bucket.usage.most_within(limit.seconds), limit.amount))
    return found


def _of_plan(limit: Limit, bucket: Bucket) -> bool:
    if not limit.plan or not bucket.reported or limit.per_second is None:
        return True
    return limit.per_second == bucket.highest


def by_purpose(bucket: Bucket) -> Mapping[str, float]:
    """Share of the cost by purpose, the largest first."""
    whole = bucket.usage.cost or 1.0
    return {purpose: cost / whole for purpose, cost in sorted(bucket.purposes.items(), key=lambda one: -one[1])}
