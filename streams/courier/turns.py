"""Whose turn it is: rows of one entity one after the other, rows without a link when there is a new one, and retries
within what they may add to the load of an account."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice

from connectors.kit import backoff
from connectors.kit.backoff import RetryBudget
from connectors.kit.operations import Batching
from streams.core.desired import NEVER, Kind, Status, Task
from streams.core.lanes import share
from streams.core.outcome import UNLINKED
from streams.courier.line import Line
from streams.courier.setup import Setup
from streams.courier.table import Table, lane_of
from streams.courier.wanted import links
from streams.runtime.xref import Remote

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
        self._batching = isinstance(setup.destination, Batching)
        self._fresh: dict[tuple[str, str], dict[str, float]] = {}  # (account, share) -> due by row, never tried yet

    def schedule(self, line: Line, row: str, task: Task) -> None:
        """Put a row where its status says it belongs; what expires is looked at then."""
        if task.status is Status.DEAD or task.not_before == NEVER:
            return
        expires_at = task.wanted.expires_at / 1e6 or NEVER
        due = task.not_before if task.status is Status.UNKNOWN else min(task.not_before, expires_at)
        self._offer(line, row, task, due)

    def must_wait(self, line: Line, row: str, task: Task) -> bool:
        """Whether it is not this row's turn; it is scheduled again for when it may be."""
        now = self._setup.waiter.now()
        self._fresh.get((line.reference, share_of(task)), {}).pop(row, None)
        if self._table.waits_for(line.reference, task):
            self._waiting.setdefault((line.reference, task.wanted.subject), set()).add(row)
            return True
        if task.wanted.expired(now) and task.status is not Status.UNKNOWN:
            return False
        if task.status is not Status.PARKED:
            return self._over_budget(line, row, task, now)
        if self._tried.get((line.reference, row)) != links(self._setup.xref, task.wanted):
            return False
        self._offer(line, row, task, now + self._limits.unlinked_recheck)
        return True

    def settled(self, line: Line, row: str, task: Task, after: Task | None) -> None:
        """A row was worked on: `after` is what remains of `task`. Who has waited longest for it is scheduled."""
        self._tried.pop((line.reference, row), None)
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
        self._offer(line, row, task, now + backoff.delay(attempts, self._setup.random(), limits.base, limits.cap))
        return True

    def companions(self, line: Line, task: Task, most: int) -> Iterator[tuple[str, Task]]:
        """Rows like this one that could begin as well: of the same flow, waiting for the first time. At most so many
        are looked at. One that is taken is to be withdrawn from the line's schedule."""
        known, now = self._fresh.get((line.reference, share_of(task)), {}), self._setup.waiter.now()
        for row, due in list(islice(known.items(), most)):
            other = self._table.get(line.reference, row)
            if other is None or row not in line.schedule or other.status is not Status.READY or other.attempts:
                del known[row]
            elif due <= now and not (other.wanted.expired(now) or self._table.waits_for(line.reference, other)):
                yield row, other

    def _offer(self, line: Line, row: str, task: Task, due: float) -> None:
        line.offer(row, lane_of(task), share_of(task), due, movable=task.wanted.kind is Kind.FETCH)
        if self._batching and task.wanted.kind is Kind.SET and not task.attempts:
            self._fresh.setdefault((line.reference, share_of(task)), {})[row] = due


def share_of(task: Task) -> str:
    """Whom a row is fair against within its lane: other flows, and other reasons to read."""
    return sys.intern(share(task.wanted.kind, task.wanted.cause))  # one string, not one per row
