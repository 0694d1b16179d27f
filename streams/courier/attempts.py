"""One attempt at one row: writes, commands and single reads. Intent before the call, everything else in one atom."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import structlog

from connectors.kit import operations
from connectors.kit.contract import Observation, Request, Write, Written
from connectors.kit.errors import Skip, SluiceError
from connectors.kit.operations import Batching, InDoubt, Verifier
from schemas import identity
from schemas.entities import Channel
from streams.core import intents, outcome
from streams.core.desired import NEVER, Kind, Status, Task, Wanted
from streams.core.places import lane_of, share_of
from streams.courier.batches import Batches, Piece
from streams.courier.drive import BeforeWrite, Driver, read_only
from streams.courier.judge import Judge
from streams.courier.line import Line, Ticket
from streams.courier.outbox import Outbox, Trip
from streams.courier.reads import Reads
from streams.courier.rerouting import Rerouting
from streams.courier.setup import Setup
from streams.courier.table import Table
from streams.courier.turns import Turns
from streams.courier.wanted import as_write, links
from streams.shard.api import Shard

log = structlog.get_logger(__name__)


class Attempts:
    """Attempts of one shard. `run` returns when the row is settled; the caller commits."""

    def __init__(
        self, setup: Setup, shard: Shard, table: Table, outbox: Outbox, reads: Reads, judge: Judge, turns: Turns,
        rerouting: Rerouting,
    ) -> None:  # fmt: skip
        self._setup = setup
        self._shard = shard
        self._table = table
        self._outbox = outbox
        self._reads = reads
        self._judge = judge
        self._driver = Driver(setup, outbox)
        self._limits = setup.settings.limits
        self._turns = turns
        self._rerouting = rerouting
        self._batches = Batches(setup, table, turns)

    async def run(self, line: Line, row: str, ticket: Ticket) -> None:
        """Take the row and work on it until it is settled."""
        waiting = self._table.get(line.reference, row)
        if waiting is None or self._turns.must_wait(line, row, waiting):
            return
        if self._rerouting.follows(line, row, waiting):
            self._table.flush()
            return
        task = self._table.begin(line.reference, row)
        self._table.flush()
        if task is None:
            return
        kind = task.wanted.kind.value
        trip = Trip(ticket, lane_of(task), task.wanted.op_id, task.attempts, _version(task), purpose=kind)
        in_doubt = waiting.status is Status.UNKNOWN and task.wanted.kind is not Kind.FETCH
        pieces = [Piece(row, task)]
        decisions = await self._attempt(line, pieces, trip, in_doubt=in_doubt)
        line.learn(share_of(task), trip.cost)
        decisions = [self._judge(line, trip, decisions[0]), *decisions[1:]]
        for piece, decision in zip(pieces, decisions, strict=True):
            doubted = in_doubt and piece.task.wanted.kind is Kind.COMMAND
            self._settle(line, piece, trip, outcome.still_in_doubt(decision) if doubted else decision)
        self._table.flush()

    def expire(self, line: Line) -> None:
        """Give up what has expired while it waited, for a breaker that is open or anything else. Part of the
        caller's atom."""
        for row in self._turns.expired(line):
            task = self._table.begin(line.reference, row)
            if task is None:
                continue
            decision = outcome.Dead(outcome.EXPIRED, _too_late(task.wanted, in_doubt=False))
            after = self._bury(line, row, task, decision.reason, decision.detail)
            self._turns.settled(line, row, task, after)
            self._report(line, task, decision)

    async def _attempt(
        self, line: Line, pieces: list[Piece], trip: Trip, *, in_doubt: bool
    ) -> Sequence[outcome.Decision]:
        """One decision per piece; `pieces` begins with one, and those that go in the same call are added to it."""
        try:
            if pieces[0].task.wanted.kind is Kind.FETCH:
                return [await self._fetch(line, pieces[0].task, trip)]
            return await self._push(line, pieces, trip, in_doubt=in_doubt)
        except SluiceError as error:
            return [self._decide(piece.task, trip, error) for piece in pieces]
        except Exception as error:
            names = [piece.row for piece in pieces]
            log.exception("an attempt failed inside Sluice or a connector", account=line.reference, rows=names)
            return [self._decide(piece.task, trip, error) for piece in pieces]

    async def _push(self, line: Line, pieces: list[Piece], trip: Trip, *, in_doubt: bool) -> Sequence[outcome.Decision]:
        destination, wanted = self._setup.destination, pieces[0].task.wanted
        expired = wanted.expired(self._now())
        if expired and not (in_doubt and wanted.kind is Kind.COMMAND):
            return [outcome.Dead(outcome.EXPIRED, _too_late(wanted, in_doubt=in_doubt))]
        write = as_write(self._setup.codec, wanted, links(self._setup.xref, wanted))
        if not destination.supports(write.type, write.op):
            what = f"{write.op.name.lower()} of {write.type}"
            raise Skip(f"{self._setup.platform.name} has no {what}", reason="unsupported")
        intent = self._table.intent(line.reference, pieces[0].row)
        operation = operations.of(destination, write.type, write.op, command=wanted.kind is Kind.COMMAND)
        same = intent is not None and intent.op_id == wanted.op_id  # a newer set stands for the one in doubt
        if in_doubt and (same or wanted.kind is Kind.COMMAND):
            match intents.resolution(operation, intent, now=self._now(), expired=expired):
                case InDoubt.VERIFY if isinstance(destination, Verifier):
                    return [await self._verify(line, trip, write, destination)]
                case InDoubt.PERSON | InDoubt.VERIFY:
                    return [outcome.Park(outcome.UNKNOWN_OUTCOME)]
        if not in_doubt and isinstance(destination, Batching):
            joined = self._batches.join(line, pieces, write, destination)
            if joined:
                return await self._write_all(line, pieces, trip, [write, *joined], destination)
        return [await self._write(line, pieces, trip, write)]

    async def _write(self, line: Line, pieces: Sequence[Piece], trip: Trip, write: Write) -> outcome.Decision:
        (piece,) = pieces
        intent = self._table.intent(line.reference, piece.row)
        frozen = intent.frozen if intent is not None and intent.op_id == piece.task.wanted.op_id else ()
        flow = intents.as_first_sent(self._setup.destination.write(line.account, write), frozen)
        written: Written = await self._driver.run(line, flow, trip, self._intending(line, pieces))
        return outcome.Done(written)

    async def _write_all(
        self, line: Line, pieces: Sequence[Piece], trip: Trip, writes: Sequence[Write], destination: Batching
    ) -> Sequence[outcome.Decision]:
        """Several sets in one call, each with an intent, an outcome and a place in the ledger of its own."""
        flow = destination.write_all(line.account, writes)
        results: Sequence[Written | SluiceError] = await self._driver.run(
            line, flow, trip, self._intending(line, pieces)
        )
        return [
            self._decide(piece.task, trip, result) if isinstance(result, SluiceError) else outcome.Done(result)
            for piece, result in zip(pieces, results, strict=True)
        ]

    def _intending(self, line: Line, pieces: Sequence[Piece]) -> BeforeWrite:
        numbers = count()

        async def intend(request: Request) -> None:
            await self._intend(line, pieces, request, next(numbers))

        return intend

    async def _intend(self, line: Line, pieces: Sequence[Piece], request: Request, nth: int) -> None:
        """Commit the intents; commit them again when so much time passed that the request would leave too late."""
        while True:
            sent_at = self._now()
            for row, task in pieces:
                known = self._table.intent(line.reference, row)
                intent = intents.intend(known, task.wanted, request, nth, epoch=self._reads.epoch, now=sent_at)
                self._table.intend(line.reference, row, intent)
                self._rerouting.stays(line, task.wanted)
            await self._shard.commit()
            if self._now() - sent_at <= self._setup.settings.intent_age:
                return

    async def _verify(self, line: Line, trip: Trip, write: Write, destination: Verifier) -> outcome.Decision:
        """What is in doubt is looked up."""
        trip.purpose = "verify"
        found: Written | None = await self._driver.run(line, destination.verify(line.account, write), trip, read_only)
        return outcome.RetryAt(self._now(), outcome.NOT_CARRIED_OUT) if found is None else outcome.Done(found)

    async def _fetch(self, line: Line, task: Task, trip: Trip) -> outcome.Decision:
        resource, remote_id = identity.split(task.wanted.subject)
        if line.reads.closed:
            trip.ticket.charged()
        async with line.reads.shared():
            sequence = self._reads.next_sequence()
            flow = self._setup.destination.fetch(line.account, resource, remote_id)
            seen: list[Observation] = await self._driver.run(line, flow, trip, read_only)
        self._reads.emit(line, Channel.FETCH, seen, trip, sequence)
        return outcome.Done(Written())

    # -- what becomes of it

    def _decide(self, task: Task, trip: Trip, error: Exception) -> outcome.Decision:
        kind, jitter = task.wanted.kind, self._setup.random()
        attempt = outcome.Attempt(kind, self._now(), task.attempts, jitter, trip.wrote, trip.carried)
        return outcome.decide(error, attempt, self._limits)

    def _settle(self, line: Line, piece: Piece, trip: Trip, decision: outcome.Decision) -> None:
        account, table, (row, task) = line.reference, self._table, piece
        match decision:
            case outcome.Done(written):
                self._reads.emit_written(line, written, trip)
                after = table.done(account, row, no_op=written.no_op, at=self._setup.clock.now())
            case outcome.Filtered():
                after = table.filtered(account, row)
            case outcome.RetryAt(at=at, reason=reason):
                after = table.retry(account, row, at, reason)
            case outcome.Park(reason, recheck_at):
                until = NEVER if recheck_at is None else recheck_at
                after = table.park(account, row, reason, until, in_doubt=reason == outcome.UNKNOWN_OUTCOME)
            case outcome.Dead(reason, detail):
                after = self._bury(line, row, task, reason, detail)
            case outcome.Verify(until, reason):
                after = table.doubt(account, row, until, reason)
            case outcome.Pause(until=until):
                after = table.release(account, row, until)
        self._turns.settled(line, row, task, after)
        self._report(line, task, decision)

    def _bury(self, line: Line, row: str, task: Task, reason: str, detail: str) -> Task:
        key = identity.join(task.wanted.tenant, task.wanted.account, task.wanted.subject).encode()
        self._outbox.dead(task, reason, detail, task.wanted.value, key, self._setup.clock.now())
        return self._table.dead(line.reference, row, reason)

    def _report(self, line: Line, task: Task, decision: outcome.Decision) -> None:
        delay = (self._setup.clock.now() - task.wanted.wanted_at) / 1e6
        self._setup.recorder.settled(line.reference, lane_of(task).value, _named(decision), delay)

    def _now(self) -> float:
        return self._setup.waiter.now()


def _version(task: Task) -> int | None:
    return None if task.wanted.kind is Kind.FETCH else task.wanted.version


def _too_late(wanted: Wanted, *, in_doubt: bool) -> str:
    doubt = "; an earlier attempt may have been carried out" if in_doubt else ""
    return f"it was not worth sending any more from {wanted.expires_at} us UTC on{doubt}"


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
