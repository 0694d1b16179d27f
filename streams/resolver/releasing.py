"""From decided to `events`: each event waits for its order where its type has one, goes out, and is done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from schemas import topics
from schemas.entities import EntityType
from schemas.headers import pack_event_facts
from streams.core.entity import Entity
from streams.core.policy import OrderingMode
from streams.core.reorder import Held, Release, Reorder
from streams.resolver.facts import released_clock
from streams.resolver.routes import Routes
from streams.shard.api import Entry, Incoming, Shard

_NONE, _ARRIVAL, _TIME = OrderingMode.NONE, OrderingMode.ARRIVAL, OrderingMode.TIME


class Payload(NamedTuple):
    """What goes out of a held event. `unchanged` is None for one that was applied before a crash."""

    key: bytes
    value: bytes | None
    unchanged: bool | None


class Releasing:
    """The events of one shard on their way out. `done`: ids released in this batch; `sequence`: of the shard."""

    def __init__(self, routes: Routes) -> None:
        self.reorder = Reorder()
        self.sequence = 0
        self.done: list[bytes] = []
        self.gathered: dict[int, list[Entry]] = {kind.code: [] for kind in EntityType}
        self._routes = routes
        self._streams = routes.streams
        self._reread: dict[bytes, bytes] = {}  # source -> content released last, of events that were read again
        self._ticket = 0

    def order(
        self, shard: Shard, topic: str, record: Incoming, fact: bytes, arrival: float, row: bytes | None,
        unchanged: bool | None, *, newer_known: bool = False,
    ) -> bool:  # fmt: skip
        """Take an event that was decided on. `row`: its entity's. Returns whether it went out late."""
        stream = fact[53:61] + fact[70:71]
        ordering = self._streams[stream]
        key, value = record.key or b"", record.value
        if ordering.mode is _NONE:
            self.done.append(fact[:16])
            return newer_known
        if ordering.mode is _ARRIVAL:
            self._put_out(fact[70], Payload(key, value, unchanged), fact[16:45], fact[53:61], fact[:16], newer_known)
            return newer_known
        self._ticket += 1
        event = Held(
            fact[16:45], self._ticket, key + fact[53:61], stream, fact[:16], topic, record.offset,
            arrival, len(value) if value else 0, Payload(key, value, unchanged),
        )  # fmt: skip
        if ordering.mode is _TIME:
            released = self.reorder.offer(event, ordering, newer_known=newer_known)
        else:
            released = self.reorder.offer_numbered(event, ordering, released_clock(row, fact[53:61]))
        if released:
            self.release(shard, released)
        return any(late for _, late in released)

    def release(self, shard: Shard, released: Sequence[Release]) -> None:
        """Put out what has waited long enough."""
        for event, late in released:
            payload, account, code = event.payload, event.stream[:8], event.stream[8]
            self._put_out(code, payload, event.version, account, event.event_id, late)
            if self._routes.orderings[code].mode is OrderingMode.CONTIGUOUS and not late:
                _note_released(shard, payload.key, event)

    def hand_over(self, shard: Shard) -> None:
        """Give the shard what went out."""
        for code, events in self.gathered.items():
            if events:
                shard.emit_all(_EVENTS[code], shard.number, events)
                events.clear()
        self.remember(shard)

    def remember(self, shard: Shard) -> None:
        """What went out is seen."""
        if self.done:
            shard.saw_all(self.done)
            self.done.clear()

    def seen(self, shard: Shard, event_id: bytes) -> bool:
        """Whether an event of that id went out, in this batch or before."""
        if shard.seen(event_id):
            return True
        self.remember(shard)
        return shard.seen(event_id)

    def waiting(self, event_id: bytes, source: bytes, version: bytes) -> bool:
        """Whether an event of that id, or of that record and version, is held."""
        return self.reorder.holds(event_id) or self.reorder.holds_version(source, version)

    def _put_out(
        self, code: int, payload: Payload, version: bytes, account: bytes, event_id: bytes, late: bool
    ) -> None:
        key, value, unchanged = payload
        if unchanged is None:
            source = key + account
            unchanged = self._reread.get(source) == version[21:]
            self._reread[source] = version[21:]
        self.sequence += 1
        facts = pack_event_facts(self.sequence, event_id, late | unchanged << 1)
        self.gathered[code].append((key, value, facts))
        self.done.append(event_id)


def _note_released(shard: Shard, key: bytes, event: Held) -> None:
    row = shard.rows.get(b"E" + key)
    if row is None:
        return
    entity = Entity.unpack(row)
    said = entity.of(event.stream[:8])
    if said is not None and event.clock > said.released:
        shard.rows.put(b"E" + key, entity.having(said._replace(released=event.clock)).pack())


_EVENTS = {kind.code: topics.events(kind) for kind in EntityType}
