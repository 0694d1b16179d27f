"""Which sets go in one call: those that wait at the same time, of one flow, and that a destination takes together."""

from __future__ import annotations

from typing import NamedTuple

from connectors.kit.contract import Write
from connectors.kit.errors import SluiceError
from connectors.kit.operations import Batching
from streams.core.desired import Kind, Task
from streams.courier.line import Line
from streams.courier.setup import Setup
from streams.courier.table import Table
from streams.courier.turns import Turns
from streams.courier.wanted import as_write, links

_LOOKED_AT = 4  # times as many rows as fit are looked at: those of another group are passed over


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

    def join(self, line: Line, pieces: list[Piece], write: Write, destination: Batching) -> list[Write]:
        """Take rows in flight that go in the call of the only piece there is, and add them to the pieces. Returns their
        writes; none when it goes alone: what failed before is tried on its own, so that it can take none with it."""
        leader = pieces[0].task
        batch = destination.batch(line.account, write)
        if batch is None or leader.wanted.kind is not Kind.SET or leader.attempts > 1:
            return []
        joined: list[Write] = []
        for row, task in self._turns.companions(line, pieces[0].row, leader, batch.most * _LOOKED_AT):
            if len(pieces) == batch.most:
                break
            other = self._as_write(task)
            if other is None or destination.batch(line.account, other) != batch:
                continue
            begun = self._table.begin(line.reference, row)
            if begun is not None:
                line.withdraw(row)
                pieces.append(Piece(row, begun))
                joined.append(other)
        return joined

    def _as_write(self, task: Task) -> Write | None:
        """None for what cannot be read or is not supported: it says so when it goes alone."""
        try:
            write = as_write(self._setup.codec, task.wanted, links(self._setup.xref, task.wanted))
        except SluiceError:
            return None
        return write if self._setup.destination.supports(write.type, write.op) else None
