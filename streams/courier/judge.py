"""What one decision means for all other work of its account."""

from __future__ import annotations

from streams.core import courier_rows as rows
from streams.core import outcome
from streams.core.breaker import Breaker
from streams.courier.line import Line
from streams.courier.outbox import Trip
from streams.courier.setup import Setup
from streams.shard.api import Shard

UNREACHABLE = "unreachable"  # connectors.kit.http: no connection, so no endpoint is to blame
SLOW = "slow"
SLOW_SHARE = 0.5  # of the request timeout: a call that takes longer counts as a failure


class Judge:
    """Feeds the breakers of the account and of the endpoint class, and blocks the account's bucket for as long as the
    vendor asked, restarts included."""

    def __init__(self, setup: Setup, shard: Shard) -> None:
        self._setup = setup
        self._shard = shard
        self._slow = SLOW_SHARE * setup.settings.request_timeout

    def __call__(self, line: Line, trip: Trip, decision: outcome.Decision) -> None:
        """Part of the decision's atom."""
        before = line.stopped
        match decision:
            case outcome.Pause(until, reason):
                line.breaker.trip(until, reason)
            case outcome.RetryAt(at=at, blocks=True):
                self._block(line, at)
            case outcome.RetryAt(away=True, reason=reason) | outcome.Verify(reason=reason):
                self._failed(line.breaker if reason == UNREACHABLE else line.breaker_of(trip.ticket.group), reason)
            case _ if trip.calls:
                self._answered(line, trip)
        if line.stopped != before:
            self._setup.recorder.stopped(line.reference, line.stopped)
        line.schedule.release(trip.ticket.group)
        line.notify()

    def _answered(self, line: Line, trip: Trip) -> None:
        now = self._setup.waiter.now()
        line.breaker.succeeded(now)
        if trip.slowest > self._slow:
            self._failed(line.breaker_of(trip.ticket.group), SLOW)
        else:
            line.breaker_of(trip.ticket.group).succeeded(now)

    def _failed(self, breaker: Breaker, reason: str) -> None:
        breaker.failed(self._setup.waiter.now(), self._setup.random(), reason)

    def _block(self, line: Line, until: float) -> None:
        line.pacer.block(until)
        bucket = rows.Bucket(until, line.pacer.snapshot())
        self._shard.rows.put(rows.key(rows.BUCKET, line.reference), rows.pack_bucket(bucket))
