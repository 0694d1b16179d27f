"""The standings and the audit as tables for a terminal, and as data for scripts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from connectors.kit.limits import Kind, Limit
from streams.runtime.quota.audit import Audit, Bucket, Usage, by_purpose, verdicts
from streams.runtime.quota.live import ALERT, Standing

_STANDINGS = (
    "bucket", "level / limit", "refill net / adv.", "used /s", "used for", "rivals", "load", "429",
    "blocked", "empty in",
)  # fmt: skip
_OPERATIONS = ("operation", "endpoint", "calls", "cost", "429", "failed", "p50 ms", "p95 ms", "peak /s", "headroom")


# ------------------------------------------------------------------------------------------- live


def standings(found: Sequence[Standing], now: float) -> Table:
    """One line per bucket; what is at 80 % of its refill or more, blocked or refused stands out."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in _STANDINGS:
        table.add_column(name, justify="left" if name in ("bucket", "used for") else "right", overflow="fold")
    for one in found:
        table.add_row(
            f"{one.platform} {one.bucket}",
            f"{number(one.level)} / {number(one.limit)}" + ("" if one.reported else " ~"),
            f"{number(one.net)} / {number(one.advertised)}",
            number(one.used),
            ", ".join(f"{name} {share(cost / one.used)}" for name, cost in one.used_for.items()) if one.used else "-",
            share(one.rivals),
            Text(share(one.load), style="bold red" if one.load is not None and one.load >= ALERT else ""),
            Text(f"{one.throttled} of {one.calls}", style="red" if one.throttled else ""),
            Text(_in(one.blocked_until, now), style="yellow" if one.blocked_until else ""),
            Text(_in(one.exhausted_at, now), style="red" if one.exhausted_at else ""),
        )
    return table


def standing_data(one: Standing, now: float) -> dict[str, Any]:
    """What --json says of a bucket: fields of Standing, times in ISO form, beside them the seconds until then."""
    times = {
        "blocked_until": one.blocked_until, "exhausted_at": one.exhausted_at, "ends_at": one.ends_at,
        "last_at": one.last_at,
    }  # fmt: skip
    return {
        **asdict(one),
        **{name: None if at is None else when(at) for name, at in times.items()},
        "blocked_seconds": None if one.blocked_until is None else round(one.blocked_until - now, 3),
        "exhausted_seconds": None if one.exhausted_at is None else round(one.exhausted_at - now, 3),
    }


# ------------------------------------------------------------------------------------------- audit


def audit(found: Audit) -> Group:
    """Documented limits per platform, then every bucket: by limit and by operation."""
    parts: list[RenderableType] = []
    for name, bucket in sorted(found.buckets.items()):
        parts += [Text(f"{bucket.platform} {name}", style="bold"), Text(f"  {refill_of(bucket)}")]
        for one in verdicts(bucket, found.limits_of(bucket.platform)):
            used = f"{number(one.used)} of {number(one.allowed)} {one.limit.unit}{per(one.limit)} at the busiest time"
            parts.append(Text(f"  documented: {named(one.limit)}: {used}, headroom {share(one.headroom)}"))
        parts += [_operations(bucket), Text("")]
    for platform in found.platforms:
        parts += [Text(f"what {platform} documents", style="bold"), _limits(found.limits_of(platform)), Text("")]
    return Group(*parts[:-1])


def audit_data(found: Audit) -> dict[str, Any]:
    """What --format json says."""
    return {
        "since": when(found.since),
        "until": when(found.until),
        "buckets": [{"bucket": name, **_bucket_data(one, found)} for name, one in sorted(found.buckets.items())],
        "documented": {
            platform: [limit_data(one) for one in found.limits_of(platform)] for platform in found.platforms
        },
    }


def limit_data(limit: Limit) -> dict[str, Any]:
    """One documented limit."""
    return {**asdict(limit), "kind": limit.kind.value, "per_second": limit.per_second}


