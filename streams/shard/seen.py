"""Ids of released events: exact within the horizon, dropped by whole days, rebuilt from the seen topic.

An id is remembered in the transaction that releases its event. The seen topic holds one record per transaction (key:
day, value: 16-byte ids end to end), so a restart reads 16 bytes per event and nothing is written to disk here.

Ids of a day are packed: 4,096 byte strings, each with the ids that begin with the same 12 bits. An id is looked for
by the interpreter's substring search, which at a million ids per day and shard goes over 4 KiB (0.4 us for one that is
there, 1.2 us for one that is not, measured).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

ID_SIZE = 16
DAY_MS = 86_400_000
_BUCKETS = 4_096  # one per prefix of 12 bits


class PackedIds:
    """A set of 16-byte ids that begin with random bits, at about 19 bytes each. Not thread-safe."""

    def __init__(self) -> None:
        self._buckets = [bytearray() for _ in range(_BUCKETS)]
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, event_id: bytes) -> bool:
        bucket = self._buckets[event_id[0] << 4 | event_id[1] >> 4]
        at = bucket.find(event_id)
        while at % ID_SIZE and at >= 0:  # the end of one id and the beginning of the next
            at = bucket.find(event_id, at + 1)
        return at >= 0

    def add_new(self, event_ids: Collection[bytes]) -> None:
        """Add ids that are not in the set; one that is costs its 16 bytes again, and nothing else."""
        buckets = self._buckets
        for event_id in event_ids:
            bucket = buckets[event_id[0] << 4 | event_id[1] >> 4]
            bucket += event_id
        self._count += len(event_ids)

    @property
    def size(self) -> int:
        """Bytes held, without those of the interpreter's allocator."""
        return sum(map(bytearray.__sizeof__, self._buckets)) + 8 * _BUCKETS


class SeenIds:
    """Exact membership of 16-byte ids, in memory, grouped by day. Not thread-safe.

    `horizon_days` must cover the longest automatic retry of the connected vendors; `max_ids` bounds memory (about 19
    bytes per id): beyond it the oldest day is dropped, never the newest, and the version gate alone decides about its
    events.
    """

    def __init__(self, horizon_days: int = 7, max_ids: int = 4_000_000) -> None:
        self._days: dict[int, PackedIds] = {}
        self._horizon = horizon_days
        self._max = max_ids
        self._fresh: list[bytes] = []
        self._unpacked: set[bytes] = set()
        self.dropped_days = 0

    def __len__(self) -> int:
        return sum(map(len, self._days.values())) + len(self._unpacked)

    def __contains__(self, event_id: bytes) -> bool:
        if event_id in self._unpacked:
            return True
        for ids in self._days.values():  # noqa: SIM110 -- a generator would cost as much as the search
            if event_id in ids:
                return True
        return False

    def add(self, event_ids: Sequence[bytes]) -> None:
        """Remember ids that are to go into the next transaction."""
        self._fresh += event_ids
        self._unpacked.update(event_ids)

    def take(self, day: int) -> bytes:
        """The ids added since the last call, packed for the seen topic's record of that day."""
        packed = b"".join(self._fresh)
        self._fresh.clear()
        if self._unpacked:
            self._pack(day, self._unpacked)
            self._unpacked.clear()
        return packed

    def load(self, day: int, packed: bytes, today: int) -> None:
        """Take in one record of the seen topic."""
        if day > today - self._horizon:
            self._pack(day, list(ids_in(packed)))

    def _pack(self, day: int, event_ids: Collection[bytes]) -> None:
        self._days.setdefault(day, PackedIds()).add_new(event_ids)
        newest = max(self._days)
        for old in sorted(self._days):
            if old <= newest - self._horizon or (old < newest and len(self) > self._max):
                del self._days[old]
                self.dropped_days += 1


def ids_in(packed: bytes) -> Iterator[bytes]:
    """The 16-byte ids of one record of the seen topic."""
    return (packed[at : at + ID_SIZE] for at in range(0, len(packed), ID_SIZE))
