"""When rows stop being worth sending, so that they are told of then, whatever holds them back. Pure."""

from __future__ import annotations

import heapq

_SPARE = 64  # entries that no longer count are kept, beside as many as do


class Deadlines:
    """Times by row, in seconds UTC; O(log n) each. Memory follows the rows that have one."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._times)

    def put(self, row: str, at: float) -> None:
        """The row has this one and no other."""
        if self._times.get(row) == at:
            return
        self._times[row] = at
        if len(self._heap) > 2 * len(self._times) + _SPARE:
            self._heap = [(time, name) for name, time in self._times.items()]
            heapq.heapify(self._heap)
        else:
            heapq.heappush(self._heap, (at, row))

    def drop(self, row: str) -> None:
        """The row has none any more; unknown rows are no error."""
        self._times.pop(row, None)

    def passed(self, now: float) -> list[str]:
        """Rows whose time has come, which have none after this."""
        found: list[str] = []
        while self._heap and self._heap[0][0] <= now:
            at, row = heapq.heappop(self._heap)
            if self._times.get(row) == at:
                del self._times[row]
                found.append(row)
        return found
