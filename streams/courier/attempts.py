"""One attempt at one row: writes, commands and single reads. Intent before the call, everything else in one atom."""

from __future__ import annotations

from hashlib import blake2b
from typing import Protocol, runtime_checkable

import structlog

from connectors.kit.contract import Account, Flow, Observation, Request, Write, Written
from connectors.kit.errors import Skip, SluiceError
from schemas import identity
from schemas.entities import Channel
from streams.core import courier_rows as rows
from streams.core import outcome
from streams.core.desired import NEVER, Kind, Status, Task
from streams.courier.drive import Driver
from streams.courier.judge import Judge
from streams.courier.line import Line, Ticket
from streams.courier.outbox import Outbox, Trip
from streams.courier.reads import Reads
from streams.courier.setup import Setup
from streams.courier.table import Table, lane_of
from streams.courier.wanted import as_write, links
from streams.runtime.xref import Remote
from streams.shard.api import Shard

log = structlog.get_logger(__name__)


@runtime_checkable
class Verifier(Protocol):
    """A destination that can tell whether a command was carried out."""

    def verify(self, account: Account, write: Write) -> Flow:
        """Read only. Returns Written when `write.op_id` was carried out, None when it was not."""
        ...


class Attempts:
    """Attempts of one shard. `run` returns when the row is settled; the caller commits."""

    def __init__(self, setup: Setup, shard: Shard, table: Table, outbox: Outbox, reads: Reads, judge: Judge) -> None:
        self._setup = setup
        self._shard = shard
        self._table = table
        self._outbox = outbox
        self._reads = reads
        self._judge = judge
        self._driver = Driver(setup, outbox)
        self._limits = setup.settings.limits
        self._tried: dict[tuple[str, str], Remote] = {}

    def schedule(self, line: Line, row: str, task: Task) -> None:
        """Put a row where its status says it belongs."""
        if task.status is not Status.DEAD and task.not_before != NEVER:
            line.offer(row, lane_of(task), share_of(task), task.not_before)

    async def run(self, line: Line, row: str, ticket: Ticket) -> None:
        """Take the row and work on it until it is settled."""
        waiting = self._table.get(line.reference, row)
        if waiting is None:
            return
        if waiting.status is Status.PARKED and self._tried.get((line.reference, row)) == self._link(waiting):
            line.offer(row, lane_of(waiting), share_of(waiting), self._now() + self._limits.unlinked_recheck)
            return
        task = self._table.begin(line.reference, row)
        self._table.flush()
        if task is None:
            return
        kind = task.wanted.kind.value
        trip = Trip(ticket, lane_of(task), task.wanted.op_id, task.attempts, _version(task), purpose=kind)
        in_doubt = waiting.status is Status.UNKNOWN and task.wanted.kind is Kind.COMMAND
        decision = await self._attempt(line, row, task, trip, verify=in_doubt)
        line.learn(share_of(task), trip.cost)
        self._judge(line, trip, decision)
        self._settle(line, row, task, trip, outcome.still_in_doubt(decision) if in_doubt else decision)
        self._table.flush()

    async def _attempt(self, line: Line, row: str, task: Task, trip: Trip, *, verify: bool) -> outcome.Decision:
        try:
            if task.wanted.kind is Kind.FETCH:
                return await self._fetch(line, task, trip)
            write = as_write(self._setup.codec, task.wanted, self._link(task))
            if not self._setup.destination.supports(write.type, write.op):
                what = f"{write.op.name.lower()} of {write.type}"
                raise Skip(f"{self._setup.platform.name} has no {what}", reason="unsupported")
            return await (self._verify if verify else self._write)(line, row, task, trip, write)
        except SluiceError as error:
            return self._decide(task, trip, error)
        except Exception as error:
            log.exception("an attempt failed inside Sluice or a connector", account=line.reference, row=row)
            return self._decide(task, trip, error)

    def _link(self, task: Task) -> Remote:
        return links(self._setup.xref, task.wanted)

    async def _write(self, line: Line, row: str, task: Task, trip: Trip, write: Write) -> outcome.Decision:
        async def intend(request: Request) -> None:
            await self._intend(line, row, task, request)

        flow = self._setup.destination.write(line.account, write)
        written: Written = await self._driver.run(line, flow, trip, intend)
        return outcome.Done(written)

    async def _intend(self, line: Line, row: str, task: Task, request: Request) -> None:
        """Commit the intent; commit it again when so much time passed that the request would leave too late."""
        digest = blake2b(request.body, digest_size=16).digest()
        while True:
            sent_at = self._now()
            intent = rows.Intent(row, task.wanted.op_id, task.wanted.version, digest, self._reads.epoch, sent_at)
            self._table.intend(line.reference, row, intent)
            await self._shard.commit()
            if self._now() - sent_at <= self._setup.settings.intent_age:
                return

    async def _verify(self, line: Line, row: str, task: Task, trip: Trip, write: Write) -> outcome.Decision:
        """A command in doubt is never repeated on suspicion: it is looked up, or a person decides."""
        destination = self._setup.destination
        if not isinstance(destination, Verifier):
            return outcome.Park(outcome.UNKNOWN_OUTCOME)
        trip.purpose = "verify"
        found: Written | None = await self._driver.run(line, destination.verify(line.account, write), trip, _read_only)
        return outcome.RetryAt(self._now(), outcome.NOT_CARRIED_OUT) if found is None else outcome.Done(found)

    async def _fetch(self, line: Line, task: Task, trip: Trip) -> outcome.Decision:
        resource, remote_id = identity.split(task.wanted.subject)
        if line.reads.closed:
            trip.ticket.charged()
        async with line.reads.shared():
            sequence = self._reads.next_sequence()
            flow = self._setup.destination.fetch(line.account, resource, remote_id)
            seen: list[Observation] = await self._driver.run(line, flow, trip, _read_only)
        self._reads.emit(line, Channel.FETCH, seen, trip, sequence)
        return outcome.Done(Written())

    # -- what becomes of it

    def _decide(self, task: Task, trip: Trip, error: Exception) -> outcome.Decision:
        kind, jitter = task.wanted.kind, self._setup.random()
        attempt = outcome.Attempt(kind, self._now(), task.attempts, jitter, trip.wrote)
        return outcome.decide(error, attempt, self._limits)

    def _settle(self, line: Line, row: str, task: Task, trip: Trip, decision: outcome.Decision) -> None:
        account, table = line.reference, self._table
        match decision:
            case outcome.Done(written):
                self._reads.emit_written(line, written, trip)
                after = table.done(account, row, no_op=written.no_op, at=self._setup.clock.now())
            case outcome.Filtered():
                after = table.filtered(account, row)
            case outcome.RetryAt(at=at, reason=reason):
                after = table.retry(account, row, at, reason)
            case outcome.Park(reason, recheck_at):
                after = table.park(account, row, reason, NEVER if recheck_at is None else recheck_at)
            case outcome.Dead(reason, detail):
                after = self._bury(line, row, task, reason, detail)
            case outcome.Verify(until, reason):
                after = table.doubt(account, row, until, reason)
            case outcome.Pause():
                after = table.release(account, row)
        self._remember_link(line, row, after)
        if after is not None:
            self.schedule(line, row, after)
        self._report(line, task, decision)

    def _remember_link(self, line: Line, row: str, after: Task | None) -> None:
        """So that a row without a link is tried again only when there is something new to try it with."""
        self._tried.pop((line.reference, row), None)
        if after is not None and after.status is Status.PARKED and after.reason == outcome.UNLINKED:
            self._tried[line.reference, row] = self._link(after)

    def _bury(self, line: Line, row: str, task: Task, reason: str, detail: str) -> Task:
        key = identity.join(task.wanted.tenant, task.wanted.account, task.wanted.subject).encode()
        self._outbox.dead(task, reason, detail, task.wanted.value, key, self._setup.clock.now())
        return self._table.dead(line.reference, row, reason)

    def _report(self, line: Line, task: Task, decision: outcome.Decision) -> None:
        delay = (self._setup.clock.now() - task.wanted.wanted_at) / 1e6
        self._setup.recorder.settled(line.reference, lane_of(task).value, _named(decision), delay)

    def _now(self) -> float:
        return self._setup.waiter.now()


def share_of(task: Task) -> str:
    """Whom a row is fair against within its lane: other flows, and other reasons to read."""
    return f"{task.wanted.kind}:{task.wanted.cause}"


def _version(task: Task) -> int | None:
    return None if task.wanted.kind is Kind.FETCH else task.wanted.version


def _named(decision: outcome.Decision) -> str:
    if isinstance(decision, outcome.Done):
        return "no_op" if decision.written.no_op else "applied"
    names: dict[type[object], str] = {
        outcome.RetryAt: "retry",
        outcome.Park: "parked",
        outcome.Dead: "dead",
        outcome.Filtered: "filtered",
        outcome.Verify: "unknown",
        outcome.Pause: "paused",
    }
    return names[type(decision)]


async def _read_only(request: Request) -> None:
    raise AssertionError(f"{request.operation} writes, but a read was expected: declare it in the flow's contract")
