"""The rows of a live shard in memory, in front of its store.

What is committed is written to the store behind: only when enough has gathered or some time has passed. A row that
changes in every transaction is then written once for many of them, and RocksDB costs as much per row as everything
else together. A crash loses nothing by it: the store is an older cache of the same changelog, and rolls forward.
"""

from __future__ import annotations

import heapq
import threading
from collections.abc import Iterator

from streams.shard.store import Store

BEHIND_ROWS = 20_000  # committed rows that may wait for the store
BEHIND_SECONDS = 5.0


class CachedRows:
    """Written since the last commit, committed and not yet stored, and two generations of what was read."""

    def __init__(self, store: Store, capacity: int, behind: int = BEHIND_ROWS) -> None:
        self._store = store
        self._capacity = capacity
        self._most_behind = behind
        self._young: dict[bytes, bytes | None] = {}
        self._old: dict[bytes, bytes | None] = {}
        self.touched: dict[bytes, bytes | None] = {}
        self._committing: dict[bytes, bytes | None] = {}
        self._behind: dict[bytes, bytes | None] = {}
        self._position = 0
        self._stored_at = 0
        self._storing = threading.Lock()  # a shard that is closed may still be writing

    def get(self, key: bytes) -> bytes | None:
        row = self._young.get(key)
        return row if row is not None else self._elsewhere(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.touched[key] = self._young[key] = value

    def delete(self, key: bytes) -> None:
        self.touched[key] = self._young[key] = None

    def open(self) -> tuple[dict[bytes, bytes | None], dict[bytes, bytes | None]]:
        return self.touched, self._young

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        newer: dict[bytes, bytes | None] = {}  # read before the store: what moves there meanwhile is then in both
        for rows in (self._behind, self._committing, self.touched):
            newer |= {key: value for key, value in rows.items() if key >= start and key.startswith(prefix)}
        if not newer:
            yield from self._store.scan(prefix, start)
            return
        ours = ((key, 0, newer[key]) for key in sorted(newer))
        stored = ((key, 1, value) for key, value in self._store.scan(prefix, start))
        last = None
        for key, _, value in heapq.merge(ours, stored):
            if key != last and value is not None:
                yield key, value
            last = key

    def take(self) -> dict[bytes, bytes | None]:
        """Rows for the next transaction; they stay readable until they are stored."""
        self._committing, self.touched = self.touched, {}
        if len(self._young) > self._capacity:
            self._old, self._young = self._young, {}
        return self._committing

    def committed(self, position: int) -> None:
        """The taken rows are committed; `position`: of the changelog after them."""
        self._behind |= self._committing
        self._committing = {}
        self._position = position

    def due(self, now_ms: int) -> bool:
        """Whether enough waits for the store, or something has waited long enough."""
        waited = now_ms - self._stored_at >= BEHIND_SECONDS * 1000
        return len(self._behind) >= self._most_behind or (waited and bool(self._behind))

    def store(self, now_ms: int) -> None:
        """Write what is committed to the store. May run in another thread than the rest, never beside `committed`."""
        with self._storing:
            if self._behind:
                self._store.write(self._behind, self._position, now_ms)
                self._behind = {}
            self._stored_at = now_ms

    def _elsewhere(self, key: bytes) -> bytes | None:
        for rows in (self._young, self._old, self.touched, self._committing, self._behind):
            if key in rows:
                row = rows[key]
                break
        else:
            row = self._store.get(key)
        self._young[key] = row
        return row
