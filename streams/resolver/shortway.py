"""The common case in one loop over packed bytes: a whole record, the newest word of an entity's only account.

The newer version wins then, whatever the policy, and gives the fields of every group. Everything else goes the long way
(streams.resolver.deciding), which gives the same bytes: tests/property/test_resolver.py, test_merging.py. Nothing is
called per step: a call costs as much as a step.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, Protocol

from schemas import headers
from schemas.codec import Codec, CodecError
from schemas.cutting import Cutter, Fields
from schemas.entities import Channel, Completeness, EntityType, Op
from schemas.headers import NAME, pack_event_facts
from streams.core.entity import FORMAT, NOTHING
from streams.core.layers import ALL
from streams.core.ledger import DAY_MICROS, Book, LedgerBuffer, Observer, day_of
from streams.core.policy import OrderingMode
from streams.resolver.facts import LAST_RANK, SINGLE_SIZE, is_plain
from streams.resolver.merging import whole_content
from streams.resolver.releasing import Releasing
from streams.resolver.routes import Routes
from streams.shard.api import Incoming, Shard

_U64 = struct.Struct(">Q")
# event id, version without its content, content, corrected time, account, received; see schemas.headers
_fact = struct.Struct(">16s21s8s8s8s8s").unpack_from
# golden version, winning content, account, version without its content, content, released; see streams.core.entity
_single = struct.Struct(">2xQ8x8s8s21s8s9x8sx").unpack
pack_single = struct.Struct(">2sQ8s8s8s21s8s8sB8sB").pack
_from_bytes = partial(int.from_bytes, byteorder="big")
_UPSERT = int(Op.UPSERT)
_AS_IT_CAME, _LAYERED = bytes((FORMAT, 0)), bytes((FORMAT, 1))
# one layer, of the whole record; see streams.core.layers
_layer = struct.Struct(">21s8s8sBQI").pack
_CHANNELS = len(Channel)
_NO_HEADER = ("", b"")
_NONE, _ARRIVAL = OrderingMode.NONE, OrderingMode.ARRIVAL
Tally = dict[str, int]


class LongWay(Protocol):
    """What takes the events that are not the common case."""

    def one(self, shard: Shard, topic: str, record: Incoming, arrival: float, *, again: bool) -> None:
        """Any event."""
        ...

    def beaten(
        self, shard: Shard, topic: str, record: Incoming, fact: bytes, arrival: float, row: bytes, *, duplicate: bool
    ) -> None:
        """An event that is known, or something newer is."""
        ...

    def keep(self, shard: Shard, code: int, key: bytes, account: bytes, value: bytes | None) -> None:
        """What an account says now, of a type of which that is kept."""
        ...


class Kind(NamedTuple):
    """What the short way needs to know of a combination of format, type, op and flags. `cut`: of a type that may be put
    together from parts."""

    kept: bool
    mode: OrderingMode
    latest: dict[bytes, bytes | None]
    cut: Callable[[bytes], Fields] | None


def kinds(
    routes: Routes, codec: Codec, latest: Mapping[int, dict[bytes, bytes | None]]
) -> Iterator[tuple[bytes, Kind]]:
    """The kinds of events that may go the short way, by those four bytes of their header. It takes whole records only,
    of types that neither give commands nor count against a stock."""
    for code, ordering in routes.orderings.items():
        if code in routes.commanded_types or code == EntityType.RESERVATION.code:
            continue
        cut = Cutter(codec, routes.merging[code].kind.value).cut if code in routes.merging else None
        kind = Kind(code in routes.kept_types, ordering.mode, latest[code], cut)
        for channel in range(_CHANNELS):
            yield bytes((headers.FORMAT, code, Op.UPSERT, Completeness.FULL | channel << 2)), kind


class Tallies:
    """The open counters of each account's day; those asked for last are at hand until the next flush."""

    def __init__(self, ledger: LedgerBuffer, label: Callable[[bytes], str]) -> None:
        self._ledger = ledger
        self._label = label
        self._last: dict[bytes, tuple[bytes, bytes, Tally]] = {}

    def of(self, account: bytes, received: bytes) -> tuple[bytes, bytes, Tally]:
        """The counters, and the receive times between which they count, packed."""
        last = self._last.get(account)
        if last is not None and last[0] <= received < last[1]:
            return last
        began = _from_bytes(received) // DAY_MICROS * DAY_MICROS
        counters = self._ledger.tally(Book.EVENTS, self._label(account), day_of(began))
        last = self._last[account] = (_U64.pack(began), _U64.pack(began + DAY_MICROS), counters)
        return last

    def flush(self, rows: Any, observer: Observer) -> None:
        """Write the ledger's rows: the counters at hand are closed."""
        self._ledger.flush(rows, observer)
        self._last.clear()


