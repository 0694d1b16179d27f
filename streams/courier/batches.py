"""Which sets go in one call: those that wait at the same time, of one flow, and that a destination takes together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from connectors.kit.contract import Write
from connectors.kit.errors import SluiceError
from connectors.kit.operations import Batch, Batching
from streams.core.desired import Kind, Task
from streams.core.places import lane_of, share_of
from streams.courier.line import Line
from streams.courier.setup import Setup
from streams.courier.table import Table
from streams.courier.turns import Turns
from streams.courier.wanted import as_write, links

_LOOKED_AT = 4  # times as many rows as fit are looked at: those of another group are passed over ...
_STRANGERS = 8  # ... but no more than so many in a row: what goes together mostly comes together, and looking is dear
_SELDOM = 32  # calls: where nothing goes together, one in so many looks whether that has changed
_GROUPS = 4_096  # rows of which the group is remembered


@dataclass(slots=True)
class _Search:
    """Whether to look for others: after every time in a row that they all were of other groups, half as often."""

    misses: int = 0
    skipped: int = 0

    def begins(self) -> bool:
        self.skipped += 1
        return self.skipped >= min(1 << self.misses, _SELDOM)

    def ended(self, *, found: bool) -> None:
        self.misses, self.skipped = 0 if found else self.misses + 1, 0


class Piece(NamedTuple):
    """A row in flight."""

    row: str
    task: Task


class Batches:
    """Batches of one shard."""

    def __init__(self, setup: Setup, table: Table, turns: Turns) -> None:
        self._setup = setup
        self._table = table
        self._turns = turns
        self._searches: dict[tuple[str, str], _Search] = {}  # by account and share
        self._groups: dict[tuple[str, str], Batch | None] = {}  # (account, row) -> what it was when it was looked at

    def join(self, line: Line, pieces: list[Piece], write: Write, destination: Batching) -> list[Write]:
        """Take rows in flight that go in the call of the only piece there is, and add them to the pieces. Returns their
        writes; none when it goes alone: what failed before is tried on its own, so that it can take none with it."""
        leader = pieces[0].task
        self._groups.pop((line.reference, pieces[0].row), None)
        if leader.wanted.kind is not Kind.SET or leader.attempts > 1:
            return []
        search = self._searches.setdefault((line.reference, share_of(leader)), _Search())
        batch = destination.batch(line.account, write) if search.begins() else None
        if batch is None:
            return []
        joined: list[Write] = []
        strangers = 0
        for row in line.alike(pieces[0].row, lane_of(leader), share_of(leader), batch.most * _LOOKED_AT):
            if len(pieces) == batch.most or strangers == _STRANGERS:
                break
            other = self._companion(line, row, batch, destination)
            begun = None if other is None else self._table.begin(line.reference, row)
            if other is None or begun is None:
                strangers += 1
                continue
            strangers = 0
            line.withdraw(row)
            pieces.append(Piece(row, begun))
            joined.append(other)
        if joined or strangers:
            search.ended(found=bool(joined))
        return joined

    def _companion(self, line: Line, row: str, batch: Batch, destination: Batching) -> Write | None:
        """The write of a row that could begin now and is of this batch. A row that was found to be of another one is
        not decoded again until it is its own turn."""
        name = line.reference, row
        if self._groups.get(name, batch) != batch:
            return None
        task = self._turns.companion(line, row)
        write = None if task is None else self._as_write(task)
        if task is None or write is None:
            return None
        group = destination.batch(line.account, write)
        if group == batch:
            self._groups.pop(name, None)
            return write
        if len(self._groups) >= _GROUPS:
            self._groups.clear()
        self._groups[name] = group
        return None

    def _as_write(self, task: Task) -> Write | None:
        """None for what cannot be read or is not supported: it says so when it goes alone."""
        try:
            write = as_write(self._setup.codec, task.wanted, links(self._setup.xref, task.wanted))
        except SluiceError:
            return None
        return write if self._setup.destination.supports(write.type, write.op) else None
