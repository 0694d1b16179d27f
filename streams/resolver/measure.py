"""What the resolver counts, told once per batch from the ledger's increments: nothing here runs per event."""

from __future__ import annotations

from typing import Any

from connectors.kit.metrics import PIPELINE_DEAD_LETTERS, RESOLVER_EVENTS, RESOLVER_HELD_EVENTS, Metrics
from streams.core.ledger import Book, Counters
from streams.runtime.brakes import Brakes
from streams.runtime.deadletters import Trouble

STAGE = "resolver"
UNKNOWN = "unknown"  # account of events that cannot be read


class Measures:
    """The resolver's metrics, with their children bound once."""

    def __init__(self, metrics: Metrics, brakes: Brakes | None = None) -> None:
        self._metrics = metrics
        self._brakes = brakes or Brakes(metrics, STAGE)
        self._events: dict[tuple[str, str], Any] = {}
        self._held: dict[int, Any] = {}

    def counted(self, book: Book, account: str, increments: Counters) -> None:
        """Implements streams.core.ledger.Observer. Only events are the resolver's to count."""
        if book is not Book.EVENTS:
            return
        self._brakes.counted(book, account, increments)
        for outcome in book.settled:
            if increments[outcome]:
                self._outcome(account, outcome).inc(increments[outcome])

    def holds(self, shard: int, events: int) -> None:
        """So many events of a shard wait for their order."""
        gauge = self._held.get(shard)
        if gauge is None:
            gauge = self._held[shard] = self._metrics.gauge(RESOLVER_HELD_EVENTS, str(shard))
        gauge.set(events)

    def died(self, account: str, topic: str, partition: int, offset: int, trouble: Trouble) -> None:
        """An event went to the dead letters. `account`: as in the ledger, UNKNOWN where nobody knows whose it is."""
        self._metrics.counter(PIPELINE_DEAD_LETTERS, STAGE, trouble.reason).inc()
        self._brakes.died(account, topic, partition, offset, trouble.reason, trouble.detail)

    def _outcome(self, account: str, outcome: str) -> Any:
        counter = self._events.get((account, outcome))
        if counter is None:
            counter = self._events[account, outcome] = self._metrics.counter(RESOLVER_EVENTS, account, outcome)
        return counter
