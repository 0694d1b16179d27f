"""Whose turn it is: rows of one entity one after the other, rows without a link when there is a new one, and retries
within what they may add to the load of an account."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.kit import backoff
from connectors.kit.backoff import RetryBudget
from streams.core.deadlines import Deadlines
from streams.core.desired import NEVER, Status, Task
from streams.core.outcome import UNLINKED
from streams.core.places import Place, lane_of, place_of, share_of
from streams.courier.line import Line
from streams.courier.setup import Setup
from streams.courier.table import Table
from streams.courier.wanted import links
from streams.runtime.xref import Remote

_BEHIND = 1.0  # seconds between two looks at an expired row behind an open one of its entity
_PATIENCE = 5  # attempts, at least, whose backoff a retry waits that found the budget used up


class Turns:
    """Turns of one shard. In memory: after a restart every row is scheduled and finds out anew what it waits for."""

    def __init__(self, setup: Setup, table: Table) -> None:
        self._setup = setup
        self._table = table
        self._limits = setup.settings.limits
        self._tried: dict[tuple[str, str], Remote] = {}
        self._budgets: dict[str, RetryBudget] = {}
        self._waiting: dict[tuple[str, str], set[str]] = {}  # (account, entity) -> rows
        self._deadlines: dict[str, Deadlines] = {}  # by account

    def schedule(self, line: Line, row: str, task: Task) -> None:
        """Put a row where its status says it belongs; what expires is looked at then."""
        place = place_of(task)
        if place.due != NEVER:
            line.offer(row, place.lane, place.share, place.due)
        self._note_deadline(line, row, place)

    def fill(self, line: Line, places: Sequence[tuple[str, Place]]) -> None:
        """Put a portion of many rows where they wait."""
        line.offer_all(places)
        for row, place in places:
            self._note_deadline(line, row, place)

    def _note_deadline(self, line: Line, row: str, place: Place) -> None:
        if place.expires != NEVER:
            self._deadlines.setdefault(line.reference, Deadlines()).put(row, place.expires)

    def expired(self, line: Line) -> Iterator[str]:
        """Rows that have become not worth sending and can be given up, whatever they wait for: nothing of them or of
        their entity is open. Each is named once, and has no turn any more."""
        deadlines, now = self._deadlines.get(line.reference), self._setup.waiter.now()
        for row in deadlines.passed(now) if deadlines else ():
            task = self._table.get(line.reference, row)
            if task is None or task.status not in (Status.READY, Status.PARKED) or not task.wanted.expired(now):
                continue
            if self._table.waits_for(line.reference, task):
                self._deadlines[line.reference].put(row, now + _BEHIND)
                continue
            self._waiting.get((line.reference, task.wanted.subject), set()).discard(row)
            line.withdraw(row)
            yield row

    def must_wait(self, line: Line, row: str, task: Task) -> bool:
        """Whether it is not this row's turn; it is scheduled again for when it may be."""
        now = self._setup.waiter.now()
        if self._table.waits_for(line.reference, task):
            self._waiting.setdefault((line.reference, task.wanted.subject), set()).add(row)
            return True
        if task.wanted.expired(now) and task.status is not Status.UNKNOWN:
            return False
        if task.status is not Status.PARKED:
            return self._over_budget(line, row, task, now)
        if self._tried.get((line.reference, row)) != links(self._setup.xref, task.wanted):
            return False
        line.offer(row, lane_of(task), share_of(task), now + self._limits.unlinked_recheck)
        return True

    def settled(self, line: Line, row: str, task: Task, after: Task | None) -> None:
        """A row was worked on: `after` is what remains of `task`. Who has waited longest for it is scheduled."""
        self._tried.pop((line.reference, row), None)
        if line.reference in self._deadlines:
            self._deadlines[line.reference].drop(row)
        if after is not None and after.status is Status.PARKED and after.reason == UNLINKED:
            self._tried[line.reference, row] = links(self._setup.xref, after.wanted)
        if after is not None:
            self.schedule(line, row, after)
        if self._table.is_free(line.reference, task.wanted.subject):
            self._wake(line, task.wanted.subject)

    def _wake(self, line: Line, subject: str) -> None:
        """The oldest of those that wait; it wakes the next one when it is settled."""
        waiting = self._waiting.get((line.reference, subject), set())
        tasks = {name: task for name in waiting if (task := self._table.get(line.reference, name)) is not None}
        if not tasks:
            self._waiting.pop((line.reference, subject), None)
            return
        oldest = min(tasks, key=lambda name: (tasks[name].wanted.version, name))
        waiting.remove(oldest)
        self.schedule(line, oldest, tasks[oldest])

    def _over_budget(self, line: Line, row: str, task: Task, now: float) -> bool:
        """Without a bound on retries, an account that struggles is asked several times as often as a healthy one."""
        budget = self._budgets.setdefault(line.reference, RetryBudget())
        if not task.attempts:
            budget.request(now)
            return False
        if budget.spend(now):
            return False
        limits, attempts = self._limits, max(task.attempts, _PATIENCE)
        delay = backoff.delay(attempts, self._setup.random(), limits.base, limits.cap)
        line.offer(row, lane_of(task), share_of(task), now + delay)
        return True

    def companion(self, line: Line, row: str) -> Task | None:
        """A row that may begin although it is not its turn, as it goes in another one's call: one that waits for the
        first time. One that is taken is to be withdrawn from the line's schedule."""
        task = self._table.get(line.reference, row)
        if task is None or task.status is not Status.READY or task.attempts:
            return None
        expired = task.wanted.expired(self._setup.waiter.now())
        return None if expired or self._table.waits_for(line.reference, task) else task
