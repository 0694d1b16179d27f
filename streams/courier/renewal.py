"""Tokens as rows of the schedule: replaced before they end, and at once when one is refused."""

from __future__ import annotations

from functools import partial

import structlog

from connectors.kit.contract import Token, Tokens, Written
from connectors.kit.errors import SluiceError
from schemas.entities import Lane
from streams.core import outcome
from streams.core.desired import Kind
from streams.courier.drive import Driver, read_only
from streams.courier.judge import Judge
from streams.courier.line import Line, Ticket
from streams.courier.outbox import Outbox, Trip
from streams.courier.setup import Setup

KEY = "\x04"  # of the token's row in the schedule
_SHARE = "token"
log = structlog.get_logger(__name__)


class Renewals:
    """Tokens of one shard's accounts. Whoever finds that there is none asks for it, all others wait for that."""

    def __init__(self, setup: Setup, tokens: Tokens, outbox: Outbox, judge: Judge) -> None:
        self._setup = setup
        self._tokens = tokens
        self._judge = judge
        self._driver = Driver(setup, outbox)
        self._failures: dict[str, int] = {}

    def schedule(self, line: Line) -> None:
        """Put the renewal where it belongs; none for an account that needs no token."""
        if line.credentials.needed:
            line.offer(KEY, Lane.HIGH, _SHARE, max(0.0, line.credentials.renew_at()))

    async def run(self, line: Line, key: str, ticket: Ticket) -> None:
        """Replace the token, unless somebody did so meanwhile."""
        await line.credentials.renew(self._setup.waiter.now, partial(self._ask, line, ticket))
        self.schedule(line)

    async def ready(self, line: Line, ticket: Ticket) -> float:
        """Wait until requests can be sent. Returns 0, or when to come again (seconds UTC)."""
        if line.credentials.good(self._setup.waiter.now()):
            return 0.0
        ticket.charged()
        again = await line.credentials.ready(self._setup.waiter.now, partial(self._ask, line, ticket))
        self.schedule(line)
        return again

    async def _ask(self, line: Line, ticket: Ticket) -> Token | float:
        """A token, or when to try again. A failure is the whole account's only when the old token is good no more."""
        failures = self._failures.get(line.reference, 0)
        trip = Trip(ticket, Lane.HIGH, f"{line.reference}|token", failures + 1)
        try:
            token: Token = await self._driver.drive(line, self._tokens.acquire(line.account), trip, read_only)
        except SluiceError as error:
            return self._failed(line, trip, error)
        except Exception as error:
            log.exception("asking for a token failed inside Sluice or a connector", account=line.reference)
            return self._failed(line, trip, error)
        self._failures.pop(line.reference, None)
        self._judge(line, trip, outcome.Done(Written()))
        return token

    def _failed(self, line: Line, trip: Trip, error: Exception) -> float:
        now = self._setup.waiter.now()
        self._failures[line.reference] = trip.attempt
        decision = outcome.decide(
            error,
            outcome.Attempt(Kind.FETCH, now, trip.attempt, self._setup.random()),
            self._setup.settings.limits,
        )
        if not isinstance(decision, outcome.RetryAt | outcome.Pause):
            reason = error.reason if isinstance(error, SluiceError) else outcome.INTERNAL
            decision = outcome.Pause(now + self._setup.settings.limits.auth_recheck, reason)
        log.error(
            "no token is to be had",
            account=line.reference,
            attempts=trip.attempt,
            error=str(error),
            next_step="compare the account's client id and secret with those of the vendor",
        )
        if not line.credentials.good(now):
            self._judge(line, trip, decision)
        return decision.at if isinstance(decision, outcome.RetryAt) else decision.until
