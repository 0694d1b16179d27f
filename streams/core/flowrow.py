"""The row `F` of a shard: by which flows its entities were moved, so that others are seen when it is opened. Pure.

Flows are kept whole, as JSON with defaults left out, as policies are (streams/core/policyrow.py). Of a shard in which
not all stored entities were looked at by them yet, `open` names the types that are left.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.entities import EntityType, Lane
from streams.core.policy import Flow, OnDelete, OnDrift, Rules, TaskKind

KEY = b"F"
_FORMAT = 1
_TYPES = frozenset(EntityType)
Plain = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """What a row says. `flows`: by name, as `plain` tells them; without a row there were none."""

    revision: int = 0
    flows: Mapping[str, Plain] = field(default_factory=dict)
    open: frozenset[EntityType] = frozenset()

    @classmethod
    def of(cls, rules: Rules) -> Standing:
        """By the rules of a configuration."""
        return cls(rules.flows_revision, {flow.name: plain(flow) for flow in rules.flows})

    def differing(self, other: Standing) -> list[str]:
        """Names of flows that are not the same in both."""
        names = sorted({*self.flows, *other.flows})
        return [name for name in names if self.flows.get(name) != other.flows.get(name)]

    def stale(self, own: Standing) -> list[EntityType]:
        """Types whose stored entities `own` may have to move: those of flows that are new or differ."""
        new = {str(own.flows[name]["entity"]) for name in self.differing(own) if name in own.flows}
        wanted = {*new, *(kind.value for kind in self.open)}
        return [kind for kind in EntityType if kind.value in wanted]


def pack(standing: Standing) -> bytes:
    """The row."""
    told = {
        "format": _FORMAT,
        "revision": standing.revision,
        "flows": dict(standing.flows),
        "open": sorted(standing.open),
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def unpack(row: bytes | None) -> Standing:
    """What a row says. Raises ValueError for another format."""
    if row is None:
        return Standing()
    try:
        told = json.loads(row)
        if told["format"] != _FORMAT:
            raise ValueError(f"its format is {told['format']}, not {_FORMAT}")
        left = frozenset(EntityType(name) for name in told["open"] if name in _TYPES)
        return Standing(int(told["revision"]), dict(told["flows"]), left)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a row of flows that this version can read: {row[:80]!r}: {error}") from error


def plain(flow: Flow) -> dict[str, Any]:
    """A flow as its file would say it, defaults left out and sets of names sorted."""
    told: dict[str, Any] = {
        "entity": flow.entity.value,
        "to": "origin" if flow.to_origin else sorted(flow.to),
        "fields": sorted(flow.fields),
    }
    if flow.when:
        told["when"] = sorted(map(str, flow.when.comparisons))
    told |= _named(flow)
    if flow.guard is not None:
        kept_back = {name: str(units) for name, units in sorted(flow.guard.channels.items())}
        told["guard"] = {"safety": str(flow.guard.safety), "channels": kept_back} | {
            "learns_within": flow.guard.learns_within
        }
    if flow.tax is not None:
        bases = dict(sorted(flow.tax.bases.items()))
        told["tax"] = {"rate": str(flow.tax.rate), "bases": bases, "step": str(flow.tax.step)}
    return told


def _named(flow: Flow) -> Iterable[tuple[str, Any]]:
    """Single values that are not the default."""
    values = {
        "from": (sorted(flow.source), []),
        "kind": (flow.kind.value, TaskKind.SET.value),
        "lane": (flow.lane.value, Lane.NORMAL.value),
        "max_age": (flow.max_age, None),
        "hours": (str(flow.hours), ""),
        "fallback": (flow.fallback, ""),
        "deletes": (flow.deletes.value, OnDelete.IGNORE.value),
        "on_drift": (flow.on_drift.value, OnDrift.REPAIR.value),
    }
    return [(name, value) for name, (value, default) in values.items() if value != default]
