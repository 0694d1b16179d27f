"""The desired-state table over a shard's rows, with the ledger kept in the same transaction."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, takewhile

from streams.core import courier_rows as rows
from streams.core import desired, intents
from streams.core.desired import Applied, Effect, Kind, Status, Task, Verdict, Wanted
from streams.core.entityturns import EntityTurns
from streams.core.ledger import Book, LedgerBuffer, day_of
from streams.core.places import Place, place_of
from streams.courier.setup import reference
from streams.shard.api import Rows

CRASHED = "crashed"
_PORTION = 1_000  # rows: some 7 ms


class Table:
    """Rows of all accounts of one shard. Every method is part of the caller's atom; `flush` ends it.

    A row in flight lives in memory: what a crash leaves is the row before, and its intent when a write had begun.
    Rows of one entity take turns: while one is in flight, in doubt or waits for a person's word on its doubt, no other
    begins, so an entity never has two open intents. Its commands go in the order of their versions.
    """

    def __init__(self, store: Rows) -> None:
        self._rows = store
        self._ledger = LedgerBuffer()
        self._running: dict[tuple[str, str], Task] = {}
        self._turns = EntityTurns()

    # -- reading

    def get(self, account: str, row: str) -> Task | None:
        """The row as it stands, in flight or not."""
        running = self._running.get((account, row))
        if running is not None:
            return running
        data = self._rows.get(rows.key(rows.TASK, account, row))
        return None if data is None else rows.unpack_task(data)

    def applied(self, account: str, row: str) -> Applied | None:
        """What the account is known to hold of it."""
        data = self._rows.get(rows.key(rows.APPLIED, account, row))
        return None if data is None else rows.unpack_applied(data)

    def intent(self, account: str, row: str) -> rows.Intent | None:
        """The request that may be on its way."""
        data = self._rows.get(rows.key(rows.INTENT, account, row))
        return None if data is None else rows.unpack_intent(data)

    def waits_for(self, account: str, task: Task) -> str:
        """The row of the same entity that has to be settled first; empty when there is none."""
        wanted = task.wanted
        return self._turns.before((account, wanted.subject), wanted.row, command=wanted.kind is Kind.COMMAND)

    def is_free(self, account: str, subject: str) -> bool:
        """Whether no row of the entity is open."""
        return self._turns.is_free((account, subject))

    # -- work comes in

    def upsert(self, wanted: Wanted) -> Task | None:
        """Add one task. Returns the row when it waits and was changed, so that it has to be scheduled."""
        account, row = reference(wanted.tenant, wanted.account), wanted.row
        before = self.get(account, row)
        known = None if wanted.kind is Kind.FETCH else self.applied(account, row)
        after, effect = desired.upsert(before, known, wanted)
        self._count(wanted, "received")
        if effect is Effect.NO_OP:
            self._count(wanted, "no_op")
        elif effect is Effect.COALESCED and before is not None:
            held = before.later or before.wanted
            self._count(wanted if wanted.version <= held.version else held, "coalesced")
        if after is None or after == before:
            return None
        self._unpark(before, after)
        self._save(account, row, after)
        return after if after.status is not Status.INFLIGHT else None

    # -- work is done

    def begin(self, account: str, row: str) -> Task | None:
        """Take a row in flight; None when it is gone, or another row of its entity has to be settled first."""
        before = self.get(account, row)
        if before is None or before.status in (Status.DEAD, Status.INFLIGHT) or self.waits_for(account, before):
            return None
        after = desired.begin(before)
        self._merged(before, after)
        if before.status is not Status.READY or before.later is not None:
            self._unpark(before, after)
            self._put(account, row, after)
        self._running[account, row] = after
        self._hold(account, after)
        return after

    def intend(self, account: str, row: str, intent: rows.Intent) -> None:
        """Write down that a request is about to leave."""
        self._rows.put(rows.key(rows.INTENT, account, row), rows.pack_intent(intent))

    def done(self, account: str, row: str, *, no_op: bool, at: int) -> Task | None:
        """The version in flight is confirmed. Returns what remains of the row."""
        task = self._running.pop((account, row))
        if task.wanted.kind is not Kind.FETCH:
            self._confirm(account, row, task, at)
        self._count(task.wanted, "no_op" if no_op else "applied")
        return self._end(account, row, task, desired.succeed(task))

    def filtered(self, account: str, row: str) -> Task | None:
        """Nothing is to be done for the version in flight. Returns what remains of the row."""
        task = self._running.pop((account, row))
        self._count(task.wanted, "filtered")
        return self._end(account, row, task, desired.succeed(task))

    def dead(self, account: str, row: str, reason: str) -> Task:
        """The version in flight can never succeed. Returns what remains of the row."""
        task = self._running.pop((account, row))
        self._count(task.wanted, "dead")
        after = desired.kill(task, reason)
        self._end(account, row, task, after if task.wanted.kind is not Kind.FETCH or task.later else None)
        return after

    def retry(self, account: str, row: str, at: float, reason: str) -> Task:
        """Back to waiting, not before `at`."""
        task = self._running.pop((account, row))
        return self._back(account, row, task, desired.retry(task, at, reason))

    def release(self, account: str, row: str, at: float) -> Task:
        """Back to waiting as if it had never been tried, not before `at`."""
        task = self._running.pop((account, row))
        return self._back(account, row, task, replace(desired.retry(task, at, ""), attempts=task.attempts - 1))

    def park(self, account: str, row: str, reason: str, recheck_at: float, *, in_doubt: bool = False) -> Task:
        """Wait for something outside; `in_doubt`: for a person, who finds out what became of the open intent."""
        task = self._running.pop((account, row))
        after = desired.park(task, reason, recheck_at=recheck_at)
        self._count(after.wanted, "parked")
        if not in_doubt:
            return self._back(account, row, task, after)
        self._merged(task, after)
        self._put(account, row, after)
        return after

    def doubt(self, account: str, row: str, until: float, reason: str) -> Task:
        """The request may still land until then; its intent stays."""
        task = desired.doubt(self._running.pop((account, row)), until, reason)
        self._put(account, row, task)
        return task

    def judge(self, account: str, row: str, verdict: Verdict, *, at: int) -> Task | None:
        """A person's verdict on a row that is parked. Returns what remains of it. `at`: microseconds UTC."""
        task = rows.unpack_task(self._rows.get(rows.key(rows.TASK, account, row)) or b"")
        after = desired.judge(task, verdict)
        self._count(task.wanted, "parked", -1)
        if verdict is Verdict.RETRY and after is not None:
            return self._back(account, row, task, after)
        if verdict is Verdict.DONE:
            self._confirm(account, row, task, at)
        self._count(task.wanted, "applied" if verdict is Verdict.DONE else "dead")
        return self._end(account, row, task, after)

    def hand_over(self, account: str, row: str, task: Task, to: str) -> None:
        """A command that waits becomes the work of the account `to`, which is about to receive it."""
        self._count(task.wanted, "rerouted")
        self._ledger.count(Book.TASKS, to, day_of(task.wanted.wanted_at), routed=1)
        self._turns.drop((account, task.wanted.subject), row)
        self._rows.delete(rows.key(rows.TASK, account, row))

    def flush(self) -> None:
        """Write the counters; the last step of every atom."""
        self._ledger.flush(self._rows)

    # -- after a restart

    def forget(self, account: str) -> None:
        """All rows of the account are about to be read anew."""
        self._running = {key: task for key, task in self._running.items() if key[0] != account}
        self._turns.forget(account)

    def recover(
        self, account: str, quarantine: float, after: str = "", most: int = _PORTION
    ) -> list[tuple[str, Place]]:
        """Where the next rows of an account behind the row `after` wait, `most` of them; fewer when there are no more.
        An open intent may still land until it is `quarantine` s old."""
        prefix = rows.key(rows.TASK, account)
        start = prefix + after.encode() + b"\x00" if after else b""
        found = islice(self._rows.scan(prefix, start), most)
        stored = [(key[len(prefix) :].decode(), data) for key, data in found]
        tried = self._tried(account, stored[0][0], stored[-1][0]) if stored else frozenset()
        return [(row, self._place(account, row, data, row in tried, quarantine)) for row, data in stored]

    def _place(self, account: str, row: str, data: bytes, tried: bool, quarantine: float) -> Place:
        """Nearly all rows only wait, and are not decoded until it is their turn."""
        place = None if tried else rows.unpack_place(data)
        if place is not None:
            return place
        return place_of(self._brought_back(account, row, rows.unpack_task(data), tried, quarantine))

    def _tried(self, account: str, first: str, last: str) -> frozenset[str]:
        """Rows from first to last that have an intent: few, and asking the store for each row's own is dear."""
        scanned = self._rows.scan(rows.key(rows.INTENT, account), rows.key(rows.INTENT, account, first))
        known = (rows.rest_of(key)[0] for key, _ in scanned)
        return frozenset(takewhile(lambda row: row.encode() <= last.encode(), known))

    def _brought_back(self, account: str, row: str, task: Task, tried: bool, quarantine: float) -> Task:
        intent = self.intent(account, row) if tried else None
        found = self._recovered(account, row, task, intent, quarantine)
        self._note_command(account, found)
        return found

    def _recovered(self, account: str, row: str, task: Task, intent: rows.Intent | None, quarantine: float) -> Task:
        if intent is not None and intent.open:
            self._hold(account, task)
            if task.status in (Status.PARKED, Status.DEAD):
                return task
            after = desired.doubt(task, intent.sent_at + quarantine, task.reason or CRASHED)
        elif task.status is Status.INFLIGHT:
            after = desired.retry(task, 0.0, CRASHED)
            self._merged(task, after)
        else:
            return task
        self._put(account, row, after)
        return after

    # -- rows and counters

    def _back(self, account: str, row: str, before: Task, after: Task) -> Task:
        """To waiting; a command keeps its intent for what it froze."""
        self._merged(before, after)
        intent = self.intent(account, row)
        self._end(account, row, before, after)
        if intent is not None and after.wanted.kind is Kind.COMMAND:
            self.intend(account, row, intents.close(intent))
        return after

    def _end(self, account: str, row: str, before: Task, after: Task | None) -> Task | None:
        entity = (account, before.wanted.subject)
        self._turns.release(entity)
        if after is None or after.status is Status.DEAD:
            self._turns.drop(entity, row)
        self._rows.delete(rows.key(rows.INTENT, account, row))
        if after is None:
            self._rows.delete(rows.key(rows.TASK, account, row))
        else:
            self._put(account, row, after)
        return after

    def _hold(self, account: str, task: Task) -> None:
        if task.wanted.kind is not Kind.FETCH:
            self._turns.hold((account, task.wanted.subject), task.wanted.row)

    def _note_command(self, account: str, task: Task) -> None:
        wanted = task.wanted
        if wanted.kind is Kind.COMMAND and task.status is not Status.DEAD:
            self._turns.add((account, wanted.subject), wanted.row, wanted.version)

    def _confirm(self, account: str, row: str, task: Task, at: int) -> None:
        confirmed = desired.confirm(self.applied(account, row), task.wanted, at=at)
        self._rows.put(rows.key(rows.APPLIED, account, row), rows.pack_applied(confirmed))

    def _save(self, account: str, row: str, task: Task) -> None:
        if (account, row) in self._running:
            self._running[account, row] = task
        self._note_command(account, task)
        self._put(account, row, task)

    def _put(self, account: str, row: str, task: Task) -> None:
        self._rows.put(rows.key(rows.TASK, account, row), rows.pack_task(task))

    def _merged(self, before: Task, after: Task) -> None:
        if before.later is not None and after.later is None:
            self._count(min(before.wanted, before.later, key=lambda one: one.version), "coalesced")

    def _unpark(self, before: Task | None, after: Task) -> None:
        if before is not None and before.status is Status.PARKED and after.status is not Status.PARKED:
            self._count(before.wanted, "parked", -1)

    def _count(self, wanted: Wanted, name: str, by: int = 1) -> None:
        if wanted.kind is not Kind.FETCH:
            account = reference(wanted.tenant, wanted.account)
            self._ledger.count(Book.TASKS, account, day_of(wanted.wanted_at), **{name: by})