def forwards(  # noqa: C901 -- see above
    shard: Shard, topic: str, records: Sequence[Incoming], arrival: float,
    simple: Mapping[bytes, Kind], way: LongWay, releasing: Releasing, tallies: Tallies,
) -> None:  # fmt: skip
    """Records read for the first time."""
    get, done, one = shard.rows.get, releasing.done.append, way.one
    touched, near = shard.rows.open()
    account_of = begins = ends = b""
    tally: Tally = {}
    won = unchanged = 0
    for record in records:
        found, key = record.headers, record.key
        name, fact = found[0] if found else _NO_HEADER
        kind = simple.get(fact[69:73]) if name == NAME and fact is not None else None
        # Times before the year 8820: first byte below 3. Anything stranger is looked at the long way.
        if kind is None or fact[61] > 2 or fact[45] > 2 or fact[24] > LAST_RANK or key is None:
            one(shard, topic, record, arrival, again=False)
            continue
        event_id, version, content, corrected, account, received = _fact(fact)
        row_key = b"E" + key
        row = near.get(row_key)
        if row is None:
            row = get(row_key)
        kept, mode, latest, cut = kind
        if row is None and is_plain(key):
            golden, held, released = 0, b"", NOTHING
        elif row is None or len(row) != SINGLE_SIZE:
            one(shard, topic, record, arrival, again=False)
            continue
        else:
            golden, held, speaker, known, known_content, released = _single(row)
            if speaker != account or (version == known and content != known_content):
                one(shard, topic, record, arrival, again=False)
                continue
            if version <= known:
                if cut is None:
                    way.beaten(shard, topic, record, fact, arrival, row, duplicate=version == known)
                else:  # what it says may be what nothing newer did
                    one(shard, topic, record, arrival, again=False)
                continue
        value = record.value
        if cut is None:
            form, said, same = _AS_IT_CAME, content, content == held
            latest[key] = value
            if kept:
                way.keep(shard, fact[70], key, account, value)
        else:
            try:
                said = whole_content(cut(value or b""))
            except CodecError:
                one(shard, topic, record, arrival, again=False)
                continue
            assert value is not None
            form, same = _LAYERED, said == held
            if not same:
                latest[key] = value
            layer_key = b"V" + key + account
            layer = _layer(version, content, corrected, _UPSERT, ALL, len(value)) + value
            touched[layer_key] = near[layer_key] = layer
        golden += not same
        row = pack_single(form, golden, account, said, account, version, content, corrected, _UPSERT, released, 0)
        touched[row_key] = near[row_key] = row
        if mode is _NONE:
            done(event_id)
        elif mode is _ARRIVAL:
            releasing.sequence = sequence = releasing.sequence + 1
            facts = pack_event_facts(sequence, event_id, same << 1)
            releasing.gathered[fact[70]].append((key, value, facts))
            done(event_id)
        else:
            releasing.order(shard, topic, record, fact, arrival, row, same)
        if account != account_of or not begins <= received < ends:
            _count(tally, won, unchanged)
            account_of, won, unchanged = account, 0, 0
            begins, ends, tally = tallies.of(account, received)
        if same:
            unchanged += 1
        else:
            won += 1
    _count(tally, won, unchanged)


def _count(tally: Tally, won: int, unchanged: int) -> None:
    if won or unchanged:
        tally["received"] += won + unchanged
        tally["won"] += won
        tally["unchanged"] += unchanged
