"""Ids of released events: exact within the horizon, dropped by whole days, rebuilt from the seen topic.

An id is remembered in the transaction that releases its event. The seen topic holds one record per transaction (key:
day, value: 16-byte ids end to end), so a restart reads 16 bytes per event and nothing is written to disk here.
"""

from __future__ import annotations

ID_SIZE = 16
DAY_MS = 86_400_000


class SeenIds:
    """Exact membership of 16-byte ids, in memory, grouped by day. Not thread-safe.

    `horizon_days` must cover the longest automatic retry of the connected vendors; `max_ids` bounds memory (about
    100 bytes per id): beyond it the oldest day is dropped, never the newest, and the version gate alone decides about
    its events.
    """

    def __init__(self, horizon_days: int = 7, max_ids: int = 4_000_000) -> None:
        self._days: dict[int, set[bytes]] = {}
        self._horizon = horizon_days
        self._max = max_ids
        self._fresh: list[bytes] = []
        self.dropped_days = 0

    def __len__(self) -> int:
        return sum(map(len, self._days.values()))

    def __contains__(self, event_id: bytes) -> bool:
        return any(event_id in ids for ids in self._days.values())

    def add(self, event_id: bytes, day: int) -> None:
        """Remember an id that is to go into the next transaction."""
        self._fresh.append(event_id)
        ids = self._days.get(day)
        if ids is None:
            ids = self._days[day] = set()
            self._drop(day)
        ids.add(event_id)

    def take(self) -> bytes:
        """The ids added since the last call, packed for the seen topic."""
        packed = b"".join(self._fresh)
        self._fresh.clear()
        if len(self) > self._max:
            self._drop(max(self._days))
        return packed

    def load(self, day: int, packed: bytes, today: int) -> None:
        """Take in one record of the seen topic."""
        if day <= today - self._horizon:
            return
        ids = self._days.setdefault(day, set())
        ids.update(packed[at : at + ID_SIZE] for at in range(0, len(packed), ID_SIZE))
        if len(self) > self._max:
            self._drop(max(self._days))

    def _drop(self, today: int) -> None:
        for day in sorted(self._days):
            if day <= today - self._horizon or (len(self) > self._max and day < today):
                del self._days[day]
                self.dropped_days += 1
