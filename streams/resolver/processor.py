"""The resolver: dedupe, resolve, reorder, explain, route; one stage, one state, one transaction.

Everything that is decided about an event is decided when it is applied, and an event is applied exactly once: the
shard remembers per topic the offset up to which it has applied (row `P`), so events that are read again because they
were still held back go to the reorder buffer only. Released events are remembered as seen.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from schemas import headers, topics
from schemas.codec import Codec
from schemas.entities import EntityType, Op
from schemas.headers import EventFacts, Header, InvalidHeader
from schemas.topics import Profile
from streams.core.entity import EMPTY, ENTRY_SIZE, HEAD_SIZE, NOTHING, Contribution, Entity
from streams.core.ledger import Book, LedgerBuffer, day_of
from streams.core.policy import OrderingMode
from streams.core.reorder import Held, Release, Reorder
from streams.core.resolve import Observation, Outcome, resolve, to_push
from streams.resolver.outputs import Source, decision, push
from streams.resolver.routes import Member, Route, Routes
from streams.runtime.deadletters import DeadLetters, Trouble
from streams.shard.api import Incoming, Shard

_U64 = struct.Struct(">Q")
_PLACE = struct.Struct(">QQ")  # applied offset, shard sequence
_SINGLE_SIZE = HEAD_SIZE + ENTRY_SIZE
_NOTHING_ASKED = b"\0"
_WON, _UNCHANGED = Outcome.WON, Outcome.UNCHANGED
STAGE = "resolver"


class Resolver:
    """The Processor of one shard. `now`: microseconds UTC; `monotonic`: seconds."""

    def __init__(
        self,
        routes: Routes,
        codec: Codec,
        profile: Profile,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._routes = routes
        self._codec = codec
        self._profile = profile
        self._now = now
        self._monotonic = monotonic
        self._dead_letters = DeadLetters(codec, STAGE, profile)
        self._reorder = Reorder()
        self._ledger = LedgerBuffer()
        self._applied: dict[str, int] = {}
        self._sequence = 0

    # -- life

    def open(self, shard: Shard) -> None:
        self._reorder = Reorder()
        self._ledger = LedgerBuffer()
        self._applied = {}
        self._sequence = 0
        for key, value in shard.rows.scan(b"P"):
            self._applied[key[1:].decode()], sequence = _PLACE.unpack(value)
            self._sequence = max(self._sequence, sequence)
        for key, value in shard.rows.scan(b"W"):
            ordering = self._routes.orderings.get(key[9])
            if ordering is not None:
                self._reorder.set_watermark(key[1:], ordering, _U64.unpack(value)[0])

    def close(self, shard: Shard) -> None:
        return

    # -- work

    def process(self, shard: Shard, topic: str, records: Sequence[Incoming]) -> int | None:
        applied = self._applied.get(topic, 0)
        arrival = self._monotonic()
        for record in records:
            try:
                self._event(shard, topic, record, arrival, again=record.offset < applied)
            except InvalidHeader as error:
                self._dead(shard, topic, record, str(error))
        self._release(shard, self._reorder.drain(arrival))
        self._applied[topic] = max(applied, records[-1].offset + 1)
        self._keep_place(shard, topic)
        self._ledger.flush(shard.rows)
        return self._reorder.limit(topic)

    def tick(self, shard: Shard) -> dict[str, int | None]:
        released = self._reorder.drain(self._monotonic())
        if not released:
            return {}
        self._release(shard, released)
        touched = {event.topic for event, _ in released}
        for topic in touched:
            self._keep_place(shard, topic)
        return {topic: self._reorder.limit(topic) for topic in touched}

    def _keep_place(self, shard: Shard, topic: str) -> None:
        shard.rows.put(b"P" + topic.encode(), _PLACE.pack(self._applied[topic], self._sequence))
        for stream in self._reorder.moved:
            shard.rows.put(b"W" + stream, _U64.pack(self._reorder.watermark(stream)))
        self._reorder.moved.clear()

    # -- one event

    def _event(self, shard: Shard, topic: str, record: Incoming, arrival: float, *, again: bool) -> None:
        fact = _fact(record)
        event_id, version, account, code = fact[:16], fact[16:45], fact[53:61], fact[70]
        key = record.key
        if key is None or code not in self._routes.orderings:
            raise InvalidHeader(f"type code {code} is unknown here" if key else "the record has no key")
        rows = shard.rows
        row = rows.get(b"E" + key)
        if again:
            if not shard.seen(event_id) and not self._reorder.holds(event_id):
                self._order(shard, topic, record, fact, arrival, row, Outcome.SUPERSEDED)
            return
        if row is None or (len(row) == _SINGLE_SIZE and row[HEAD_SIZE : HEAD_SIZE + 8] == account):
            outcome, row = self._alone(shard, record, fact, key, row)
        else:
            outcome, row = self._among(shard, topic, record, fact, key, row)
        if (
            outcome is not _WON
            and outcome is not _UNCHANGED
            and (shard.seen(event_id) or self._reorder.holds(event_id))
        ):
            outcome = Outcome.DUPLICATE
        late = False
        if outcome is not Outcome.DUPLICATE:
            late = self._order(
                shard, topic, record, fact, arrival, row, outcome, newer_known=version < _known(row, account)
            )
        tally = self._ledger.tally(Book.EVENTS, self._routes.label(account), day_of(_U64.unpack(fact[61:69])[0]))
        tally["received"] += 1
        tally["late" if late and outcome is Outcome.SUPERSEDED else outcome.value] += 1

    def _alone(
        self, shard: Shard, record: Incoming, fact: bytes, key: bytes, row: bytes | None
    ) -> tuple[Outcome, bytes]:
        """The fast path: no other account has spoken of this entity, so the newer version wins whatever the policy.
        Works on packed rows; `_among` with one account gives the same bytes (tests/property/test_resolver.py)."""
        version = fact[16:45]
        content = version[21:] if fact[71] == Op.UPSERT else NOTHING
        if row is None:
            golden, released, outcome = 1, NOTHING, _WON
        else:
            stored = row[HEAD_SIZE + 8 : HEAD_SIZE + 37]
            if version <= stored:
                return (Outcome.DUPLICATE if version == stored else Outcome.SUPERSEDED), row
            outcome = _UNCHANGED if content == row[18:26] else _WON
            golden = _U64.unpack_from(row, 2)[0] + (outcome is _WON)
            released = row[HEAD_SIZE + 46 : HEAD_SIZE + 54]
        account = fact[53:61]
        row = b"".join(
            (
                b"\x01\x00",
                _U64.pack(golden),
                account,
                content,
                account,
                version,
                fact[45:53],
                fact[71:72],
                released,
                _NOTHING_ASKED,
            )
        )
        shard.rows.put(b"E" + key, row)
        self._state(shard, fact[70], key, record.value, fact[71])
        return outcome, row

    def _among(
        self, shard: Shard, topic: str, record: Incoming, fact: bytes, key: bytes, row: bytes
    ) -> tuple[Outcome, bytes]:
        """Several accounts have spoken: policy, decision, routes."""
        code, account = fact[70], fact[53:61]
        before = Entity.unpack(row) if row else EMPTY
        said = Observation(account, fact[16:45], _U64.unpack(fact[45:53])[0], Op(fact[71]))
        verdict = resolve(before, said, self._routes.policies[code], self._routes.standings[code])
        if verdict.entity is before:
            return verdict.outcome, row
        entity = verdict.entity
        if verdict.outcome in (_WON, _UNCHANGED):
            self._state(shard, code, key, record.value, fact[71])
        won = verdict.outcome is _WON
        entity, asked = self._route(shard, code, key, entity, fact, won=won)
        packed = entity.pack()
        shard.rows.put(b"E" + key, packed)
        if len(entity.contributions) > 1:
            source = Source(topic, shard.number, record.offset, fact[:16], account)
            decided = decision(
                self._routes, EntityType.from_code(code), key, verdict, entity, source, asked, self._now()
            )
            shard.emit(topics.DECISIONS, shard.number, key, self._codec.encode("decision", decided))
        return verdict.outcome, packed

    def _state(self, shard: Shard, code: int, key: bytes, value: bytes | None, op: int) -> None:
        deleted = op == Op.DELETE
        shard.emit_latest(_STATE[code], key, None if deleted else value)
        if code in self._routes.routed_types:
            if deleted or value is None:
                shard.rows.delete(b"V" + key)
            else:
                shard.rows.put(b"V" + key, value)

    def _route(
        self, shard: Shard, code: int, key: bytes, entity: Entity, fact: bytes, *, won: bool
    ) -> tuple[Entity, list[bytes]]:
        """Ask the accounts of the type's flows to hold the winner. A repair of a drift is a new golden version, or the
        destination would take it for what it has already applied."""
        if code not in self._routes.routed_types:
            return entity, []
        value = shard.rows.get(b"V" + key)
        everybody: list[bytes] = []
        for route in self._routes.routes(key.split(b"|", 1)[0].decode(), code):
            after, asked = to_push(entity, route.to)
            if not asked or value is None:
                continue
            if not won and not everybody:
                after = replace(after, golden_version=after.golden_version + 1)
            entity = after
            everybody += asked
            for account in asked:
                self._push(shard, route.to[account], route, key, entity, value, fact)
        return entity, everybody

    def _push(
        self, shard: Shard, member: Member, route: Route, key: bytes, entity: Entity, value: bytes, fact: bytes
    ) -> None:
        now = self._now()
        policy = self._routes.policies[fact[70]]
        task = push(member, route, key, entity, value, now, _U64.unpack_from(fact, 61)[0], policy)
        topic, partition, task_key = task.place(self._profile)
        shard.emit(topic, partition, task_key, self._codec.encode("push_task", task.record))
        self._ledger.count(Book.TASKS, member.label, day_of(now), routed=1)

    # -- events

    def _order(
        self,
        shard: Shard,
        topic: str,
        record: Incoming,
        fact: bytes,
        arrival: float,
        row: bytes | None,
        outcome: Outcome,
        *,
        newer_known: bool = False,
    ) -> bool:
        """Give the event to the reorder stage of its type. Returns whether it went out late."""
        code, account = fact[70], fact[53:61]
        ordering = self._routes.orderings[code]
        mode = ordering.mode
        if mode is OrderingMode.NONE:
            shard.saw(fact[:16])
            return newer_known
        key = record.key or b""
        payload = (code, key, record.value, outcome is _UNCHANGED)
        version = fact[16:45]
        clock = _U64.unpack_from(version)[0]
        event = Held(
            key + account, account + fact[70:71], clock, version, fact[:16], topic, record.offset, arrival, payload
        )
        if mode is OrderingMode.ARRIVAL:
            released: list[Release] = [(event, newer_known)]
        elif mode is OrderingMode.TIME:
            released = self._reorder.offer(event, ordering, newer_known=newer_known)
        else:
            released = self._reorder.offer_numbered(event, ordering, _released(row, account))
        self._release(shard, released)
        return any(late for _, late in released)

    def _release(self, shard: Shard, released: Sequence[Release]) -> None:
        for event, late in released:
            code, key, value, unchanged = event.payload
            self._sequence += 1
            facts = EventFacts(self._sequence, event.event_id, late, unchanged)
            shard.emit(_EVENTS[code], shard.number, key, value, [(headers.NAME, facts.pack())])
            shard.saw(event.event_id)
            if self._routes.orderings[code].mode is OrderingMode.CONTIGUOUS and not late:
                self._note_released(shard, key, event)

    def _note_released(self, shard: Shard, key: bytes, event: Held) -> None:
        row = shard.rows.get(b"E" + key)
        if row is None:
            return
        entity = Entity.unpack(row)
        said = entity.of(event.stream[:8])
        if said is not None and event.clock > said.released:
            shard.rows.put(b"E" + key, entity.having(replace(said, released=event.clock)).pack())

    # -- what cannot be resolved

    def _dead(self, shard: Shard, topic: str, record: Incoming, detail: str) -> None:
        self._dead_letters.emit(shard, topic, record, Trouble("invalid_header", detail), self._now())
        tally = self._ledger.tally(Book.EVENTS, "unknown", day_of(self._now()))
        tally["received"] += 1
        tally["dead"] += 1


_STATE = {kind.code: topics.state(kind) for kind in EntityType}
_EVENTS = {kind.code: topics.events(kind) for kind in EntityType}


def _fact(record: Incoming) -> bytes:
    """The packed header, checked for its shape only. Raises InvalidHeader."""
    found = record.headers
    fact = found[0][1] if found and found[0][0] == headers.NAME else headers.find(found)
    if len(fact) < headers.FIXED_SIZE or fact[69] != headers.FORMAT:
        Header.unpack(fact)
        raise InvalidHeader("not a header of a known format")
    return fact


def _entry(row: bytes | None, account: bytes) -> Contribution | None:
    return Entity.unpack(row).of(account) if row else None


def _known(row: bytes, account: bytes) -> bytes:
    """The newest version an account is known by."""
    if len(row) == _SINGLE_SIZE and row[HEAD_SIZE : HEAD_SIZE + 8] == account:
        return row[HEAD_SIZE + 8 : HEAD_SIZE + 37]
    said = _entry(row, account)
    return said.version if said else b""


def _released(row: bytes | None, account: bytes) -> int:
    said = _entry(row, account)
    return said.released if said else 0
