"""Holes as rows: they outlive a crash, and the poll that closes one is in the atom of its end."""

from __future__ import annotations

import structlog

from streams.core import courier_rows as rows
from streams.core.holes import Hole, joined
from streams.courier.line import Line
from streams.courier.setup import Setup
from streams.shard.api import Shard

log = structlog.get_logger(__name__)


class Holes:
    """Holes of one shard's accounts, one per resource. Every method is part of the caller's atom."""

    def __init__(self, setup: Setup, shard: Shard) -> None:
        self._setup = setup
        self._shard = shard

    def of(self, line: Line, resource: str) -> Hole | None:
        """The hole that is open, if any."""
        data = self._shard.rows.get(rows.key(rows.HOLE, line.reference, resource))
        return None if data is None else rows.unpack_hole(data)

    def open(self, line: Line, resource: str, hole: Hole) -> None:
        """One more; reported when none was open."""
        held = self.of(line, resource)
        self._shard.rows.put(rows.key(rows.HOLE, line.reference, resource), rows.pack_hole(joined(held, hole)))
        if held is None:
            self._setup.recorder.hole(line.reference, resource, hole.reason)
            log.warning("pushes may be lost; polling", account=line.reference, resource=resource, reason=hole.reason)

    def passed(self, line: Line, resource: str, started_at: float) -> None:
        """A pass that began at `started_at` is complete."""
        hole = self.of(line, resource)
        if hole is not None and hole.closed_by(started_at):
            self._shard.rows.delete(rows.key(rows.HOLE, line.reference, resource))
