"""Webhook subscriptions as rows of the schedule: what is missing is made anew, and what it did not tell of is polled.

The hole is written down before the subscription is made, so that a crash in between cannot lose it, and once more
behind it, because what changed until then was told to nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

import structlog

from connectors.kit.contract import Request, Subscriptions, Written
from connectors.kit.errors import SluiceError
from schemas.entities import Lane
from streams.core import outcome
from streams.core.desired import Kind
from streams.courier.drive import Driver, read_only
from streams.courier.judge import Judge
from streams.courier.line import Line, Ticket
from streams.courier.outbox import Outbox, Trip
from streams.courier.polls import Polls
from streams.courier.setup import Setup
from streams.shard.api import Shard

KEY = "\x05"  # of the subscriptions' row in the schedule
HEALED = "healed"
_SHARE = "subscriptions"
log = structlog.get_logger(__name__)


class Healing:
    """Subscriptions of one shard's accounts."""

    def __init__(
        self,
        setup: Setup,
        subscriptions: Subscriptions,
        shard: Shard,
        outbox: Outbox,
        polls: Polls | None,
        judge: Judge,
    ) -> None:
        self._setup = setup
        self._subscriptions = subscriptions
        self._shard = shard
        self._polls = polls
        self._judge = judge
        self._driver = Driver(setup, outbox)
        self._failures = Counter[str]()

    def schedule(self, line: Line) -> None:
        """Look at once; never for an account whose subscriptions are none of our business."""
        if self._subscriptions.wanted(line.account):
            self._offer(line, 0.0)

    async def run(self, line: Line, key: str, ticket: Ticket) -> None:
        """Compare, make what is missing, look again after the interval."""
        trip = Trip(ticket, Lane.NORMAL, f"{line.reference}|subscriptions", self._failures[line.reference] + 1)
        decision: outcome.Decision = outcome.Done(Written())
        try:
            await self._heal(line, trip)
            self._failures.pop(line.reference, None)
        except SluiceError as error:
            decision = self._failed(line, error)
        except Exception as error:
            log.exception("subscriptions failed inside Sluice or a connector", account=line.reference)
            decision = self._failed(line, error)
        self._judge(line, trip, decision)
        self._again(line, decision)

    async def _heal(self, line: Line, trip: Trip) -> None:
        wanted = self._subscriptions.wanted(line.account)
        held: Collection[str] = await self._driver.run(line, self._subscriptions.listed(line.account), trip, read_only)
        for topic in wanted:
            if topic not in held:
                await self._subscribe(line, trip, topic, wanted[topic])

    async def _subscribe(self, line: Line, trip: Trip, topic: str, resources: Iterable[str]) -> None:
        async def lost_until_now(request: Request) -> None:
            self._lost(line, resources)
            await self._shard.commit()

        flow = self._subscriptions.subscribe(line.account, topic)
        await self._driver.run(line, flow, trip, lost_until_now)
        self._lost(line, resources)
        self._setup.recorder.healed(line.reference, topic)
        log.warning("a webhook subscription was missing and has been made", account=line.reference, topic=topic)

    def _lost(self, line: Line, resources: Iterable[str]) -> None:
        if self._polls is not None:
            for resource in resources:
                self._polls.hole(line, resource, HEALED, self._setup.waiter.now())

    def _failed(self, line: Line, error: Exception) -> outcome.Decision:
        """Subscriptions are never given up: what is refused is tried again with the next look."""
        self._failures[line.reference] += 1
        now, failures = self._setup.waiter.now(), self._failures[line.reference]
        attempt = outcome.Attempt(Kind.FETCH, now, failures, self._setup.random())
        decision = outcome.decide(error, attempt, self._setup.settings.limits)
        if isinstance(decision, outcome.RetryAt | outcome.Pause):
            return decision
        log.error(
            "the webhook subscriptions cannot be kept",
            account=line.reference,
            error=str(error),
            next_step="grant the app what the message names, or unset webhook_address",
        )
        return outcome.Filtered(error.reason if isinstance(error, SluiceError) else outcome.INTERNAL)

    def _again(self, line: Line, decision: outcome.Decision) -> None:
        match decision:
            case outcome.RetryAt(at=at):
                self._offer(line, at)
            case outcome.Pause(until=until):
                self._offer(line, until)
            case _:
                self._offer(line, self._setup.waiter.now() + self._setup.settings.subscriptions_interval)

    def _offer(self, line: Line, due: float) -> None:
        line.offer(KEY, Lane.NORMAL, _SHARE, due)
