"""The resolver: dedupe, resolve, reorder, explain, route; one stage, one state, one transaction.

Everything that is decided about an event is decided when it is applied, and an event is applied exactly once: the
shard remembers per topic the offset up to which it has applied (row `P`), so events that are read again because they
were still held back go to the reorder buffer only. Released events are remembered as seen.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Sequence

from connectors.kit.metrics import Metrics
from schemas import topics
from schemas.codec import Codec
from schemas.entities import EntityType
from schemas.headers import InvalidHeader
from schemas.topics import Profile
from streams.core.entity import version_in
from streams.core.ledger import Book, LedgerBuffer, day_of
from streams.core.resolve import Outcome
from streams.resolver import clocks, graves
from streams.resolver.deciding import Decider
from streams.resolver.facts import fact_of, key_of
from streams.resolver.measure import STAGE, UNKNOWN, Measures
from streams.resolver.refolding import Refolding
from streams.resolver.releasing import Releasing
from streams.resolver.routes import Routes
from streams.resolver.shortway import Tallies, forwards, kinds
from streams.resolver.sweeping import Sweeping
from streams.resolver.unfit import Unfit
from streams.runtime.brakes import Brakes
from streams.runtime.deadletters import DeadLetters, Trouble, poison
from streams.shard.api import Incoming, Shard

_U64 = struct.Struct(">Q")
_PLACE = struct.Struct(">QQ")  # applied offset, shard sequence
_GRAVES_EVERY = 3_600.0  # seconds
_WON, _UNCHANGED, _DUPLICATE = Outcome.WON, Outcome.UNCHANGED, Outcome.DUPLICATE


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
        self._codec = codec
        self._profile = profile
        self._now = now
        self._monotonic = monotonic
        self._measures = Measures(metrics or Metrics(), brakes)
        self._dead_letters = DeadLetters(codec, STAGE, profile)
        self._releasing = Releasing(routes)
        self._ledger = LedgerBuffer()
        self._tallies = Tallies(self._ledger, routes.label)
        self._applied: dict[str, int] = {}
        self._told: dict[str, int | None] = {}  # limits as the runtime knows them
        self._behind: set[str] = set()  # topics of which applied events may still be read again
        self._latest: dict[int, dict[bytes, bytes | None]] = {kind.code: {} for kind in EntityType}
        self._graves_at = 0.0
        self._grave_days = routes.rules.grave_days
        self._simple = self._all_simple = dict(kinds(routes, codec, self._latest))
        self._refolding: Refolding | None = None
        self._sweeping: Sweeping | None = None
        self._decider = self._new_decider()

    def _new_decider(self) -> Decider:
        return Decider(self._routes, self._codec, self._profile, self._ledger, self._latest, self._now)

    # -- life

    def open(self, shard: Shard) -> None:
        self._releasing = releasing = Releasing(self._routes)
        self._ledger = LedgerBuffer()
        self._tallies = Tallies(self._ledger, self._routes.label)
        self._decider = self._new_decider()
        self._applied = {}
        self._told = {}
        for latest in self._latest.values():
            latest.clear()
        for key, value in shard.rows.scan(b"P"):
            self._applied[key[1:].decode()], sequence = _PLACE.unpack(value)
            releasing.sequence = max(releasing.sequence, sequence)
        self._behind = set(self._applied)
        clocks.settle(shard.rows, self._routes.members.values())
        for key, value in shard.rows.scan(b"W"):
            if key[9] in self._routes.orderings:
                releasing.reorder.set_watermark(key[1:], self._routes.streams[key[1:]], _U64.unpack(value)[0])
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
        self._tallies.flush(shard.rows, self._measures.counted)

    def _sweep(self, shard: Shard) -> None:
        """Flows have changed: move some more stored entities by them."""
        if self._sweeping is None:
            return
        if self._sweeping.step(shard, self._decider, self._monotonic):
            self._sweeping = None
        self._tallies.flush(shard.rows, self._measures.counted)

    def close(self, shard: Shard) -> None:
        self._measures.holds(shard.number, 0)

    # -- work

    def process(self, shard: Shard, topic: str, records: Sequence[Incoming]) -> int | None:
        applied = self._applied.get(topic, 0)
        arrival = self._monotonic()
        if records[0].offset >= applied:
            forwards(shard, topic, records, arrival, self._simple, self, self._releasing, self._tallies)
        else:
            for record in records:
                self.one(shard, topic, record, arrival, again=record.offset < applied)
        self._releasing.release(shard, self._releasing.reorder.drain(arrival))
        self._hand_over(shard)
        if records[-1].offset + 1 >= applied:
            self._behind.discard(topic)
        self._applied[topic] = max(applied, records[-1].offset + 1)
        self._keep_place(shard, topic)
        self._tallies.flush(shard.rows, self._measures.counted)
        self._measures.holds(shard.number, len(self._releasing.reorder))
        limit = self._told[topic] = self._releasing.reorder.limit(topic)
        return limit

    def _hand_over(self, shard: Shard) -> None:
        """Give the shard what this batch gathered."""
        for code, latest in self._latest.items():
            if latest:
                shard.emit_latest_of(_STATE[code], latest)
                latest.clear()
        self._releasing.hand_over(shard)

    def tick(self, shard: Shard) -> dict[str, int | None]:
        self._refold(shard)
        released = self._releasing.reorder.drain(self._monotonic())
        if released:
            self._releasing.release(shard, released)
            self._hand_over(shard)
            self._measures.holds(shard.number, len(self._releasing.reorder))
            for topic in {event.topic for event, _ in released}:
                self._keep_place(shard, topic)
        if self._monotonic() >= self._graves_at and graves.clear(shard.rows, self._now(), self._grave_days) == 0:
            self._graves_at = self._monotonic() + _GRAVES_EVERY
        limits = {topic: self._releasing.reorder.limit(topic) for topic in self._told}
        moved = {topic: limit for topic, limit in limits.items() if limit != self._told[topic]}
        self._told |= moved
        return moved

    def _keep_place(self, shard: Shard, topic: str) -> None:
        reorder = self._releasing.reorder
        shard.rows.put(b"P" + topic.encode(), _PLACE.pack(self._applied[topic], self._releasing.sequence))
        for stream in reorder.moved:
            shard.rows.put(b"W" + stream, _U64.pack(reorder.watermark(stream)))
        reorder.moved.clear()

    # -- one event

    def one(self, shard: Shard, topic: str, record: Incoming, arrival: float, *, again: bool) -> None:
        """Any event, the long way. `again`: it was applied before a crash."""
        try:
            self._event(shard, topic, record, arrival, again=again)
        except (InvalidHeader, Unfit) as error:
            if again:
                return
            if isinstance(error, Unfit):
                self._bury(shard, topic, record, Trouble(error.reason, str(error)), fact_of(record))
            else:
                self._bury(shard, topic, record, Trouble("invalid_header", str(error)), None)

    def _event(self, shard: Shard, topic: str, record: Incoming, arrival: float, *, again: bool) -> None:
        fact = fact_of(record)
        version, account, code = fact[16:45], fact[53:61], fact[70]
        key = key_of(record)
        if code not in self._routes.orderings:
            raise InvalidHeader(f"type code {code} is unknown here")
        row = shard.rows.get(b"E" + key)
        order = self._releasing.order
        if again:
            if not (
                self._releasing.seen(shard, fact[:16]) or self._releasing.waiting(fact[:16], key + account, version)
            ):
                overtaken = row is not None and version < version_in(row, account)
                order(shard, topic, record, fact, arrival, row, None, newer_known=overtaken)
            return
        outcome, row = self._decider.decide(shard, topic, record, fact, key, row or b"")
        if outcome is _WON or outcome is _UNCHANGED:
            # An older event that says what no newer one said wins those fields, and is late all the same.
            newer_known = code in self._routes.merging and version < version_in(row, account)
            order(shard, topic, record, fact, arrival, row, outcome is _UNCHANGED, newer_known=newer_known)
            self._count(fact, outcome.value)
        else:
            self.beaten(shard, topic, record, fact, arrival, row, duplicate=outcome is _DUPLICATE)

    def beaten(
        self, shard: Shard, topic: str, record: Incoming, fact: bytes, arrival: float, row: bytes, *, duplicate: bool
    ) -> None:
        """An event that changes nothing: it is known, or something newer is."""
        event_id, version, account = fact[:16], fact[16:45], fact[53:61]
        seen = self._releasing.seen(shard, event_id)
        if duplicate or seen or self._releasing.reorder.holds(event_id):
            if not seen:
                self._note_duplicate(event_id, (record.key or b"") + account, version)
            self._count(fact, "duplicate")
        else:
            newer_known = version < version_in(row, account)
            late = self._releasing.order(
                shard, topic, record, fact, arrival, row, unchanged=False, newer_known=newer_known
            )
            self._count(fact, "late" if late else "superseded")

    def keep(self, shard: Shard, code: int, key: bytes, account: bytes, value: bytes | None) -> None:
        """What an account says now, of a type of which that is kept."""
        self._decider.keep(shard, code, key, account, value)

    def _count(self, fact: bytes, outcome: str) -> None:
        tally = self._tallies.of(fact[53:61], fact[61:69])[2]
        tally["received"] += 1
        tally[outcome] += 1

    def _note_duplicate(self, event_id: bytes, source: bytes, version: bytes) -> None:
        """A duplicate under another id: remember it as done, or it would be taken for a held event when it is read
        again. Not while the event it repeats may be waiting or may still have to be read again: that one would be
        lost."""
        if not (self._behind or self._releasing.waiting(event_id, source, version)):
            self._releasing.done.append(event_id)

    # -- what cannot be resolved

    def divert(self, shard: Shard, topic: str, record: Incoming, deaths: int) -> int | None:
        """Implements streams.shard.api.Diverter. A record that was applied before a crash is counted already."""
        applied, trouble = self._applied.get(topic, 0), poison(deaths)
        if record.offset < applied:
            self._dead_letters.emit(shard, topic, record, trouble, self._now())
        else:
            self._bury(shard, topic, record, trouble, None)
            self._applied[topic] = record.offset + 1
        if record.offset + 1 >= applied:
            self._behind.discard(topic)
        self._keep_place(shard, topic)
        self._tallies.flush(shard.rows, self._measures.counted)
        limit = self._told[topic] = self._releasing.reorder.limit(topic)
        return limit

    def _bury(self, shard: Shard, topic: str, record: Incoming, trouble: Trouble, fact: bytes | None) -> None:
        """An event that no rule takes, or, without `fact`, a record that cannot be read. The former is done: read
        again, it must not be taken for a held one."""
        self._dead_letters.emit(shard, topic, record, trouble, self._now())
        account = UNKNOWN if fact is None else self._routes.label(fact[53:61])
        self._measures.died(account, topic, shard.number, record.offset, trouble)
        if fact is not None:
            self._count(fact, "quarantined" if trouble.reason == "mass_delete" else "dead")
            self._releasing.done.append(fact[:16])
            return
        tally = self._ledger.tally(Book.EVENTS, UNKNOWN, day_of(self._now()))
        tally["received"] += 1
        tally["dead"] += 1


_STATE = {kind.code: topics.state(kind) for kind in EntityType}
