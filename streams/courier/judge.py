"""What one decision means for all other work of its account."""

from __future__ import annotations

from streams.core import courier_rows as rows
from streams.core import outcome
from streams.courier.line import Line
from streams.courier.outbox import Trip
from streams.courier.setup import Setup
from streams.shard.api import Shard


class Judge:
    """Feeds the account's breaker, and blocks its bucket for as long as the vendor asked, restarts included."""

    def __init__(self, setup: Setup, shard: Shard) -> None:
        self._setup = setup
        self._shard = shard

    def __call__(self, line: Line, trip: Trip, decision: outcome.Decision) -> None:
        """Part of the decision's atom."""
        before = line.breaker.reason
        match decision:
            case outcome.Pause(until, reason):
                line.breaker.trip(until, reason)
            case outcome.RetryAt(at=at, blocks=True):
                self._block(line, at)
            case outcome.RetryAt(away=True, reason=reason) | outcome.Verify(reason=reason):
                line.breaker.failed(self._setup.waiter.now(), self._setup.random(), reason)
            case _ if trip.calls:
                line.breaker.succeeded()
        if line.breaker.reason != before:
            self._setup.recorder.stopped(line.reference, line.breaker.reason)
        line.notify()

    def _block(self, line: Line, until: float) -> None:
        line.pacer.block(until)
        bucket = rows.Bucket(until, line.pacer.snapshot())
        self._shard.rows.put(rows.key(rows.BUCKET, line.reference), rows.pack_bucket(bucket))
