"""The desired-state table: what each account should hold, one row per entity. Pure.

Backlog is bounded by entities, not by events, because the newest wanted version replaces what waits before it. Merging
is commutative, associative and idempotent, so any order, repetition or batching of the same tasks gives the same row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from schemas.entities import Lane

_LANES: Mapping[Lane, int] = {lane: index for index, lane in enumerate(Lane)}
NEVER = float("inf")
DISCARDED = "discarded"  # reason of a dead row that a person gave up: a command of it never comes back


class Kind(StrEnum):
    """How work for one account coalesces."""

    SET = "set"  # newest version wins
    COMMAND = "command"  # each operation id exactly once
    FETCH = "fetch"  # a read; the newest request stands for those before it


class Status(StrEnum):
    """Where a row stands."""

    READY = "ready"
    INFLIGHT = "inflight"
    UNKNOWN = "unknown"  # a request may have been carried out and may still land
    PARKED = "parked"
    DEAD = "dead"


class Effect(StrEnum):
    """What an upsert did with the task, as the ledger counts it."""

    STORED = "stored"
    COALESCED = "coalesced"
    NO_OP = "no_op"


@dataclass(frozen=True, slots=True)
class Origin:
    """The record that asked, for dead letters."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """One wanted version. `subject`: golden key, or resource and remote id of a fetch; `value`: the task as received.

    `version`: golden version of sets and commands, microseconds UTC of the request for fetches. `cause`: the flow that
    asked, or the reason of a fetch. `wanted_at`: microseconds UTC. `expires_at`: microseconds UTC from which it is not
    worth sending any more, 0 for never.
    """

    tenant: str
    account: str
    kind: Kind
    subject: str
    version: int
    lane: Lane
    cause: str
    fields: frozenset[str]
    fingerprint: bytes
    value: bytes
    wanted_at: int
    origin: Origin
    operation_id: str = ""
    expires_at: int = 0

    def expired(self, now: float) -> bool:
        """Whether it is not worth sending any more. `now`: seconds UTC."""
        return 0 < self.expires_at <= now * 1e6

    @property
    def row(self) -> str:
        """The row of this work within its account. Keys contain no control characters, so the kinds never meet."""
        if self.kind is Kind.COMMAND:
            return f"\x01{self.operation_id}"
        return f"\x02{self.subject}" if self.kind is Kind.FETCH else self.subject

    @property
    def op_id(self) -> str:
        """Names this work for ever; equal for every repetition."""
        return self.operation_id or f"{self.account}|{self.subject}|{self.version}"


@dataclass(frozen=True, slots=True)
class Task:
    """One row. `not_before`: seconds UTC. `later`: what runs next, stored beside a version that is in flight."""

    wanted: Wanted
    status: Status = Status.READY
    attempts: int = 0
    not_before: float = 0.0
    reason: str = ""
    later: Wanted | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """The newest version an account is known to hold. `at`: microseconds UTC of the confirmation."""

    version: int
    fields: frozenset[str]
    fingerprint: bytes
    at: int = 0

    def covers(self, wanted: Wanted) -> bool:
        """Whether the account already holds what is wanted, or something newer."""
        if wanted.version == self.version:
            return wanted.fields <= self.fields
        return wanted.version < self.version


def upsert(task: Task | None, applied: Applied | None, wanted: Wanted) -> tuple[Task | None, Effect]:
    """The row after one more task for it. `applied`: what the account holds, None when nothing was ever applied."""
    if wanted.kind is Kind.COMMAND:
        return _command(task, applied, wanted)
    if applied is not None and applied.covers(wanted):
        return task, Effect.NO_OP
    if task is None:
        return Task(wanted), Effect.STORED
    if task.status is Status.DEAD:
        return (Task(wanted), Effect.STORED) if wanted.version >= task.wanted.version else (task, Effect.COALESCED)
    if task.status in (Status.INFLIGHT, Status.UNKNOWN):
        return _beside(task, wanted)
    return _waiting(task, wanted), Effect.COALESCED


def _command(task: Task | None, applied: Applied | None, wanted: Wanted) -> tuple[Task | None, Effect]:
    if applied is not None:
        return task, Effect.NO_OP
    if task is None or (task.status is Status.DEAD and task.reason != DISCARDED):
        return Task(wanted), Effect.STORED
    if task.status is Status.READY and task.attempts == 0:
        first = min(task.wanted, wanted, key=lambda one: (_rank(one), sorted(one.fields)))
        return replace(task, wanted=replace(first, lane=urgent(task.wanted.lane, wanted.lane))), Effect.NO_OP
    return task, Effect.NO_OP


def _beside(task: Task, wanted: Wanted) -> tuple[Task, Effect]:
    if _held_by(task.wanted, wanted):
        return task, Effect.COALESCED
    if task.later is None:
        return replace(task, later=wanted), Effect.STORED
    return replace(task, later=merge(task.later, wanted)), Effect.COALESCED


def _held_by(running: Wanted, wanted: Wanted) -> bool:
    if wanted.version == running.version:
        return wanted.fields <= running.fields
    return wanted.version < running.version


def _waiting(task: Task, wanted: Wanted) -> Task:
    merged = merge(task.wanted, wanted)
    if task.status is Status.PARKED and wanted.version >= task.wanted.version:
        return Task(merged)
    return replace(task, wanted=merged)


def merge(one: Wanted, other: Wanted) -> Wanted:
    """The newest of two waiting versions, with the fields of both and the more urgent lane."""
    newest = max(one, other, key=_rank)
    return replace(newest, fields=one.fields | other.fields, lane=urgent(one.lane, other.lane))


def _rank(wanted: Wanted) -> tuple[object, ...]:
    """The version decides; the rest makes equal versions independent of their order. Merging leaves it unchanged."""
    origin = wanted.origin
    place = origin.topic, origin.partition, -origin.offset
    return wanted.version, wanted.fingerprint, wanted.cause, *place, wanted.expires_at


def urgent(one: Lane, other: Lane) -> Lane:
    """The more urgent lane."""
    return min(one, other, key=_LANES.__getitem__)


# ------------------------------------------------------------------------------------------------ transitions


def begin(task: Task) -> Task:
    """Take the row to work on it. After doubt the newest version is taken: the old one can no longer land."""
    return replace(_caught_up(task), status=Status.INFLIGHT, attempts=task.attempts + 1, reason="")


def succeed(task: Task) -> Task | None:
    """The version in flight is confirmed: what remains is what was stored beside it."""
    return None if task.later is None else Task(task.later)


def confirm(applied: Applied | None, wanted: Wanted, *, at: int) -> Applied:
    """What the account holds after `wanted` was confirmed; several flows may move fields of one version."""
    known = applied.fields if applied is not None and applied.version == wanted.version else frozenset()
    return Applied(wanted.version, wanted.fields | known, wanted.fingerprint, at)


def retry(task: Task, at: float, reason: str) -> Task:
    """Back to waiting, not before `at`; a newer version takes its place."""
    return replace(_caught_up(task), status=Status.READY, not_before=at, reason=reason)


def doubt(task: Task, until: float, reason: str) -> Task:
    """A request may still land until then, so nothing else of this entity may be sent."""
    return replace(task, status=Status.UNKNOWN, not_before=until, reason=reason)


def park(task: Task, reason: str, *, recheck_at: float = NEVER) -> Task:
    """Wait for something outside: a link to appear, or a person."""
    return replace(_caught_up(task), status=Status.PARKED, not_before=recheck_at, reason=reason)


def kill(task: Task, reason: str) -> Task:
    """This version can never succeed; its bytes are in the dead letter, so the row keeps none."""
    if task.later is not None:
        return Task(task.later)
    return replace(task, wanted=replace(task.wanted, value=b""), status=Status.DEAD, not_before=NEVER, reason=reason)


class Verdict(StrEnum):
    """What a person decides about a parked row."""

    RETRY = "retry"  # send it again
    DONE = "done"  # it was carried out
    DISCARD = "discard"  # give it up


def judge(task: Task, verdict: Verdict) -> Task | None:
    """What remains of a parked row. The caller notes a version that is `DONE` as applied, and keeps the bytes of one
    that is discarded."""
    match verdict:
        case Verdict.RETRY:
            return Task(task.wanted)
        case Verdict.DONE:
            return succeed(task)
        case Verdict.DISCARD:
            return kill(task, DISCARDED)


def _caught_up(task: Task) -> Task:
    if task.later is None:
        return task
    return replace(task, wanted=merge(task.wanted, task.later), later=None)
