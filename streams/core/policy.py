"""What decides conflicts, holds events and moves winners: the rules of `sluice.yaml` as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.entities import EntityType, Lane


class PolicyKind(StrEnum):
    """How one winner is chosen among the accounts' newest observations."""

    SINGLE = "single"  # one origin: the newest version of the only account that speaks
    OWNER = "owner"  # the first account of the list that has spoken
    LWW = "lww"  # latest corrected source time, then account priority, then account id


class OrderingMode(StrEnum):
    """How `events` are put in source order."""

    TIME = "time"  # hold until the account's watermark has passed
    CONTIGUOUS = "contiguous"  # integer versions: hold for the gap
    ARRIVAL = "arrival"  # release at once, mark the late ones
    NONE = "none"  # this type has no `events`


class TaskKind(StrEnum):
    """How work for a destination coalesces."""

    SET = "set"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class Policy:
    """Conflict policy of one entity type. `owners`: account ids, most important first (OWNER only)."""

    kind: PolicyKind
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ordering:
    """Reorder policy of one entity type. `lateness`: seconds the watermark stays behind the newest source time."""

    mode: OrderingMode = OrderingMode.TIME
    lateness: float = 2.0


@dataclass(frozen=True, slots=True)
class Flow:
    """Which accounts should hold which fields of an entity type's winner."""

    name: str
    entity: EntityType
    to: tuple[str, ...]
    fields: tuple[str, ...]
    lane: Lane = Lane.NORMAL
    kind: TaskKind = TaskKind.SET


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one tenant set. `max_future_skew`: seconds a version may be ahead of its receive time."""

    revision: int = 1
    policies: Mapping[EntityType, Policy] = field(default_factory=dict)
    ordering: Mapping[EntityType, Ordering] = field(default_factory=dict)
    flows: tuple[Flow, ...] = ()
    max_future_skew: float = 300.0

    def policy(self, kind: EntityType) -> Policy:
        """The type's policy; last-writer-wins where the file is silent."""
        return self.policies.get(kind, Policy(PolicyKind.LWW))

    def order(self, kind: EntityType) -> Ordering:
        """The type's ordering; by time where the file is silent."""
        return self.ordering.get(kind, Ordering())
