"""When a shard commits: at once when idle, by time and size when loaded. Pure."""

from __future__ import annotations

from dataclasses import dataclass

PER_RECORD = 1e-3  # seconds of waiting earned by each record of the last transaction
SHORTEST = 0.025  # seconds from one transaction to the next, where nobody waits for it
FULL_RECORDS = 16_000  # a transaction of this size is committed without waiting
FULL_BYTES = 16 << 20


@dataclass(slots=True)
class CommitPace:
    """A transaction costs a millisecond of CPU here and as much at the broker, whatever its size, so busy shards wait
    longer between two of them: `interval` after 400 records. What comes after a silence is committed at once. Times in
    seconds of any monotonic clock."""

    interval: float = 0.2
    _last_end: float = float("-inf")
    _last_records: int = 0

    def committed(self, now: float, records: int) -> None:
        """A transaction of that many records ended."""
        self._last_end = now
        self._last_records = records

    def wait(self, now: float, records: int, size: int, waiters: int) -> float:
        """Seconds to wait before the next transaction; 0 when somebody waits for it or it is full."""
        if waiters or records >= FULL_RECORDS or size >= FULL_BYTES:
            return 0.0
        due = self._last_end + min(self.interval, max(SHORTEST, self._last_records * PER_RECORD))
        return max(0.0, due - now)
