"""What reads produce: read sequences, raw records, and the snapshot that tells a scan what changed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b

from connectors.kit.contract import Observation, Written
from schemas.entities import Channel, Op
from streams.core import courier_rows as rows
from streams.courier.line import Line
from streams.courier.outbox import Outbox, Trip
from streams.courier.setup import Setup
from streams.shard.api import Shard

_READINGS = 2  # of one content that are emitted; see Reads.emit_news
_CONFIRMED = 50_000  # records of dated resources whose last content is remembered, per shard
_EPOCH_SHIFT = 44  # bits below the epoch: 2^44 reads per opening


class Reads:
    """Reads of one shard. The sequence never goes back: its epoch rises with every opening, before the first read."""

    def __init__(self, setup: Setup, shard: Shard, outbox: Outbox) -> None:
        self._setup = setup
        self._shard = shard
        self._outbox = outbox
        key = rows.key(rows.EPOCH)
        stored = shard.rows.get(key)
        self.epoch = 1 if stored is None else rows.unpack_epoch(stored) + 1
        shard.rows.put(key, rows.pack_epoch(self.epoch))
        self._counter = 0
        self._scanned: dict[str, frozenset[str]] = {}
        self._confirmed: OrderedDict[bytes, tuple[bytes, int]] = OrderedDict()

    def next_sequence(self) -> int:
        """The sequence of a read that starts now."""
        self._counter += 1
        return self.epoch << _EPOCH_SHIFT | self._counter

    def emit(
        self,
        line: Line,
        channel: Channel,
        seen: Sequence[Observation],
        trip: Trip,
        sequence: int,
        *,
        answer: bool = False,
    ) -> None:
        """Emit everything, and let the snapshots of scans know of it."""
        for index, one in enumerate(seen):
            self._outbox.observation(line.account, channel, one, trip, sequence, index, answer=answer)
            for resource in self._scans(line):
                if self._shard.rows.get(_key(line, resource, one)) is not None:
                    self._remember(line, resource, one, sequence)

    def emit_written(self, line: Line, written: Written, trip: Trip) -> None:
        """What a write's replies said of the record. A write has no place in the order of reads but its end."""
        if written.observed:
            sequence = self.next_sequence()
            self.emit(line, Channel.FETCH, written.observed, trip, sequence, answer=written.holds or not written.no_op)

    def emit_changed(
        self,
        line: Line,
        resource: str,
        seen: Sequence[Observation],
        trip: Trip,
        sequence: int,
        *,
        channel: Channel = Channel.POLL,
        first: int = 0,
    ) -> int:
        """Emit what differs from the snapshot of a scan. Returns how many did. `first`: index of the first of them."""
        changed = 0
        for index, one in enumerate(seen, start=first):
            if self._remember(line, resource, one, sequence):
                self._outbox.observation(line.account, channel, one, trip, sequence, index)
                changed += 1
        return changed

    def emit_news(
        self,
        line: Line,
        resource: str,
        seen: Sequence[Observation],
        trip: Trip,
        sequence: int,
        *,
        channel: Channel = Channel.POLL,
    ) -> int:
        """Emit what a window of a dated resource shows, but for what overlapping windows have shown twice already:
        a first reading may fall into the second of the change, the next confirms it, more of them say nothing.
        Returns how many were emitted. Not persisted: after a restart an overlap is emitted once more."""
        news = [one for one in seen if self._is_news(_key(line, resource, one), one)]
        self.emit(line, channel, news, trip, sequence)
        return len(news)

    def _is_news(self, key: bytes, one: Observation) -> bool:
        content = blake2b(one.body + one.op.to_bytes(1, "big"), digest_size=16).digest()
        held, times = self._confirmed.pop(key, (b"", 0))
        times = times + 1 if held == content else 1
        self._confirmed[key] = content, times
        if len(self._confirmed) > _CONFIRMED:
            self._confirmed.popitem(last=False)
        return times <= _READINGS

    def known(self, line: Line, resource: str) -> list[tuple[str, str]]:
        """Topic and remote id of every record in a scan's snapshot."""
        prefix = rows.key(rows.SNAPSHOT, line.reference, resource, "")
        found = (rows.rest_of(key) for key, _ in self._shard.rows.scan(prefix))
        return [(topic, remote_id) for _, topic, remote_id in found]

    def _remember(self, line: Line, resource: str, one: Observation, sequence: int) -> bool:
        """Bring a snapshot up to date. Returns whether it said something else.

        A reading that overlapped a later one is emitted but not remembered: which of them was right is seen by the
        next scan, and what that finds must not be held back as known.
        """
        key = _key(line, resource, one)
        stored = self._shard.rows.get(key)
        if one.op is Op.DELETE:
            self._shard.rows.delete(key)
            return stored is not None
        content = blake2b(one.body, digest_size=16).digest()
        held = None if stored is None else rows.unpack_snapshot(stored)
        if held is not None and held.content == content:
            return False
        if held is not None and held.sequence > sequence:
            self._shard.rows.delete(key)
        else:
            self._shard.rows.put(key, rows.pack_snapshot(rows.Snapshot(content, sequence)))
        return True

    def _scans(self, line: Line) -> frozenset[str]:
        known = self._scanned.get(line.reference)
        if known is None:
            poller = self._setup.platform.poller
            resources = () if poller is None else poller.resources(line.account)
            known = self._scanned[line.reference] = frozenset(one.name for one in resources if one.scan)
        return known


def _key(line: Line, resource: str, one: Observation) -> bytes:
    return rows.key(rows.SNAPSHOT, line.reference, resource, one.topic, one.resource_id)