def _bucket_data(bucket: Bucket, found: Audit) -> dict[str, Any]:
    limits = verdicts(bucket, found.limits_of(bucket.platform))
    return {
        "platform": bucket.platform,
        "account": bucket.account,
        "size": bucket.limit,
        "refill": {"lowest": bucket.lowest, "highest": bucket.highest, "reported": bucket.reported},
        "lowest_level": bucket.lowest_level,
        **usage_data(bucket, bucket.usage),
        "purposes": dict(by_purpose(bucket)),
        "limits": [
            {"limit": named(one.limit), "used": one.used, "allowed": one.allowed, "headroom": one.headroom}
            for one in limits
        ],
        "operations": [
            {"operation": key.name, "method": key.method, "endpoint": key.endpoint, **usage_data(bucket, usage)}
            for key, usage in sorted(bucket.operations.items())
        ],
    }


def usage_data(bucket: Bucket, usage: Usage) -> dict[str, Any]:
    """Calls of one kind, milliseconds and units per second."""
    return {
        "calls": usage.calls,
        "cost": usage.cost,
        "throttled": usage.throttled,
        "failed": usage.failed,
        "p50_ms": round(usage.latencies.quantile(0.5) * 1000, 1),
        "p95_ms": round(usage.latencies.quantile(0.95) * 1000, 1),
        "peak_per_second": usage.peak,
        "headroom": bucket.headroom(usage),
    }


def _operations(bucket: Bucket) -> Table:
    table = Table(*_OPERATIONS, box=None, header_style="dim", pad_edge=True)
    for column in table.columns[2:]:
        column.justify = "right"
    for column in table.columns[:2]:
        column.overflow = "fold"
    for key, usage in sorted(bucket.operations.items()):
        table.add_row(key.name, f"{key.method} {key.endpoint}", *cells(bucket, usage))
    table.add_row("all", "", *cells(bucket, bucket.usage), style="bold")
    return table


def cells(bucket: Bucket, usage: Usage) -> list[str]:
    """The columns of usage behind operation and endpoint, as text."""
    said = usage_data(bucket, usage)
    counts = [str(said["calls"]), number(said["cost"]), str(said["throttled"]), str(said["failed"])]
    times = [f"{said['p50_ms']:.0f}", f"{said['p95_ms']:.0f}"]
    return [*counts, *times, number(said["peak_per_second"]), share(said["headroom"])]


def _limits(limits: Sequence[Limit]) -> Table:
    table = Table("limit", "figure", "shared by", "source", "as of", box=None, header_style="dim")
    for one in limits:
        table.add_row(named(one), figure(one), one.scope, one.source, one.as_of)
    return table


# ------------------------------------------------------------------------------------------- words


def refill_of(bucket: Bucket) -> str:
    """Size and refill of a bucket and who says so."""
    by = "as the API reports" if bucket.reported else "as configured; the API reports none"
    rates = {number(bucket.lowest), number(bucket.highest)}
    return f"bucket of {number(bucket.limit)} units, refill {' to '.join(sorted(rates))} /s, {by}"


def named(limit: Limit) -> str:
    """API and plan."""
    return f"{limit.api}, {limit.plan}" if limit.plan else limit.api


def figure(limit: Limit) -> str:
    """The documented figure in words."""
    note = f" ({limit.note})" if limit.note else ""
    if limit.kind is Kind.NONE:
        return f"none{note}"
    return f"{number(limit.amount)} {limit.unit}{per(limit)}{note}"


def per(limit: Limit) -> str:
    """per second, per day, in one request."""
    if limit.kind is Kind.REQUEST:
        return " in one request"
    names = {1.0: "second", 60.0: "minute", 3600.0: "hour", 86_400.0: "day"}
    return f" per {names.get(limit.seconds, f'{limit.seconds:g} s')}"


def number(value: float | None) -> str:
    """At most one decimal below a hundred; - for what is not known."""
    if value is None:
        return "-"
    return f"{value:.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.1f}"


def share(value: float | None) -> str:
    """In percent."""
    return "-" if value is None else f"{value * 100:.0f} %"


def when(at: float) -> str:
    """Seconds UTC as text, to the second."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _in(at: float | None, now: float) -> str:
    if at is None:
        return "-"
    seconds = max(0.0, at - now)
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
