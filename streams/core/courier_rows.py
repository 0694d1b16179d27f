"""The courier's rows as bytes: key = kind byte, account, 0x00, rest; value = format byte, packed body. Pure.

    Q task      row of the work            what the account should hold, and where that stands
    I intent    operation id               a request that may be on its way
    A applied   golden key, operation id   the newest version the account confirmed
    K cursor    resource                   where a poll stands
    H hole      resource                   until when its pushes may have been lost
    N snapshot  resource, topic, remote id content hash of a record as last emitted
    B bucket    -                          what was learnt of the quota
    R epoch     -                          high part of read sequences, one more at every opening
    W route     golden key                 the account that gets the entity's commands, decided once

`account` is `tenant|account`, percent-encoded, so that two tenants may use one name. Bodies are JSON plus raw blobs:
the rows follow the vendor's pace and are read by people (`sluice state dump`).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from schemas.entities import Lane
from streams.core.desired import NEVER, Applied, Kind, Origin, Status, Task, Wanted
from streams.core.holes import Hole
from streams.core.lanes import share
from streams.core.places import Place, expiry
from streams.core.route import Route

TASK, INTENT, APPLIED, CURSOR, SNAPSHOT, BUCKET, EPOCH = b"Q", b"I", b"A", b"K", b"N", b"B", b"R"
HOLE = b"H"
ROUTE = b"W"
FORMAT = 1
_LENGTH = struct.Struct(">I")
_SNAPSHOT = struct.Struct(">B16sQ")
_EPOCH = struct.Struct(">BI")
_LANES = {lane.value: lane for lane in Lane}
_OPEN = (Status.INFLIGHT, Status.UNKNOWN)
_KIND = 2  # place in _wanted_meta


class InvalidRow(ValueError):
    """A row this version cannot read: foreign bytes or a newer format."""


@dataclass(frozen=True, slots=True)
class Frozen:
    """A command's request as it was when it was sent for the first time: what every repetition sends."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Intent:
    """A request that was about to be sent. `row`: its task; `sent_at`: seconds UTC, before which it was not sent.

    `vendor_key`: the idempotency key it carried, first used at `first_use` (seconds UTC). `open`: nobody knows yet
    whether it was carried out; a command's intent outlives that, for the sake of `frozen`: its writing requests in the
    order of the flow.
    """

    row: str
    op_id: str
    version: int
    body_hash: bytes
    epoch: int
    sent_at: float
    vendor_key: str = ""
    first_use: float = 0.0
    open: bool = True
    frozen: tuple[Frozen, ...] = ()


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a poll stands. `scan`: number of the pass; `started_at`, `completed_at`: seconds UTC, 0 for never;
    `interval`: seconds to the next pass, 0 before the first one has ended."""

    position: Mapping[str, Any] = field(default_factory=dict)
    scan: int = 0
    started_at: float = 0.0
    completed_at: float = 0.0
    open: bool = False
    interval: float = 0.0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A record as last emitted: 16 bytes of content hash, and the read sequence it was emitted with."""

    content: bytes
    sequence: int


@dataclass(frozen=True, slots=True)
class Bucket:
    """What was learnt of a quota. `blocked_until`: seconds UTC; `learnt`: the pacer's own snapshot."""

    blocked_until: float = 0.0
    learnt: Mapping[str, Any] = field(default_factory=dict)


def key(kind: bytes, account: str = "", *rest: str) -> bytes:
    """A row's key, or with fewer parts the prefix of a scan. Parts hold no NUL."""
    return kind + b"\x00".join(part.encode() for part in (account, *rest)) + (b"" if rest else b"\x00")


def rest_of(row_key: bytes) -> tuple[str, ...]:
    """The parts behind kind and account."""
    return tuple(part.decode() for part in row_key[1:].split(b"\x00")[1:])


# ---------------------------------------------------------------------------------------------------- framing


def _pack(meta: Any, *blobs: bytes) -> bytes:
    parts = [bytes([FORMAT])]
    for blob in (orjson.dumps(meta), *blobs):
        parts += (_LENGTH.pack(len(blob)), blob)
    return b"".join(parts)


def _unpack(data: bytes, what: str) -> tuple[Any, Sequence[bytes]]:
    if not data or data[0] != FORMAT:
        raise _strange(data, what)
    blobs, at = [], 1
    while at < len(data):
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        blobs.append(data[at : at + length])
        at += length
    return orjson.loads(blobs[0]), blobs[1:]


def _strange(data: bytes, what: str) -> InvalidRow:
    return InvalidRow(f"not a format {FORMAT} {what} row: {data[:16].hex()}; delete the shard's store to rebuild it")


# ------------------------------------------------------------------------------------------------------- rows


def pack_task(task: Task) -> bytes:
    """Q."""
    wanted = [_wanted_meta(one) for one in (task.wanted, task.later) if one is not None]
    until = None if task.not_before == NEVER else task.not_before
    blobs = [blob for one in (task.wanted, task.later) if one is not None for blob in (one.fingerprint, one.value)]
    return _pack([task.status, task.attempts, until, task.reason, wanted], *blobs)


def unpack_task(data: bytes) -> Task:
    """Raises InvalidRow."""
    (status, attempts, until, reason, metas), blobs = _unpack(data, "task")
    wanted = [_wanted(meta, blobs[2 * at], blobs[2 * at + 1]) for at, meta in enumerate(metas)]
    later = wanted[1] if len(wanted) > 1 else None
    return Task(wanted[0], Status(status), attempts, NEVER if until is None else until, reason, later)


