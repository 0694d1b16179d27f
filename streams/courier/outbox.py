"""What the courier says to the log: every call, what was read, what was given up."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.kit.contract import Account, Envelope, Feedback, Observation, Request
from connectors.kit.errors import (
    Conflict,
    DeadLetter,
    OutcomeUnknown,
    Retry,
    SluiceError,
    Stop,
    Throttled,
    Unlinkable,
)
from connectors.kit.snapshots import OWN, buckets
from schemas import headers, identity, topics
from schemas.codec import Record
from schemas.entities import Channel, Lane
from streams.core.desired import Task
from streams.courier.line import Ticket
from streams.courier.setup import Setup, reference
from streams.runtime import raw
from streams.runtime.deadletters import DeadLetters, Trouble
from streams.shard.api import Headers, Incoming, Shard

_BY_STATUS = {401: "auth", 403: "auth", 404: "gone", 410: "gone", 409: "conflict", 412: "conflict", 429: "throttled"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Trip:
    """One run of a flow: what its calls are recorded as, and what became of it. Times in microseconds UTC.

    `wrote`: a request that writes may have left; `carried`: one was answered and the flow went on; `cost`: what its
    requests expected to be charged; `slowest`: seconds its longest reply took; `purpose`: as api_call.avsc names it.
    """

    ticket: Ticket
    lane: Lane
    op_id: str
    attempt: int = 1
    golden_version: int | None = None
    wrote: bool = False
    carried: bool = False
    calls: int = 0
    cost: float = 0.0
    slowest: float = 0.0
    started_at: int = 0
    received_at: int = 0
    purpose: str = "other"


@dataclass(frozen=True, slots=True)
class Call:
    """One request and its reply; status 0 when none came. `cost`: units it was charged; `pace`: Pacer.snapshot once
    it was settled."""

    request: Request
    status: int
    at: int
    seconds: float
    feedback: Feedback | None
    error: Exception | None
    cost: float
    pace: Mapping[str, float]

    @property
    def outcome(self) -> str:
        """As api_call.avsc names it: what the flow made of the reply, else what its status says."""
        if self.feedback is not None and self.feedback.throttled:
            return "throttled"
        if self.error is not None:
            return _named(self.error)
        if self.status == 0 or self.status in _BY_STATUS:
            return _BY_STATUS.get(self.status, "unknown")
        if self.status >= 500:
            return "retry"
        return "success" if self.status < 400 else "invalid"


def _named(error: Exception) -> str:
    table: tuple[tuple[type[SluiceError], str], ...] = (
        (Throttled, "throttled"),
        (Conflict, "conflict"),
        (Retry, "retry"),
        (OutcomeUnknown, "unknown"),
        (Stop, "auth"),
        (Unlinkable, "gone"),
        (DeadLetter, "invalid"),
    )
    return next((name for kind, name in table if isinstance(error, kind)), "unknown")


def _paced(name: str, numbers: Mapping[str, float], call: Call) -> Record:
    """One bucket of Pacer.snapshot as Pace of api_call.avsc. In further buckets a request that says nothing is one."""
    further = call.request.charges.get(name, 1.0) if call.cost > 0.0 else 0.0
    return {
        "name": name,
        "cost": call.cost if name == OWN else further,
        "level": numbers["level"] if numbers["level"] >= 0.0 else None,
        "limit": numbers["limit"],
        "restore_rate": numbers["restore_rate"],
        "refill": numbers["refill"],
        "blocked_until": _ahead(numbers["blocked_until"], call.at),
        "ends_at": _ahead(numbers.get("ends", 0.0), call.at),
    }


def _ahead(seconds: float, at: int) -> int | None:
    """A time in microseconds, if it lies ahead of `at`; what has ended when the call was sent is none."""
    until = seconds * 1e6
    return round(until) if at < until < math.inf else None


@dataclass(slots=True)
class _Original:
    """What is left of a consumed record when its work dies later."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


def _cloud_event(account: Account, envelope: Envelope) -> Headers:
    return headers.cloud_event(
        id=envelope.delivery_id,
        source=f"/{account.platform}/{account.tenant}/{account.id}",
        type=f"sluice.raw.{account.platform}.{envelope.topic}",
        time=(_EPOCH + timedelta(microseconds=envelope.received_at)).isoformat(),
        subject=envelope.resource_id,
        schema="raw_envelope",
    )


