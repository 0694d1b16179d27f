"""When the next fetch is sent. Without a pace, a consumer that keeps up asks for every few records at once.

A round (fetch, batches of all partitions, commits) costs a process 1 to 3 ms of CPU whatever is in it. So rounds of a
consumer that keeps up are apart, the more so the more they bring: the first record after a silence is still fetched at
once, and a backlog, which fills its fetches, is read without a pause.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import aiokafka.consumer.consumer as consumer
import aiokafka.consumer.fetcher as fetcher

from streams.worker.records import BatchResult

FULL = 0.5  # of what may be fetched of a partition: beyond that more of it is waiting


@dataclass(slots=True)
class FetchPace:
    """Pure. Times in seconds of one monotonic clock. After a fetch that brought so many bytes the next one waits
    `shortest` + `per_byte` * bytes, at most `longest`."""

    shortest: float = 0.025
    longest: float = 0.25
    per_byte: float = 2e-6
    _next: float = float("-inf")

    def wait(self, now: float) -> float:
        """Seconds until the next fetch may be sent."""
        return max(0.0, self._next - now)

    def fetched(self, now: float, size: int, *, full: bool) -> None:
        """A fetch has brought `size` bytes; `full`: there is more of some partition."""
        self._next = now if full else now + min(self.longest, self.shortest + self.per_byte * size)


class PacedFetcher(fetcher.Fetcher):
    """aiokafka's fetcher, at a pace. A fetch that waits counts as sent, so no other goes to the same broker meanwhile;
    a reply to positions that have changed since is dropped by aiokafka itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._paces: dict[Any, FetchPace] = {}  # by broker
        super().__init__(*args, **kwargs)

    async def _proc_fetch_request(self, assignment: Any, node_id: Any, request: Any) -> Any:
        pace = self._paces.setdefault(node_id, FetchPace())
        wait = pace.wait(self._loop.time())
        if wait:
            try:
                await asyncio.sleep(wait)
            except asyncio.CancelledError:
                return False  # as aiokafka does: nobody wants the answer any more
        found = await super()._proc_fetch_request(assignment, node_id, request)
        if found:
            sizes = self._sizes(request)
            full = max(sizes, default=0) >= FULL * self._max_partition_fetch_bytes
            pace.fetched(self._loop.time(), sum(sizes), full=full)
        return found

    def _sizes(self, request: Any) -> list[int]:
        """Bytes of each partition in the reply, which nobody has taken yet."""
        asked = (
            fetcher.TopicPartition(topic, partition)
            for topic, partitions in request.topics
            for partition, _, _ in partitions
        )
        found = (self._records.get(tp) for tp in asked)
        return [result.size for result in found if isinstance(result, BatchResult)]


def install() -> None:
    """Make aiokafka's consumers fetch at this pace, for the whole process. Idempotent."""
    consumer.Fetcher = PacedFetcher
