"""Holding events until they can be released in source order. Pure; `now` is seconds of any monotonic clock.

`state` never waits, only `events` do. By time: an event is held until its account's watermark (newest clock value less
the lateness) has passed it; an account that falls silent is released by receive time, so nothing is held longer than
the lateness. Contiguous: an event with an integer clock is held for the gap before it, and no longer than the lateness.
What arrives behind the watermark, or behind a number already released, goes out at once, marked late where it follows
something newer. The committed offset never passes the oldest held event, so a crash re-reads what was held.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from streams.core.policy import Ordering

MICROS = 1_000_000
MAX_HELD = 50_000  # events per shard; beyond it the oldest are released
MAX_HELD_BYTES = 64 << 20  # of their values
_HIGHEST = b"\xff" * 21  # of what follows the clock in a version


class Held(NamedTuple):
    """One event on its way to `events`; compares in the order of release. `version` packed, its first 8 bytes the
    clock (microseconds or a vendor's number); `ticket` unique; `source`: key and account, the record whose order is
    kept; `stream`: account and type, whose clock it is; `arrival` in seconds; `size` in bytes."""

    version: bytes
    ticket: int
    source: bytes
    stream: bytes
    event_id: bytes
    topic: str
    offset: int
    arrival: float
    size: int
    payload: Any

    @property
    def clock(self) -> int:
        """The clock value."""
        return int.from_bytes(self.version[:8], "big")


Release = tuple[Held, bool]


@dataclass(slots=True)
class _Stream:
    """Held events of one account and type, ordered by version. `arrivals`: newest clock per moment of arrival."""

    ordering: Ordering
    watermark: int = 0
    newest: int = 0
    heap: list[Held] = field(default_factory=list)
    arrivals: deque[tuple[float, int]] = field(default_factory=deque)


@dataclass(slots=True)
class _Offsets:
    """Offsets of a topic that were held, in order, and those of them that are free again."""

    held: deque[int] = field(default_factory=deque)
    free: set[int] = field(default_factory=set)


class Reorder:
    """All held events of one shard. Not persisted: watermarks and released numbers are, by the caller. Events of a
    topic must be offered in the order of their offsets."""

    def __init__(self) -> None:
        self._streams: dict[bytes, _Stream] = {}
        self._gaps: dict[bytes, dict[int, Held]] = {}
        self._released: dict[bytes, int] = {}
        self._gap_due: list[tuple[float, bytes, int]] = []  # when the numbers before (source, clock) are given up
        self._ids: set[bytes] = set()
        self._versions: set[bytes] = set()
        self._offsets: dict[str, _Offsets] = {}
        self._bytes = 0
        self.moved: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._ids)

    def holds(self, event_id: bytes) -> bool:
        """Whether an event with that id is waiting."""
        return event_id in self._ids

    def holds_version(self, source: bytes, version: bytes) -> bool:
        """Whether an event of that record and version is waiting, under whatever id."""
        return source + version in self._versions

    def limit(self, topic: str) -> int | None:
        """The lowest offset of a topic that is still held; None when nothing is."""
        offsets = self._offsets.get(topic)
        if offsets is None:
            return None
        held, free = offsets.held, offsets.free
        while held and held[0] in free:
            free.discard(held.popleft())
        return held[0] if held else None

    def watermark(self, stream: bytes) -> int:
        """How far a stream has been released, in its clock's units."""
        known = self._streams.get(stream)
        return known.watermark if known else 0

    def set_watermark(self, stream: bytes, ordering: Ordering, value: int) -> None:
        """Take up a persisted watermark."""
        known = self._stream(stream, ordering)
        known.watermark = max(known.watermark, value)
        known.newest = max(known.newest, value)

    # -- by time

    def offer(self, event: Held, ordering: Ordering, *, newer_known: bool) -> list[Release]:
        """Hold an event, or give it back at once when its stream's watermark has passed it. By time."""
        stream = self._streams.get(event.stream)
        if stream is None:
            stream = self._stream(event.stream, ordering)
        clock = int.from_bytes(event[0][:8], "big")
        if clock <= stream.watermark:
            return [(event, newer_known)]
        if clock > stream.newest:
            stream.newest = clock
        self._hold(event)
        heapq.heappush(stream.heap, event)
        arrivals = stream.arrivals
        if not arrivals or arrivals[-1][0] != event.arrival:
            arrivals.append((event.arrival, clock))
        elif clock > arrivals[-1][1]:
            arrivals[-1] = (event.arrival, clock)
        return []

    def drain(self, now: float) -> list[Release]:
        """What may go now, in order per stream. Call it after each batch and on every tick."""
        released: list[Release] = []
        for name, stream in self._streams.items():
            lateness = stream.ordering.lateness
            passed = max(stream.watermark, stream.newest - int(lateness * MICROS))
            while stream.arrivals and stream.arrivals[0][0] + lateness <= now:
                passed = max(passed, stream.arrivals.popleft()[1])
            released += self._pass(name, stream, passed)
        released += self._overdue_gaps(now)
        while len(self._ids) > MAX_HELD or self._bytes > MAX_HELD_BYTES:
            released += self._make_room()
        return released

    def _pass(self, name: bytes, stream: _Stream, watermark: int) -> list[Release]:
        if watermark > stream.watermark:
            stream.watermark = watermark
            self.moved.add(name)
        out: list[Release] = []
        heap, last = stream.heap, stream.watermark.to_bytes(8, "big") + _HIGHEST
        while heap and heap[0][0] <= last:
            out.append((self._let_go(heapq.heappop(heap)), False))
        if not heap:
            stream.arrivals.clear()
        return out

    def _make_room(self) -> list[Release]:
        """Too much is held: move the fullest stream's watermark to its oldest event, or give up the oldest gap."""
        name, stream = max(self._streams.items(), key=lambda item: len(item[1].heap), default=(b"", None))
        if stream is None or not stream.heap:
            return self._overdue_gaps(self._gap_due[0][0])
        return self._pass(name, stream, stream.heap[0].clock)

    def _stream(self, name: bytes, ordering: Ordering) -> _Stream:
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = _Stream(ordering)
        return stream

    # -- contiguous

    def offer_numbered(self, event: Held, ordering: Ordering, released: int) -> list[Release]:
        """As `offer`, for integer clocks: `released` is the record's last released number as persisted, 0 for none."""
        last = self._released.get(event.source, released)
        if event.clock <= last:
            return [(event, True)]
        if event.clock == last + 1:
            return self._follow(event, ordering)
        gap = self._gaps.setdefault(event.source, {})
        if event.clock in gap:
            return [(event, True)]
        self._hold(event)
        gap[event.clock] = event
        self._released[event.source] = last
        heapq.heappush(self._gap_due, (event.arrival + ordering.lateness, event.source, event.clock))
        return []

    def released(self, source: bytes) -> int | None:
        """The record's last released number while it has held events; None otherwise."""
        return self._released.get(source)

    def _follow(self, event: Held, ordering: Ordering) -> list[Release]:
        """Release an event and everything that directly follows it."""
        out: list[Release] = [(event, False)]
        gap = self._gaps.get(event.source)
        if gap is None:
            return out
        number = event.clock
        while (following := gap.pop(number + 1, None)) is not None:
            number += 1
            out.append((self._let_go(following), False))
        self._close_gap(event.source, gap, number)
        return out

    def _close_gap(self, source: bytes, gap: dict[int, Held], number: int) -> None:
        if gap:
            self._released[source] = number
        else:
            del self._gaps[source]
            self._released.pop(source, None)

    def _overdue_gaps(self, now: float) -> list[Release]:
        out: list[Release] = []
        while self._gap_due and self._gap_due[0][0] <= now:
            _, source, clock = heapq.heappop(self._gap_due)
            gap = self._gaps.get(source)
            if gap is not None and clock in gap:
                out += self._skip_gap(source, gap, clock)
        return out

    def _skip_gap(self, source: bytes, gap: dict[int, Held], upto: int) -> list[Release]:
        """The missing numbers are given up: release everything held up to `upto` and what follows it."""
        numbers = sorted(gap)
        last = upto
        while last + 1 in gap:
            last += 1
        out: list[Release] = [(self._let_go(gap.pop(number)), False) for number in numbers if number <= last]
        self._close_gap(source, gap, last)
        return out

    # -- bookkeeping

    def _hold(self, event: Held) -> None:
        self._ids.add(event.event_id)
        self._versions.add(event.source + event.version)
        self._bytes += event.size
        offsets = self._offsets.get(event.topic)
        if offsets is None:
            offsets = self._offsets[event.topic] = _Offsets()
        offsets.held.append(event.offset)

    def _let_go(self, event: Held) -> Held:
        self._ids.discard(event.event_id)
        self._versions.discard(event.source + event.version)
        self._bytes -= event.size
        self._offsets[event.topic].free.add(event.offset)
        return event