class Outbox:
    """Output records of one shard, in the atom of the caller."""

    def __init__(self, setup: Setup, shard: Shard) -> None:
        self._setup = setup
        self._shard = shard
        self._letters = DeadLetters(setup.codec, "courier", setup.profile)
        self._calls = setup.profile.partitions(topics.CATALOGUE[topics.CALLS].sizing)
        self._raw = topics.raw(setup.platform.name)
        self._raws = setup.profile.partitions(topics.CATALOGUE[self._raw].sizing)

    def call(self, account: Account, trip: Trip, call: Call) -> None:
        """One request to the vendor -> calls."""
        feedback = call.feedback or Feedback()
        record = {
            "at": call.at,
            "tenant": account.tenant,
            "account": account.id,
            "platform": account.platform,
            "bucket": reference(account.tenant, account.id),
            "lane": trip.lane.value,
            "operation": call.request.operation,
            "purpose": trip.purpose,
            "op_id": trip.op_id,
            "method": call.request.method,
            "endpoint": call.request.endpoint,
            "status": call.status,
            "outcome": call.outcome,
            "cost": call.cost,
            "level": feedback.level,
            "limit": feedback.limit,
            "restore_rate": feedback.restore_rate,
            "latency_ms": call.seconds * 1000.0,
            "attempt": trip.attempt,
            "retry_after_ms": None if feedback.retry_after is None else feedback.retry_after * 1000.0,
            "golden_version": trip.golden_version,
            "paces": [_paced(name, numbers, call) for name, numbers in buckets(call.pace).items()],
        }
        partition = identity.account_partition(account.tenant, account.id, self._calls)
        key = reference(account.tenant, account.id)
        self._shard.emit(topics.CALLS, partition, key.encode(), self._setup.codec.encode("api_call", record))
        self._setup.recorder.call(key, call.request.operation, call.outcome, call.seconds)
        self._setup.recorder.spent(key, trip.purpose, call.cost)
        if feedback.malformed:
            self._setup.recorder.malformed(key, feedback.malformed)

    def observation(
        self,
        account: Account,
        channel: Channel,
        seen: Observation,
        trip: Trip,
        sequence: int,
        index: int,
        *,
        answer: bool = False,
    ) -> None:
        """Something that was read -> raw.<platform>. The delivery id names this very reading of this record. `answer`:
        it was the reply to a write that was carried out."""
        delivery_id = f"{channel}-{self._shard.number}-{sequence:x}-{index}"
        envelope = Envelope(
            account=account.id,
            channel=channel,
            topic=seen.topic,
            delivery_id=delivery_id,
            body=seen.body,
            headers={raw.ANSWER: "true"} if answer else {},
            received_at=trip.received_at,
            resource_id=seen.resource_id,
            read_started_at=trip.started_at,
            read_sequence=sequence,
            op=seen.op,
        )
        key = identity.join(account.tenant, account.id, seen.resource_id or delivery_id).encode()
        value = self._setup.codec.encode("raw_envelope", raw.to_record(account, envelope))
        self._shard.emit(self._raw, identity.partition(key, self._raws), key, value, _cloud_event(account, envelope))

    def dead(self, task: Task, reason: str, detail: str, value: bytes, key: bytes, now: int) -> None:
        """Work that can never succeed -> dead letters, with the record that asked for it."""
        wanted = task.wanted
        original = _Original(wanted.origin.offset, 0, key, value or None)
        trouble = Trouble(
            reason,
            f"{wanted.kind} of {wanted.subject} version {wanted.version} at {wanted.account}: {detail}",
            attempts=task.attempts,
            tenant=wanted.tenant,
            account=wanted.account,
        )
        self._letters.emit(self._shard, wanted.origin.topic, original, trouble, now)
        self._setup.recorder.rejected(wanted.origin.topic, reason)

    def rejected(self, topic: str, record: Incoming, trouble: Trouble, now: int) -> None:
        """A consumed record that never became work -> dead letters."""
        self._letters.emit(self._shard, topic, record, trouble, now)
        self._setup.recorder.rejected(topic, trouble.reason)
