"""What decides conflicts, holds events and moves winners: the rules of `sluice.yaml` as values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from enum import StrEnum

from schemas.entities import EntityType, Lane
from streams.core.condition import ALWAYS, Condition
from streams.core.hours import ALL_DAY, Hours
from streams.core.massdelete import Brake
from streams.core.stock import Guard

CENT = Decimal("0.01")


class PolicyKind(StrEnum):
    """How one winner is chosen among the accounts' newest observations."""

    SINGLE = "single"  # one origin: the newest version of the only account that speaks
    OWNER = "owner"  # the first account of the list that has spoken
    LWW = "lww"  # latest corrected source time, then account priority, then account id


class DeleteRule(StrEnum):
    """When an entity is gone of which several accounts have spoken."""

    WINNER = "winner"  # when the account that decides says so: a delete is a version like any other
    UNANIMOUS = "unanimous"  # when no account has it any more; until then the best of those that have it decides
    ANY = "any"  # when any account says so; it is back when that account has it back


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
class FieldGroup:
    """Fields that are decided on together, and apart from the rest: whoever wins gives all of them. `owners` as in
    Policy."""

    name: str
    fields: tuple[str, ...]
    kind: PolicyKind
    owners: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Policy:
    """Conflict policy of one entity type. `owners`: account ids, most important first (OWNER only).

    With `groups` an entity is put together from its accounts field group by field group; fields of no group come from
    the winner by `kind`. `partial`: accounts may say some of the fields only, and what they said before of the others
    still holds. Either of them costs a record cut and joined per event; without, values pass as they came.
    """

    kind: PolicyKind
    owners: tuple[str, ...] = ()
    deletes: DeleteRule = DeleteRule.WINNER
    groups: tuple[FieldGroup, ...] = ()
    partial: bool = False

    @property
    def merges(self) -> bool:
        """Whether records are put together from parts."""
        return self.partial or bool(self.groups)


@dataclass(frozen=True, slots=True)
class Ordering:
    """Reorder policy of one entity type. `lateness`: seconds the watermark stays behind the newest source time;
    `accounts`: those that need another lateness, by account id."""

    mode: OrderingMode = OrderingMode.TIME
    lateness: float = 2.0
    accounts: Mapping[str, float] = field(default_factory=dict)

    def of(self, account: str) -> Ordering:
        """As it is for one account."""
        return replace(self, lateness=self.accounts.get(account, self.lateness))


class OnDelete(StrEnum):
    """What a flow of sets does when the entity is deleted."""

    IGNORE = "ignore"
    DELETE = "delete"  # accounts that have the record are asked to delete it


class OnDrift(StrEnum):
    """What a flow of sets does when an account changes by itself what it was given, and does not win by that."""

    REPAIR = "repair"  # it is asked again
    REPORT = "report"  # it is left alone until the winner changes, and decisions name it
    ADOPT = "adopt"  # it is left alone until the winner changes


@dataclass(frozen=True, slots=True)
class Tax:
    """How a flow of prices moves them between tax bases. `rate`: 0.19 for 19 percent; `bases`: INCLUDED or EXCLUDED, by
    account; `step`: what amounts are rounded to, half up. Currencies are never converted."""

    rate: Decimal
    bases: Mapping[str, str]
    step: Decimal = CENT


@dataclass(frozen=True, slots=True)
class Flow:
    """What moves an entity type's winner where.

    A flow of sets: accounts that should hold these fields of it, for as long as the condition holds. A flow of
    commands: work that is given to each account once in an entity's life, when the condition first holds.

    `source`: only what these accounts say is moved, when it is the winner; any where it is empty. `to_origin`: to the
    account in the golden id (an order's, of its shipments and refunds, is where it was placed), and `to` is empty.
    `max_age`: seconds after the change at its source in which the task may still be carried out. `guard`: accounts are
    told less of a stock. `hours`: when its tasks may be carried out, by the clock of the account that gets them.
    `fallback`: of commands, the account that gets those that were never sent while the one in `to` is away.
    """

    name: str
    entity: EntityType
    to: tuple[str, ...]
    fields: tuple[str, ...]
    lane: Lane = Lane.NORMAL
    kind: TaskKind = TaskKind.SET
    guard: Guard | None = None
    when: Condition = ALWAYS
    source: tuple[str, ...] = ()
    to_origin: bool = False
    max_age: float | None = None
    deletes: OnDelete = OnDelete.IGNORE
    on_drift: OnDrift = OnDrift.REPAIR
    tax: Tax | None = None
    hours: Hours = ALL_DAY
    fallback: str = ""


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of one tenant set. `max_future_skew`: seconds a version may be ahead of its receive time; `grave_days`:
    how long a deleted entity is remembered; `flows_revision`: 0 for flows without one, which may change at any time."""

    revision: int = 1
    policies: Mapping[EntityType, Policy] = field(default_factory=dict)
    ordering: Mapping[EntityType, Ordering] = field(default_factory=dict)
    flows: tuple[Flow, ...] = ()
    flows_revision: int = 0
    max_future_skew: float = 300.0
    mass_delete: Brake = field(default_factory=Brake)
    grave_days: int = 100

    def policy(self, kind: EntityType) -> Policy:
        """The type's policy; last-writer-wins where the file is silent."""
        return self.policies.get(kind, Policy(PolicyKind.LWW))

    def order(self, kind: EntityType) -> Ordering:
        """The type's ordering; by time where the file is silent."""
        return self.ordering.get(kind, Ordering())
