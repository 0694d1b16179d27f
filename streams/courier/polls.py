"""Polls as rows: cursor, snapshot and the raw records of one page are one atom."""

from __future__ import annotations

from collections import Counter

import structlog

from connectors.kit.contract import Page, Poller, Resource
from connectors.kit.errors import SluiceError
from schemas.entities import Channel, Lane
from streams.core import courier_rows as rows
from streams.core import holes as rules
from streams.core import intervals, outcome
from streams.core.courier_rows import Cursor
from streams.core.desired import Kind
from streams.core.holes import Hole
from streams.core.intervals import Bounds, HintRate
from streams.courier.drive import Driver, read_only
from streams.courier.holes import Holes
from streams.courier.judge import Judge
from streams.courier.line import Line, Ticket
from streams.courier.outbox import Outbox, Trip
from streams.courier.reads import Reads
from streams.courier.scans import Scans
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
        self._holes = Holes(setup, shard)
        self._scans = Scans(setup, reads)
        self._hints: dict[str, HintRate] = {}
        self._changes = Counter[tuple[str, str]]()  # of the passes under way; a restart counts from nothing
        self._failures = Counter[tuple[str, str]]()
        self._running: set[tuple[str, str]] = set()
        self._silent_until: dict[str, float] = {}

    def schedule(self, line: Line) -> None:
        """Put all polls of an account where their cursors say they belong."""
        for resource in self._poller.resources(line.account):
            self._offer(line, resource, self._due(line, resource, self._cursor(line, resource)))

    def hinted(self, line: Line) -> None:
        """Somebody was told that a record of the account changed, and not how."""
        self._hints.setdefault(line.reference, HintRate()).hint(self._setup.waiter.now())

    def hole(self, line: Line, resource: str, reason: str, ends_at: float) -> bool:
        """What was pushed until then may be lost: read `resource` (EVERYTHING: all of them but for scans) at once.

        Returns whether there is such a resource. A time that is still to come counts as now. What a pass has read, or
        is about to read, is no hole any more, and of many silences in a row one is enough.
        """
        named = [one for one in self._poller.resources(line.account) if _meant(resource, one)]
        now = self._setup.waiter.now()
        if reason == rules.SILENCE:
            if now < self._silent_until.get(line.reference, 0.0):
                return bool(named)
            self._silent_until[line.reference] = now + rules.SILENCE_LIMIT
        for one in named:
            self._open(line, one, Hole(min(ends_at, now), reason))
        return bool(named)

    def _open(self, line: Line, resource: Resource, hole: Hole) -> None:
        cursor = self._cursor(line, resource)
        if cursor.scan and hole.closed_by(cursor.started_at):
            return
        self._holes.open(line, resource.name, hole)
        if (line.reference, resource.name) not in self._running:
            self._offer(line, resource, 0.0)

    async def run(self, line: Line, key: str, ticket: Ticket) -> None:
        """Read one page; everything it says is one atom with the cursor."""
        name = key.removeprefix(PREFIX)
        resource = next(one for one in self._poller.resources(line.account) if one.name == name)
        op_id = f"{line.reference}|poll|{name}"
        trip = Trip(ticket, _lane(resource), op_id, self._failures[line.reference, name] + 1, purpose="poll")
        if line.reads.in_use:
            ticket.charged()
        self._running.add((line.reference, name))
        try:
            async with line.reads.exclusive():
                decision = await self._page(line, resource, trip)
        finally:
            self._running.discard((line.reference, name))
        line.learn(_share(resource), trip.cost)
        decision = self._judge(line, trip, decision)
        self._offer(line, resource, _next(decision))

    async def _page(self, line: Line, resource: Resource, trip: Trip) -> outcome.Decision:
        cursor = self._begun(line, resource)
        flow = self._poller.page(line.account, resource.name, cursor.position, self._setup.clock.now())
        sequence = self._reads.next_sequence()
        try:
            page: Page = await self._driver.run(line, flow, trip, read_only)
        except SluiceError as error:
            return self._failure(line, resource, trip, error)
        except Exception as error:
            log.exception("a poll failed inside Sluice or a connector", account=line.reference, resource=resource.name)
            return self._failure(line, resource, trip, error)
        return self._took(line, resource, trip, sequence, cursor, page)

    def _begun(self, line: Line, resource: Resource) -> Cursor:
        """The cursor of the pass under way, or of a new one."""
        cursor = self._cursor(line, resource)
        if cursor.open:
            return cursor
        self._scans.begun(line, resource)
        self._changes.pop((line.reference, resource.name), None)
        now = self._setup.waiter.now()
        return Cursor(cursor.position, cursor.scan + 1, now, cursor.completed_at, True, cursor.interval)

    def _took(
        self, line: Line, resource: Resource, trip: Trip, sequence: int, cursor: Cursor, page: Page
    ) -> outcome.Decision:
        name = resource.name
        channel = Channel.POLL if self._holes.of(line, name) is None else Channel.BACKFILL
        emit = self._reads.emit_changed if resource.scan else self._reads.emit_news
        changed = emit(line, name, page.observations, trip, sequence, channel=channel)
        if resource.scan:
            changed += self._scans.compare(line, resource, trip, sequence, cursor, page, channel)
        self._changes[line.reference, name] += changed
        self._failures.pop((line.reference, name), None)
        self._setup.recorder.polled(line.reference, name, len(page.observations), changed)
        after = self._turned(line, resource, cursor, page)
        self._shard.rows.put(rows.key(rows.CURSOR, line.reference, name), rows.pack_cursor(after))
        return outcome.RetryAt(self._due(line, resource, after), "polled")

    def _turned(self, line: Line, resource: Resource, cursor: Cursor, page: Page) -> Cursor:
        """The cursor behind a page; at the end of a pass it says how long to wait for the next one."""
        if not page.done:
            return Cursor(page.cursor, cursor.scan, cursor.started_at, cursor.completed_at, True, cursor.interval)
        self._holes.passed(line, resource.name, cursor.started_at)
        now, changes = self._setup.waiter.now(), self._changes.pop((line.reference, resource.name), 0)
        interval = intervals.following(
            cursor.interval or resource.interval,
            _bounds(resource),
            changes=changes,
            hints=self._hints.get(line.reference, HintRate()).per_second(now),
            quota_left=_left(line),
        )
        return Cursor(page.cursor, cursor.scan, cursor.started_at, now, False, interval)

    def _due(self, line: Line, resource: Resource, cursor: Cursor) -> float:
        if cursor.open or not cursor.scan:
            return 0.0
        interval = _bounds(resource).clamp(cursor.interval or resource.interval)
        return rules.due(cursor.started_at, interval, self._holes.of(line, resource.name))

    def _failure(self, line: Line, resource: Resource, trip: Trip, error: Exception) -> outcome.Decision:
        """A page that cannot be read is tried again: there is no record to give up, only a place to go on from."""
        key = (line.reference, resource.name)
        self._failures[key] += 1
        now = self._setup.waiter.now()
        attempt = outcome.Attempt(Kind.FETCH, now, self._failures[key], self._setup.random())
        decision = outcome.decide(error, attempt, self._setup.settings.limits)
        if isinstance(decision, outcome.RetryAt | outcome.Pause):
            return decision
        log.error(
            "a page is refused", account=line.reference, resource=resource.name, attempts=trip.attempt, error=str(error)
        )
        return outcome.RetryAt(now + resource.interval, error.reason if isinstance(error, SluiceError) else "error")

    def _offer(self, line: Line, resource: Resource, due: float) -> None:
        movable = not resource.scan  # what a copy that is late does not show yet would count as deleted
        line.offer(PREFIX + resource.name, _lane(resource), _share(resource), due, movable=movable)

    def _cursor(self, line: Line, resource: Resource) -> Cursor:
        data = self._shard.rows.get(rows.key(rows.CURSOR, line.reference, resource.name))
        return Cursor() if data is None else rows.unpack_cursor(data)


def _next(decision: outcome.Decision) -> float:
    """When to read again. What was refused waits, also when other work has shown meanwhile that the account answers."""
    match decision:
        case outcome.RetryAt(at=at):
            return at
        case outcome.Pause(until=until):
            return until
        case _:
            return 0.0


def _lane(resource: Resource) -> Lane:
    """A scan reads everything whether it changed or not, so it gives way."""
    return Lane.BULK if resource.scan else Lane.NORMAL


def _share(resource: Resource) -> str:
    return f"poll:{resource.name}"


def _bounds(resource: Resource) -> Bounds:
    return Bounds(resource.interval, max(resource.interval, resource.longest))


def _meant(name: str, resource: Resource) -> bool:
    """Whether a hole of that name is one of the resource. A scan is asked for by name only: it costs a whole shop."""
    return not resource.scan if name == rules.EVERYTHING else name == resource.name


def _left(line: Line) -> float:
    """Share of the bucket that nobody has used; all of it where the API does not say."""
    bucket = line.pacer.snapshot()
    level, limit = bucket.get("level", -1.0), bucket.get("limit", 0.0)
    return max(0.0, level) / limit if level >= 0 and limit > 0 else 1.0
