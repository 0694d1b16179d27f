"""What a shop's own numbers say of who delivered to it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.delivery.shops import Kind, Reading
from benchmarks.delivery.work import Piece
from schemas.entities import Lane


@dataclass(frozen=True, slots=True)
class Quota:
    """What holds from `at` (seconds) on: units per second that come in, and that a rival takes of them."""

    at: float
    rate: float
    rival: float


@dataclass(frozen=True, slots=True)
class Offered:
    """A write and when it was offered, microseconds UTC."""

    piece: Piece
    at: int


def available(kind: Kind, before: Reading, after: Reading, quotas: Sequence[Quota], end: float) -> float:
    """Units that could have been spent: those in the bucket at the start and what came in since, less the rival's.

    Where the shop counts what its bucket could have given, it is asked; else it is told by what was set when.
    """
    if before.refill is not None and after.refill is not None:
        return before.level + after.refill - before.refill
    ends = [*(quota.at for quota in quotas[1:]), end]
    gained = sum((stop - quota.at) * (quota.rate - quota.rival) for quota, stop in zip(quotas, ends, strict=True))
    return before.level + gained


def figures(
    before: Reading,
    after: Reading,
    spendable: float,
    offered: Mapping[str, Offered],
    journal: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Shares, milliseconds and counts of one contender at one shop.

    `waste`: requests that changed nothing (refusals, and writes of what was there already) of all requests; a wait is
    from the offer to the acceptance by the shop.
    """
    calls = after.accepted - before.accepted + after.refused - before.refused
    refused = after.refused - before.refused
    idle = sum(not entry["changed"] for entry in journal)
    waits = {lane: sorted(_waits(lane, offered, journal)) for lane in (Lane.HIGH, Lane.BULK)}
    return {
        "utilisation": round((after.spent - before.spent) / spendable, 4),
        "refused": round(refused / calls, 5) if calls else 0.0,
        "waste": round((refused + idle) / calls, 5) if calls else 0.0,
        "calls": calls,
        "refusals": refused,
        "high_p50_ms": _quantile(waits[Lane.HIGH], 0.5),
        "high_p99_ms": _quantile(waits[Lane.HIGH], 0.99),
        "bulk_p99_ms": _quantile(waits[Lane.BULK], 0.99),
        "high_writes": len(waits[Lane.HIGH]),
        "bulk_writes": len(waits[Lane.BULK]),
        "high_left": sum(one.piece.lane is Lane.HIGH for one in offered.values()) - len(waits[Lane.HIGH]),
    }


def faults(offered: Mapping[str, Offered], journal: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the shop accepted and nobody asked for, that way or so often."""
    found, seen = [], set()
    for entry in journal:
        one = offered.get(entry["request_id"])
        if one is None:
            found.append(f"a write of {entry['sku']} that nobody asked for")
        elif float(entry["value"]) != one.piece.units or entry["sku"] != one.piece.sku:
            found.append(f"{entry['sku']} was set to {entry['value']} instead of {one.piece.units}")
        elif entry["request_id"] in seen:
            found.append(f"{entry['sku']} was written twice")
        seen.add(entry["request_id"])
    return found


def _waits(lane: Lane, offered: Mapping[str, Offered], journal: Sequence[Mapping[str, Any]]) -> list[float]:
    told = {entry["request_id"]: entry["at"] for entry in journal}
    return [(told[name] - one.at) / 1000 for name, one in offered.items() if one.piece.lane is lane and name in told]


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None
