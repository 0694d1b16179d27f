"""Polls as rows: cursor, snapshot and the raw records of one page are one atom."""

from __future__ import annotations

import structlog

from connectors.kit.contract import Observation, Page, Poller, Request, Resource
from connectors.kit.errors import SluiceError
from schemas.entities import Lane, Op
from streams.core import courier_rows as rows
from streams.core import outcome
from streams.core.courier_rows import Cursor
from streams.core.desired import Kind
from streams.courier.drive import Driver
from streams.courier.judge import Judge
from streams.courier.line import Line, Ticket
from streams.courier.outbox import Outbox, Trip
from streams.courier.reads import Reads
from streams.courier.setup import Setup
from streams.shard.api import Shard

PREFIX = "\x03"  # of a poll's key in the schedule; rows of work never start with it
log = structlog.get_logger(__name__)


class Polls:
    """Polls of one shard."""

    def __init__(self, setup: Setup, poller: Poller, shard: Shard, outbox: Outbox, reads: Reads, judge: Judge) -> None:
        self._setup = setup
        self._poller = poller
        self._shard = shard
        self._reads = reads
        self._judge = judge
        self._driver = Driver(setup, outbox)
        self._passes: dict[tuple[str, str], set[tuple[str, str]]] = {}
        self._failures: dict[tuple[str, str], int] = {}

    def schedule(self, line: Line) -> None:
        """Put all polls of an account where their cursors say they belong."""
        for resource in self._poller.resources(line.account):
            cursor = self._cursor(line, resource)
            due = 0.0 if cursor.open or not cursor.scan else cursor.started_at + resource.interval
            self._offer(line, resource, due)

    async def run(self, line: Line, key: str, ticket: Ticket) -> None:
        """Read one page; everything it says is one atom with the cursor."""
        name = key.removeprefix(PREFIX)
        resource = next(one for one in self._poller.resources(line.account) if one.name == name)
        op_id = f"{line.reference}|poll|{name}"
        trip = Trip(ticket, _lane(resource), op_id, self._failed(line, resource) + 1, purpose="poll")
        if line.reads.in_use:
            ticket.charged()
        async with line.reads.exclusive():
            decision = await self._page(line, resource, trip)
        line.learn(_share(resource), trip.cost)
        self._judge(line, trip, decision)
        self._again(line, resource, decision)

    async def _page(self, line: Line, resource: Resource, trip: Trip) -> outcome.Decision:
        cursor = self._begun(line, resource)
        flow = self._poller.page(line.account, resource.name, cursor.position, self._setup.clock.now())
        sequence = self._reads.next_sequence()
        try:
            page: Page = await self._driver.run(line, flow, trip, _never)
        except SluiceError as error:
            return self._failure(line, resource, trip, error)
        except Exception as error:
            log.exception("a poll failed inside Sluice or a connector", account=line.reference, resource=resource.name)
            return self._failure(line, resource, trip, error)
        return self._took(line, resource, trip, sequence, cursor, page)

    def _begun(self, line: Line, resource: Resource) -> Cursor:
        """The cursor of the pass under way; a new pass remembers from the start what it sees."""
        cursor = self._cursor(line, resource)
        if cursor.open:
            return cursor
        self._passes[line.reference, resource.name] = set()
        return Cursor(cursor.position, cursor.scan + 1, self._setup.waiter.now(), cursor.completed_at, open=True)

    def _took(
        self, line: Line, resource: Resource, trip: Trip, sequence: int, cursor: Cursor, page: Page
    ) -> outcome.Decision:
        if resource.scan:
            changed = self._reads.emit_changed(line, resource.name, page.observations, trip, sequence)
            self._compare(line, resource, trip, sequence, page)
        else:
            changed = self._reads.emit_news(line, resource.name, page.observations, trip, sequence)
        completed_at = self._setup.waiter.now() if page.done else cursor.completed_at
        after = Cursor(page.cursor, cursor.scan, cursor.started_at, completed_at, open=not page.done)
        self._shard.rows.put(rows.key(rows.CURSOR, line.reference, resource.name), rows.pack_cursor(after))
        self._failures.pop((line.reference, resource.name), None)
        self._setup.recorder.polled(line.reference, resource.name, len(page.observations), changed)
        due = cursor.started_at + resource.interval if page.done else 0.0
        return outcome.RetryAt(due, "polled")

    def _compare(self, line: Line, resource: Resource, trip: Trip, sequence: int, page: Page) -> None:
        """After a complete scan, what the snapshot holds and the scan did not see is gone.

        A pass that a restart interrupted does not know what it had seen and concludes nothing.
        """
        seen = self._passes.get((line.reference, resource.name))
        if seen is not None:
            seen.update((one.topic, one.resource_id) for one in page.observations)
        if not page.done:
            return
        self._passes.pop((line.reference, resource.name), None)
        if seen is None or not page.complete_scan:
            return
        known = self._reads.known(line, resource.name)
        gone = [Observation(*record, b"", Op.DELETE) for record in known if record not in seen]
        if self._brake(len(gone), len(known)):
            self._setup.recorder.braked(line.reference, resource.name, len(gone), len(known))
            log.error(
                "a complete scan misses so many records that their deletion is refused",
                account=line.reference,
                resource=resource.name,
                missing=len(gone),
                known=len(known),
                likely_cause="a filtered or truncated reply of the platform",
                next_step="compare with the shop; if they are gone, raise brake_share and wait for the next scan",
            )
            return
        self._reads.emit_changed(line, resource.name, gone, trip, sequence, first=len(page.observations))

    def _brake(self, gone: int, known: int) -> bool:
        settings = self._setup.settings
        return gone > settings.brake_floor and gone > known * settings.brake_share

    def _failure(self, line: Line, resource: Resource, trip: Trip, error: Exception) -> outcome.Decision:
        """A page that cannot be read is tried again: there is no record to give up, only a place to go on from."""
        key = (line.reference, resource.name)
        self._failures[key] = self._failures.get(key, 0) + 1
        now = self._setup.waiter.now()
        attempt = outcome.Attempt(Kind.FETCH, now, self._failures[key], self._setup.random())
        decision = outcome.decide(error, attempt, self._setup.settings.limits)
        if isinstance(decision, outcome.RetryAt | outcome.Pause):
            return decision
        log.error(
            "a page is refused", account=line.reference, resource=resource.name, attempts=trip.attempt, error=str(error)
        )
        return outcome.RetryAt(now + resource.interval, error.reason if isinstance(error, SluiceError) else "error")

    def _again(self, line: Line, resource: Resource, decision: outcome.Decision) -> None:
        self._offer(line, resource, decision.at if isinstance(decision, outcome.RetryAt) else 0.0)

    def _offer(self, line: Line, resource: Resource, due: float) -> None:
        line.offer(PREFIX + resource.name, _lane(resource), _share(resource), due)

    def _cursor(self, line: Line, resource: Resource) -> Cursor:
        data = self._shard.rows.get(rows.key(rows.CURSOR, line.reference, resource.name))
        return Cursor() if data is None else rows.unpack_cursor(data)

    def _failed(self, line: Line, resource: Resource) -> int:
        return self._failures.get((line.reference, resource.name), 0)


def _lane(resource: Resource) -> Lane:
    """A scan reads everything whether it changed or not, so it gives way."""
    return Lane.BULK if resource.scan else Lane.NORMAL


def _share(resource: Resource) -> str:
    return f"poll:{resource.name}"


async def _never(request: Request) -> None:
    raise AssertionError(f"{request.operation} writes, but a poll only reads")
