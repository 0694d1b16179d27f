"""The audit as a report that can be sent to a vendor: what was used, of which limit, and how much was left. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from streams.runtime.quota.audit import Audit, Bucket, Operation, Usage, by_purpose, verdicts
from streams.runtime.quota.tables import cells, figure, named, number, per, refill_of, share, when

_HEAD = ("operation", "endpoint", "calls", "cost", "429", "failed", "p50 ms", "p95 ms", "peak /s", "headroom")


def report(found: Audit) -> str:
    """Markdown. It names accounts, operations and endpoints; no keys, no bodies, no customers."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Audit) -> Iterator[str]:
    yield "# API usage"
    yield ""
    yield f"From {when(found.since)} to {when(found.until)}, counted from every request that was sent."
    yield "Cost is in the API's own units, peak is the busiest minute, headroom is what that minute left of the refill."
    for name, bucket in sorted(found.buckets.items()):
        yield ""
        yield f"## {bucket.platform}: {name}"
        yield ""
        yield from _summary(bucket)
        yield ""
        yield from _limits(bucket, found)
        yield from _table(
            _HEAD, [[k.name, f"{k.method} `{k.endpoint}`", *cells(bucket, u)] for k, u in _ranked(bucket)]
        )
    for platform in found.platforms:
        yield ""
        yield f"## What {platform} documents"
        yield ""
        rows = [
            [named(one), figure(one), one.scope, one.signals, f"<{one.source}>", one.as_of]
            for one in found.limits_of(platform)
        ]
        yield from _table(("limit", "figure", "shared by", "how replies tell", "source", "as of"), rows)


def _summary(bucket: Bucket) -> Iterator[str]:
    usage = bucket.usage
    refused = usage.throttled / usage.calls if usage.calls else 0.0
    yield f"- {refill_of(bucket)}"
    yield f"- {usage.calls} requests of {number(usage.cost)} units; {usage.throttled} refused ({refused:.2%})"
    yield f"- busiest minute {number(usage.peak)} units/s, headroom {share(bucket.headroom(usage))}"
    if bucket.lowest_level is not None:
        yield f"- the bucket never held less than {number(bucket.lowest_level)} units"
    yield f"- spent on {', '.join(f'{name} {share(part)}' for name, part in by_purpose(bucket).items())}"


def _limits(bucket: Bucket, found: Audit) -> Iterator[str]:
    for one in verdicts(bucket, found.limits_of(bucket.platform)):
        yield (
            f"Documented for {named(one.limit)}: {number(one.allowed)} {one.limit.unit}{per(one.limit)}; "
            f"at the busiest time {number(one.used)} were used, headroom {share(one.headroom)}."
        )
        yield ""


def _ranked(bucket: Bucket) -> list[tuple[Operation, Usage]]:
    """The dearest first."""
    return sorted(bucket.operations.items(), key=lambda one: (-one[1].cost, one[0]))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"