def unpack_place(data: bytes) -> Place | None:
    """Where a Q row waits, in a sixth of the time it takes to unpack the row; None for one that a restart has to look
    at whole: a command, one in flight or in doubt, one with two versions. Raises InvalidRow."""
    if not data or data[0] != FORMAT:
        raise _strange(data, "task")
    begin = 1 + _LENGTH.size
    status, _, until, _, wanted = orjson.loads(data[begin : begin + _LENGTH.unpack_from(data, 1)[0]])
    if len(wanted) > 1 or wanted[0][_KIND] == Kind.COMMAND or status in _OPEN:
        return None
    _, _, kind, _, _, lane, cause, _, _, _, _, expires_at = wanted[0]
    if until is None or status == Status.DEAD:
        return Place(_LANES[lane], share(kind, cause), NEVER)
    expires = expiry(expires_at)
    return Place(_LANES[lane], share(kind, cause), min(until, expires), expires)


def _wanted_meta(wanted: Wanted) -> list[Any]:
    origin = wanted.origin
    return [
        wanted.tenant,
        wanted.account,
        wanted.kind,
        wanted.subject,
        wanted.version,
        wanted.lane,
        wanted.cause,
        sorted(wanted.fields),
        wanted.wanted_at,
        [origin.topic, origin.partition, origin.offset],
        wanted.operation_id,
        wanted.expires_at,
    ]


def _wanted(meta: list[Any], fingerprint: bytes, value: bytes) -> Wanted:
    tenant, account, kind, subject, version, lane, cause, fields, wanted_at, origin, operation_id, expires_at = meta
    return Wanted(
        tenant,
        account,
        Kind(kind),
        subject,
        version,
        Lane(lane),
        cause,
        frozenset(fields),
        fingerprint,
        value,
        wanted_at,
        Origin(*origin),
        operation_id,
        expires_at,
    )


def pack_intent(intent: Intent) -> bytes:
    """I."""
    frozen = [[one.method, one.path, dict(one.query)] for one in intent.frozen]
    use = [intent.vendor_key, intent.first_use, intent.open]
    meta = [intent.row, intent.op_id, intent.version, intent.epoch, intent.sent_at, use, frozen]
    return _pack(meta, intent.body_hash, *(one.body for one in intent.frozen))


def unpack_intent(data: bytes) -> Intent:
    """Raises InvalidRow."""
    (row, op_id, version, epoch, sent_at, use, sent), (body_hash, *bodies) = _unpack(data, "intent")
    frozen = tuple(Frozen(how, path, query, body) for (how, path, query), body in zip(sent, bodies, strict=True))
    vendor_key, first_use, is_open = use
    return Intent(row, op_id, version, body_hash, epoch, sent_at, vendor_key, first_use, is_open, frozen)


def pack_applied(applied: Applied) -> bytes:
    """A."""
    return _pack([applied.version, sorted(applied.fields), applied.at], applied.fingerprint)


def unpack_applied(data: bytes) -> Applied:
    """Raises InvalidRow."""
    (version, fields, at), blobs = _unpack(data, "applied")
    return Applied(version, frozenset(fields), blobs[0], at)


def pack_cursor(cursor: Cursor) -> bytes:
    """K."""
    times = [cursor.started_at, cursor.completed_at]
    return _pack([dict(cursor.position), cursor.scan, *times, cursor.open, cursor.interval])


def unpack_cursor(data: bytes) -> Cursor:
    """Raises InvalidRow."""
    return Cursor(*_unpack(data, "cursor")[0])


def pack_hole(hole: Hole) -> bytes:
    """H."""
    return _pack([hole.ends_at, hole.reason])


def unpack_hole(data: bytes) -> Hole:
    """Raises InvalidRow."""
    return Hole(*_unpack(data, "hole")[0])


def pack_snapshot(snapshot: Snapshot) -> bytes:
    """N: 25 bytes, because there is one for every record of a shop."""
    return _SNAPSHOT.pack(FORMAT, snapshot.content, snapshot.sequence)


def unpack_snapshot(data: bytes) -> Snapshot:
    """Raises InvalidRow."""
    if len(data) != _SNAPSHOT.size or data[0] != FORMAT:
        raise InvalidRow(f"not a format {FORMAT} snapshot row: {data[:32].hex()}")
    return Snapshot(*_SNAPSHOT.unpack(data)[1:])


def pack_bucket(bucket: Bucket) -> bytes:
    """B."""
    return _pack([bucket.blocked_until, dict(bucket.learnt)])


def unpack_bucket(data: bytes) -> Bucket:
    """Raises InvalidRow."""
    return Bucket(*_unpack(data, "bucket")[0])


def pack_route(route: Route) -> bytes:
    """W."""
    return _pack([route.account, route.platform])


def unpack_route(data: bytes) -> Route:
    """Raises InvalidRow."""
    return Route(*_unpack(data, "route")[0])


def pack_epoch(epoch: int) -> bytes:
    """R."""
    return _EPOCH.pack(FORMAT, epoch)


def unpack_epoch(data: bytes) -> int:
    """Raises InvalidRow."""
    if len(data) != _EPOCH.size or data[0] != FORMAT:
        raise InvalidRow(f"not a format {FORMAT} epoch row: {data[:16].hex()}")
    return int(_EPOCH.unpack(data)[1])
