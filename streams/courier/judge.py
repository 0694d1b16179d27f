"""What one decision means for all other work of its account."""

from __future__ import annotations

from dataclasses import replace

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

    def __call__(self, line: Line, trip: Trip, decision: outcome.Decision) -> outcome.Decision:
        """Part of the decision's atom. Returns the decision; what can be read at the account's fallback now is not to
        wait until the account itself is asked again."""
        before = line.stopped
        match decision:
            case outcome.Pause(until, reason):
                self._account_breaker(line, trip).trip(until, reason)
            case outcome.RetryAt(at=at, blocks=True):
                self._block(line, at)
            case outcome.RetryAt(away=True, reason=reason) | outcome.Verify(reason=reason):
                whole = reason == UNREACHABLE
                breaker = self._account_breaker(line, trip) if whole else line.breaker_of(trip.ticket.group)
                self._failed(breaker, reason)
            case _ if trip.calls:
                self._answered(line, trip)
        if line.stopped != before:
            self._setup.recorder.stopped(line.reference, line.stopped)
        line.schedule.release(trip.ticket.scheduled)
        line.notify()
        if isinstance(decision, outcome.RetryAt) and decision.away and line.may_move(trip.ticket):
            return replace(decision, at=self._setup.waiter.now())
        return decision

    def _answered(self, line: Line, trip: Trip) -> None:
        now = self._setup.waiter.now()
        if not trip.ticket.elsewhere:
            line.breaker.succeeded(now)
        if trip.slowest > self._slow:
            self._failed(line.breaker_of(trip.ticket.group), SLOW)
        else:
            line.breaker_of(trip.ticket.group).succeeded(now)

    def _account_breaker(self, line: Line, trip: Trip) -> Breaker:
        """What concerns the whole account; what its fallback does concerns one class there."""
        return line.breaker_of(trip.ticket.group) if trip.ticket.elsewhere else line.breaker

    def _failed(self, breaker: Breaker, reason: str) -> None:
        breaker.failed(self._setup.waiter.now(), self._setup.random(), reason)

    def _block(self, line: Line, until: float) -> None:
        line.pacer.block(until)
        bucket = rows.Bucket(until, line.pacer.snapshot())
        self._shard.rows.put(rows.key(rows.BUCKET, line.reference), rows.pack_bucket(bucket))
