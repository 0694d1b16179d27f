"""The resolver: dedupe, resolve, reorder, explain, route; one stage, one state, one transaction.

Everything that is decided about an event is decided when it is applied, and an event is applied exactly once: the
shard remembers per topic the offset up to which it has applied (row `P`), so events that are read again because they
were still held back go to the reorder buffer only. Released events are remembered as seen.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from connectors.kit.metrics import Metrics
from schemas import headers, topics
from schemas.codec import Codec
from schemas.entities import Channel, Completeness, EntityType, Op
from schemas.headers import NAME, InvalidHeader, pack_event_facts
from schemas.topics import Profile
from streams.core.entity import FORMAT, NOTHING, Entity
from streams.core.ledger import DAY_MICROS, Book, LedgerBuffer, day_of
from streams.core.policy import OrderingMode
from streams.core.reorder import Held, Release, Reorder
from streams.core.resolve import Outcome
from streams.resolver import clocks, graves
from streams.resolver.deciding import Decider, Unfit
from streams.resolver.facts import (
    LAST_RANK,
    SINGLE_SIZE,
    fact_of,
    is_plain,
    key_of,
    known_version,
    released_clock,
)
from streams.resolver.measure import STAGE, UNKNOWN, Measures
from streams.resolver.refolding import Refolding
from streams.resolver.routes import Routes
from streams.resolver.sweeping import Sweeping
from streams.runtime.brakes import Brakes
from streams.runtime.deadletters import DeadLetters, Trouble, poison
from streams.shard.api import Entry, Incoming, Shard

_U64 = struct.Struct(">Q")
_PLACE = struct.Struct(">QQ")  # applied offset, shard sequence
pack_single = struct.Struct(">2sQ8s8s8s37sB8sB").pack  # a row of one account; version and corrected time in one part
from_bytes = partial(int.from_bytes, byteorder="big")
_UPSERT = int(Op.UPSERT)
_FIRST = bytes((FORMAT, 0))
_GRAVES_EVERY = 3_600.0  # seconds
_NONE, _ARRIVAL, _TIME = OrderingMode.NONE, OrderingMode.ARRIVAL, OrderingMode.TIME
_WON, _UNCHANGED, _DUPLICATE, _SUPERSEDED = Outcome.WON, Outcome.UNCHANGED, Outcome.DUPLICATE, Outcome.SUPERSEDED


class Resolver:
    """The Processor of one shard. `now`: microseconds UTC; `monotonic`: seconds."""

    def __init__(
        self,
        routes: Routes,
        codec: Codec,
        profile: Profile,
        now: Callable[[], int] = lambda: time.time_ns() // 1000,
        monotonic: Callable[[], float] = time.monotonic,
        metrics: Metrics | None = None,
        brakes: Brakes | None = None,
    ) -> None:
        self._routes = routes
        self._streams = routes.streams
        self._codec = codec
        self._profile = profile
        self._now = now
        self._monotonic = monotonic
        self._measures = Measures(metrics or Metrics(), brakes)
        self._dead_letters = DeadLetters(codec, STAGE, profile)
        self._reorder = Reorder()
        self._ledger = LedgerBuffer()
        self._applied: dict[str, int] = {}
        self._told: dict[str, int | None] = {}  # limits as the runtime knows them
        self._behind: set[str] = set()  # topics of which applied events may still be read again
        self._reread: dict[bytes, bytes] = {}  # source -> content released last, of events that were read again
        self._sequence = 0
        self._latest: dict[int, dict[bytes, bytes | None]] = {kind.code: {} for kind in EntityType}
        self._events: dict[int, list[Entry]] = {kind.code: [] for kind in EntityType}
        self._ticket = 0
        self._graves_at = 0.0
        self._grave_days = routes.rules.grave_days
        self._done: list[bytes] = []  # ids released in this batch
        self._simple = self._all_simple = dict(_kinds(routes, self._latest))
        self._refolding: Refolding | None = None
        self._sweeping: Sweeping | None = None
        self._decider = self._new_decider()

    def _new_decider(self) -> Decider:
        return Decider(self._routes, self._codec, self._profile, self._ledger, self._latest, self._now)

    # -- life

    def open(self, shard: Shard) -> None:
        self._reorder = Reorder()
        self._ledger = LedgerBuffer()
        self._decider = self._new_decider()
        self._applied = {}
        self._told = {}
        self._behind = set()
        self._reread = {}
        self._sequence = 0
        self._done.clear()
        for latest in self._latest.values():
            latest.clear()
        for events in self._events.values():
            events.clear()
        for key, value in shard.rows.scan(b"P"):
            self._applied[key[1:].decode()], sequence = _PLACE.unpack(value)
            self._sequence = max(self._sequence, sequence)
        self._behind = set(self._applied)
        clocks.settle(shard.rows, self._routes.members.values())
        for key, value in shard.rows.scan(b"W"):
            if key[9] in self._routes.orderings:
                self._reorder.set_watermark(key[1:], self._routes.streams[key[1:]], _U64.unpack(value)[0])
        self._refolding = Refolding(self._routes, shard)
        self._sweeping = Sweeping(self._routes.rules, shard)
        self._refold(shard)

    def _refold(self, shard: Shard) -> None:
        """Policies have changed: fold some more entities anew. Of their types events go the long way meanwhile."""
        if self._refolding is None:
            self._sweep(shard)
            return
        self._decider.stale = stale = self._refolding.codes
        self._simple = {known: kind for known, kind in self._all_simple.items() if known[1] not in stale}
        if self._refolding.step(shard, self._decider, self._monotonic):
            self._refolding = None
            self._decider.stale, self._simple = frozenset(), self._all_simple
        self._hand_over(shard)
        self._ledger.flush(shard.rows, self._measures.counted)

    def _sweep(self, shard: Shard) -> None:
        """Flows have changed: move some more stored entities by them."""
        if self._sweeping is None:
            return
        if self._sweeping.step(shard, self._decider, self._monotonic):
            self._sweeping = None
        self._ledger.flush(shard.rows, self._measures.counted)

    def close(self, shard: Shard) -> None:
        self._measures.holds(shard.number, 0)

    # -- work

    def process(self, shard: Shard, topic: str, records: Sequence[Incoming]) -> int | None:
        applied = self._applied.get(topic, 0)
        arrival = self._monotonic()
        if records[0].offset >= applied:
            self._forwards(shard, topic, records, arrival)
        else:
            for record in records:
                self._one(shard, topic, record, arrival, again=record.offset < applied)
        self._release(shard, self._reorder.drain(arrival))
        self._hand_over(shard)
        if records[-1].offset + 1 >= applied:
            self._behind.discard(topic)
        self._applied[topic] = max(applied, records[-1].offset + 1)
        self._keep_place(shard, topic)
        self._ledger.flush(shard.rows, self._measures.counted)
        self._measures.holds(shard.number, len(self._reorder))
        limit = self._told[topic] = self._reorder.limit(topic)
        return limit

    def _forwards(self, shard: Shard, topic: str, records: Sequence[Incoming], arrival: float) -> None:
        """Records read for the first time. Nearly all of them are the newest of an entity of which only one account has
        spoken: the newer version wins whatever the policy. That is done here on packed bytes, without a call per step;
        everything else goes the long way, which gives the same bytes (tests/property/test_resolver.py)."""
        simple, done, get = self._simple, self._done, shard.rows.get
        touched, near = shard.rows.open()
        account_of = begins = ends = b""
        tally: dict[str, int] = {}
        for record in records:
            found, key = record.headers, record.key
            fact = found[0][1] if found and found[0][0] == NAME else b""
            kind = simple.get(fact[69:73])
            # Times before the year 8820: first byte below 3. Anything stranger is looked at the long way.
            if kind is None or fact[61] > 2 or fact[45] > 2 or fact[24] > LAST_RANK or key is None or not is_plain(key):
                self._one(shard, topic, record, arrival, again=False)
                continue
            kept, ordered, latest = kind
            account, row_key = fact[53:61], b"E" + key
            row = near.get(row_key)
            if row is None:
                row = get(row_key)
            if row is None:
                golden, released, same = 1, NOTHING, False
            elif (
                len(row) != SINGLE_SIZE
                or row[26:34] != account
                or (fact[16:37] == row[34:55] and fact[37:45] != row[55:63])
            ):
                self._one(shard, topic, record, arrival, again=False)
                continue
            elif fact[16:45] > row[34:63]:
                same, released = fact[37:45] == row[18:26], row[72:80]
                golden = from_bytes(row[2:10]) + (not same)
            else:
                beaten = _DUPLICATE if fact[16:45] == row[34:63] else _SUPERSEDED
                self._beaten(shard, topic, record, fact, arrival, row, beaten)
                continue
            row = pack_single(_FIRST, golden, account, fact[37:45], account, fact[16:53], _UPSERT, released, 0)
            touched[row_key] = near[row_key] = row
            latest[key] = value = record.value
            if kept:
                self._decider.keep(shard, fact[70], key, account, value)
            if ordered:
                self._order(shard, topic, record, fact, arrival, row, _UNCHANGED if same else _WON)
            else:
                done.append(fact[:16])
            if account != account_of or not begins <= fact[61:69] < ends:
                account_of = account
                begins, ends, tally = self._tally(account, fact[61:69])
            tally["received"] += 1
            tally["unchanged" if same else "won"] += 1

    def _tally(self, account: bytes, received: bytes) -> tuple[bytes, bytes, dict[str, int]]:
        """The open counters of an account's day, and the times between which they count, packed."""
        began = from_bytes(received) // DAY_MICROS * DAY_MICROS
        counters = self._ledger.tally(Book.EVENTS, self._routes.label(account), day_of(began))
        return _U64.pack(began), _U64.pack(began + DAY_MICROS), counters

    def _hand_over(self, shard: Shard) -> None:
        """Give the shard what this batch gathered."""
        for code, latest in self._latest.items():
            if latest:
                shard.emit_latest_of(_STATE[code], latest)
                latest.clear()
        for code, events in self._events.items():
            if events:
                shard.emit_all(_EVENTS[code], shard.number, events)
                events.clear()
        self._remember(shard)

    def _remember(self, shard: Shard) -> None:
        if self._done:
            shard.saw_all(self._done)
            self._done.clear()

    def _seen(self, shard: Shard, event_id: bytes) -> bool:
        self._remember(shard)
        return shard.seen(event_id)

    def tick(self, shard: Shard) -> dict[str, int | None]:
        self._refold(shard)
        released = self._reorder.drain(self._monotonic())
        if released:
            self._release(shard, released)
            self._hand_over(shard)
            self._measures.holds(shard.number, len(self._reorder))
            for topic in {event.topic for event, _ in released}:
                self._keep_place(shard, topic)
        if self._monotonic() >= self._graves_at and graves.clear(shard.rows, self._now(), self._grave_days) == 0:
            self._graves_at = self._monotonic() + _GRAVES_EVERY
        limits = {topic: self._reorder.limit(topic) for topic in self._told}
        moved = {topic: limit for topic, limit in limits.items() if limit != self._told[topic]}
        self._told |= moved
        return moved

    def _keep_place(self, shard: Shard, topic: str) -> None:
        shard.rows.put(b"P" + topic.encode(), _PLACE.pack(self._applied[topic], self._sequence))
        for stream in self._reorder.moved:
            shard.rows.put(b"W" + stream, _U64.pack(self._reorder.watermark(stream)))
        self._reorder.moved.clear()

    # -- one event

    def _one(self, shard: Shard, topic: str, record: Incoming, arrival: float, *, again: bool) -> None:
        try:
            self._event(shard, topic, record, arrival, again=again)
        except (InvalidHeader, Unfit) as error:
            if again:
                return
            if isinstance(error, Unfit):
                self._refuse(shard, topic, record, error)
            else:
                self._dead(shard, topic, record, Trouble("invalid_header", str(error)))

    def _event(self, shard: Shard, topic: str, record: Incoming, arrival: float, *, again: bool) -> None:
        fact = fact_of(record)
        event_id, version, account, code = fact[:16], fact[16:45], fact[53:61], fact[70]
        key = key_of(record)
        if code not in self._routes.orderings:
            raise InvalidHeader(f"type code {code} is unknown here")
        row = shard.rows.get(b"E" + key)
        if again:
            if not (
                self._seen(shard, event_id)
                or self._reorder.holds(event_id)
                or self._reorder.holds_version(key + account, version)
            ):
                overtaken = row is not None and version < known_version(row, account)
                self._order(shard, topic, record, fact, arrival, row, None, newer_known=overtaken)
            return
        outcome, row = self._decider.decide(shard, topic, record, fact, key, row or b"")
        if outcome is _WON or outcome is _UNCHANGED:
            # An older event that says what no newer one said wins those fields, and is late all the same.
            newer_known = version < known_version(row, account)
            self._order(shard, topic, record, fact, arrival, row, outcome, newer_known=newer_known)
            self._count(fact, outcome.value)
        else:
            self._beaten(shard, topic, record, fact, arrival, row, outcome)

    def _beaten(
        self, shard: Shard, topic: str, record: Incoming, fact: bytes, arrival: float, row: bytes, outcome: Outcome
    ) -> None:
        """An event that changes nothing: it is known, or something newer is."""
        event_id, version, account = fact[:16], fact[16:45], fact[53:61]
        key = record.key or b""
        if outcome is _DUPLICATE or self._seen(shard, event_id) or self._reorder.holds(event_id):
            self._note_duplicate(shard, event_id, key + account, version)
            self._count(fact, "duplicate")
        else:
            newer_known = version < known_version(row, account)
            late = self._order(shard, topic, record, fact, arrival, row, outcome, newer_known=newer_known)
            self._count(fact, "late" if late else "superseded")

    def _count(self, fact: bytes, outcome: str) -> None:
        tally = self._tally(fact[53:61], fact[61:69])[2]
        tally["received"] += 1
        tally[outcome] += 1

    def _note_duplicate(self, shard: Shard, event_id: bytes, source: bytes, version: bytes) -> None:
        """A duplicate under another id: remember it as done, or it would be taken for a held event when it is read
        again. Not while the event it repeats may be waiting or may still have to be read again: that one would be
        lost."""
        waiting = self._reorder.holds(event_id) or self._reorder.holds_version(source, version)
        if not (waiting or self._behind or self._seen(shard, event_id)):
            self._done.append(event_id)

    # -- events

    def _order(
        self,
        shard: Shard,
        topic: str,
        record: Incoming,
        fact: bytes,
        arrival: float,
        row: bytes | None,
        outcome: Outcome | None,
        *,
        newer_known: bool = False,
    ) -> bool:
        """Give the event to the reorder stage of its type. `outcome` is None for one that was applied before a crash.
        Returns whether it went out late."""
        stream = fact[53:61] + fact[70:71]
        ordering = self._streams[stream]
        mode = ordering.mode
        key, value, version = record.key or b"", record.value, fact[16:45]
        if mode is _NONE:
            self._done.append(fact[:16])
            return newer_known
        unchanged = None if outcome is None else outcome is _UNCHANGED
        if mode is _ARRIVAL:
            self._put_out(fact[70], key, value, version, fact[53:61], fact[:16], unchanged, newer_known)
            return newer_known
        self._ticket += 1
        event = Held(
            version, self._ticket, key + fact[53:61], stream, fact[:16], topic, record.offset,
            arrival, len(value) if value else 0, (key, value, unchanged),
        )  # fmt: skip
        if mode is _TIME:
            released = self._reorder.offer(event, ordering, newer_known=newer_known)
        else:
            released = self._reorder.offer_numbered(event, ordering, released_clock(row, fact[53:61]))
        if not released:
            return False
        self._release(shard, released)
        return any(late for _, late in released)

    def _release(self, shard: Shard, released: Sequence[Release]) -> None:
        for event, late in released:
            key, value, unchanged = event.payload
            account, code = event.stream[:8], event.stream[8]
            self._put_out(code, key, value, event.version, account, event.event_id, unchanged, late)
            if self._routes.orderings[code].mode is OrderingMode.CONTIGUOUS and not late:
                self._note_released(shard, key, event)

    def _put_out(
        self, code: int, key: bytes, value: bytes | None, version: bytes, account: bytes, event_id: bytes,
        unchanged: bool | None, late: bool,
    ) -> None:  # fmt: skip
        """Into `events`, and remembered as done."""
        if unchanged is None:
            source = key + account
            unchanged = self._reread.get(source) == version[21:]
            self._reread[source] = version[21:]
        self._sequence += 1
        facts = pack_event_facts(self._sequence, event_id, late | unchanged << 1)
        self._events[code].append((key, value, [(NAME, facts)]))
        self._done.append(event_id)

    def _note_released(self, shard: Shard, key: bytes, event: Held) -> None:
        row = shard.rows.get(b"E" + key)
        if row is None:
            return
        entity = Entity.unpack(row)
        said = entity.of(event.stream[:8])
        if said is not None and event.clock > said.released:
            shard.rows.put(b"E" + key, entity.having(replace(said, released=event.clock)).pack())

    # -- what cannot be resolved

    def divert(self, shard: Shard, topic: str, record: Incoming, deaths: int) -> int | None:
        """Implements streams.shard.api.Diverter. A record that was applied before a crash is counted already."""
        applied, trouble = self._applied.get(topic, 0), poison(deaths)
        if record.offset < applied:
            self._dead_letters.emit(shard, topic, record, trouble, self._now())
        else:
            self._dead(shard, topic, record, trouble)
            self._applied[topic] = record.offset + 1
        if record.offset + 1 >= applied:
            self._behind.discard(topic)
        self._keep_place(shard, topic)
        self._ledger.flush(shard.rows, self._measures.counted)
        limit = self._told[topic] = self._reorder.limit(topic)
        return limit

    def _refuse(self, shard: Shard, topic: str, record: Incoming, why: Unfit) -> None:
        """A readable event that no rule takes. It is done: read again, it must not be taken for a held one."""
        fact = fact_of(record)
        self._dead_letters.emit(shard, topic, record, Trouble(why.reason, str(why)), self._now())
        self._measures.died(why.reason)
        self._count(fact, "quarantined" if why.reason == "mass_delete" else "dead")
        self._done.append(fact[:16])

    def _dead(self, shard: Shard, topic: str, record: Incoming, trouble: Trouble) -> None:
        self._dead_letters.emit(shard, topic, record, trouble, self._now())
        self._measures.died(trouble.reason)
        self._measures.told(topic, shard.number, record.offset, trouble)
        tally = self._ledger.tally(Book.EVENTS, UNKNOWN, day_of(self._now()))
        tally["received"] += 1
        tally["dead"] += 1


_CHANNELS = len(Channel)


class _Kind(NamedTuple):
    """What the short way needs to know of a combination of format, type, op and flags; it takes whole records only."""

    kept: bool
    ordered: bool
    latest: dict[bytes, bytes | None]


def _kinds(routes: Routes, latest: Mapping[int, dict[bytes, bytes | None]]) -> Iterator[tuple[bytes, _Kind]]:
    for code, ordering in routes.orderings.items():
        if code in routes.merging or code in routes.commanded_types or code == EntityType.RESERVATION.code:
            continue
        kind = _Kind(code in routes.kept_types, ordering.mode is not OrderingMode.NONE, latest[code])
        for channel in range(_CHANNELS):
            yield bytes((headers.FORMAT, code, Op.UPSERT, Completeness.FULL | channel << 2)), kind


_STATE = {kind.code: topics.state(kind) for kind in EntityType}
_EVENTS = {kind.code: topics.events(kind) for kind in EntityType}
