"""Commands that go to another account because their own is away: handed over in one atom, once and for good.

The hand-over is a push task for the other account, written in the transaction that takes the row away here: from then
on the command is that courier's, with an intent, retries, verification and restarts of its own. What comes here again
for the same entity follows it. Commands that were tried here stay, and so does the one that probes whether the account
is back: as long as it has written no intent, it follows when the probe fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

import structlog

from schemas import identity, topics
from schemas.entities import Lane
from streams.core import courier_rows as rows
from streams.core.desired import Kind, Status, Task, Wanted
from streams.core.places import Place, share_of
from streams.core.route import Route, route
from streams.courier.line import Line, endpoint_class
from streams.courier.setup import Setup, reference
from streams.courier.table import Table
from streams.courier.turns import Turns
from streams.shard.api import Shard

_AT_ONCE = 200  # rows of an account that are looked at together; the next ones are a tick later
log = structlog.get_logger(__name__)


class Rerouting:
    """Routes of commands of one shard, for accounts that have a flow with a fallback. Everything it does is part of the
    caller's atom."""

    def __init__(self, setup: Setup, shard: Shard, table: Table, turns: Turns) -> None:
        self._setup = setup
        self._shard = shard
        self._table = table
        self._turns = turns
        # by account the rows of its commands, in the order of being looked at
        self._waiting: dict[str, dict[str, None]] = {}

    def fill(self, line: Line, places: Sequence[tuple[str, Place]]) -> None:
        """Rows were found at the opening: those of commands may be handed over one day."""
        if self._fallbacks(line):
            commands = {row: None for row, place in places if place.is_command}
            self._waiting.setdefault(line.reference, {}).update(commands)

    def arrived(self, line: Line, row: str, task: Task) -> None:
        """A row has come; it leaves at once if it is to go elsewhere."""
        if task.wanted.kind is Kind.COMMAND and self._fallbacks(line):
            self._waiting.setdefault(line.reference, {})[row] = None
            self._leave(line, row, task, away=line.away(_class_of(row, task)))

    def look(self, line: Line) -> None:
        """Time has passed, or calls have failed: hand over what the account cannot carry out now."""
        waiting = self._waiting.get(line.reference)
        if not waiting or line.healthy:
            return
        for row in list(islice(waiting, _AT_ONCE)):
            task = self._table.get(line.reference, row)
            del waiting[row]
            if task is not None and task.status is not Status.DEAD:
                waiting[row] = None
                self._leave(line, row, task, away=line.away(_class_of(row, task)))

    def follows(self, line: Line, row: str, task: Task) -> bool:
        """It is the row's turn. Whether it has left, because earlier commands of its entity went elsewhere."""
        return task.wanted.kind is Kind.COMMAND and self._leave(line, row, task, away=False)

    def stays(self, line: Line, wanted: Wanted) -> None:
        """An intent of a command is written: this account is the route of its entity."""
        key = rows.key(rows.ROUTE, line.reference, wanted.subject)
        if wanted.kind is Kind.COMMAND and self._fallbacks(line) and self._shard.rows.get(key) is None:
            self._shard.rows.put(key, rows.pack_route(self._own(wanted)))

    def _leave(self, line: Line, row: str, task: Task, *, away: bool) -> bool:
        if task.status is not Status.READY or self._table.waits_for(line.reference, task):
            return False
        own, wanted = self._own(task.wanted), task.wanted
        stored = self._shard.rows.get(rows.key(rows.ROUTE, line.reference, wanted.subject))
        frozen = None if stored is None else rows.unpack_route(stored)
        tried = self._table.intent(line.reference, row) is not None
        to = route(frozen, own, self._fallbacks(line).get(wanted.cause), tried=tried, away=away)
        if to == own or wanted.expired(self._setup.waiter.now()):
            return False
        self._hand_over(line, row, task, to)
        return True

    def _hand_over(self, line: Line, row: str, task: Task, to: Route) -> None:
        wanted = task.wanted
        self._shard.rows.put(rows.key(rows.ROUTE, line.reference, wanted.subject), rows.pack_route(to))
        self._emit(wanted, to)
        self._table.hand_over(line.reference, row, task, reference(wanted.tenant, to.account))
        self._waiting.get(line.reference, {}).pop(row, None)
        line.withdraw(row)
        self._turns.settled(line, row, task, None)
        delay = (self._setup.clock.now() - wanted.wanted_at) / 1e6
        self._setup.recorder.settled(line.reference, wanted.lane.value, "rerouted", delay)
        log.info("a command goes to another account", account=line.reference, to=to.account, op_id=wanted.op_id)

    def _emit(self, wanted: Wanted, to: Route) -> None:
        """As the resolver would have asked that account."""
        task = dict(self._setup.codec.decode(wanted.value))
        changes = {"account": to.account, "platform": to.platform, "rerouted_from": wanted.account}
        value = self._setup.codec.encode("push_task", {**task, **changes, "lane": wanted.lane.value})
        topic = topics.push_bulk(to.platform) if wanted.lane is Lane.BULK else topics.push(to.platform)
        count = self._setup.profile.partitions(topics.CATALOGUE[topic].sizing)
        partition = identity.account_partition(wanted.tenant, to.account, count)
        self._shard.emit(topic, partition, f"{to.account}|{wanted.subject}".encode(), value)

    def _own(self, wanted: Wanted) -> Route:
        return Route(wanted.account, self._setup.platform.name)

    def _fallbacks(self, line: Line) -> Mapping[str, Route]:
        return self._setup.fallbacks.get(line.reference, {})


def _class_of(row: str, task: Task) -> str:
    return endpoint_class(row, share_of(task))
