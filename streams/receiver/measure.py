"""What the receiver counts."""

from __future__ import annotations

from typing import Any

from connectors.kit.metrics import RECEIVER_DELIVERY_SECONDS, RECEIVER_QUEUE_RECORDS, RECEIVER_REQUESTS, Metrics

ACCEPTED = "accepted"
OVERLOADED = "overloaded"
UNAVAILABLE = "unavailable"
STRANGE = "unknown"  # platform label of requests for a platform we do not have: labels never come from outside


class Measures:
    """The receiver's metrics, with their children bound once."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._requests: dict[tuple[str, str], Any] = {}
        self._seconds: dict[str, Any] = {}
        self._queue = metrics.gauge(RECEIVER_QUEUE_RECORDS)

    def answered(self, platform: str, outcome: str, seconds: float) -> None:
        """A request was answered after so many seconds."""
        counter = self._requests.get((platform, outcome))
        if counter is None:
            counter = self._metrics.counter(RECEIVER_REQUESTS, platform, outcome)
            self._requests[platform, outcome] = counter
        counter.inc()
        if outcome == ACCEPTED:
            self._histogram(platform).observe(seconds)

    def queued(self, records: int) -> None:
        """So many deliveries are not answered now."""
        self._queue.set(records)

    def _histogram(self, platform: str) -> Any:
        histogram = self._seconds.get(platform)
        if histogram is None:
            histogram = self._seconds[platform] = self._metrics.histogram(RECEIVER_DELIVERY_SECONDS, platform)
        return histogram
