"""What a complete scan did not see is gone, unless that is too much to be believed."""

from __future__ import annotations

from dataclasses import replace

import structlog

from connectors.kit.contract import Observation, Page, Resource
from schemas.entities import Channel, Op
from streams.core.courier_rows import Cursor
from streams.courier.line import Line
from streams.courier.outbox import Trip
from streams.courier.reads import Reads
from streams.courier.setup import Setup

log = structlog.get_logger(__name__)


class Scans:
    """The passes under way of one shard: what each has seen. A pass that a restart interrupted does not know what it
    had seen and concludes nothing."""

    def __init__(self, setup: Setup, reads: Reads) -> None:
        self._setup = setup
        self._reads = reads
        self._seen: dict[tuple[str, str], set[tuple[str, str]]] = {}

    def begun(self, line: Line, resource: Resource) -> None:
        """A new pass remembers from the start what it sees."""
        self._seen[line.reference, resource.name] = set()

    def compare(
        self, line: Line, resource: Resource, trip: Trip, sequence: int, cursor: Cursor, page: Page, channel: Channel
    ) -> int:
        """Take a page, and at the end of a complete scan delete what the snapshot holds and the scan did not see.
        Returns how many were deleted.

        The deletions are dated at the beginning of the pass: what was made anew while it ran is not gone.
        """
        seen = self._seen.get((line.reference, resource.name))
        if seen is not None:
            seen.update((one.topic, one.resource_id) for one in page.observations)
        if not page.done:
            return 0
        self._seen.pop((line.reference, resource.name), None)
        if seen is None or not page.complete_scan:
            return 0
        known = self._reads.known(line, resource.name)
        gone = [Observation(*record, b"", Op.DELETE) for record in known if record not in seen]
        if self._brake(len(gone), len(known)):
            self._refuse(line, resource, len(gone), len(known))
            return 0
        began = replace(trip, started_at=round(cursor.started_at * 1e6))
        first = len(page.observations)
        return self._reads.emit_changed(line, resource.name, gone, began, sequence, channel=channel, first=first)

    def _brake(self, gone: int, known: int) -> bool:
        settings = self._setup.settings
        return gone > settings.brake_floor and gone > known * settings.brake_share

    def _refuse(self, line: Line, resource: Resource, missing: int, known: int) -> None:
        self._setup.recorder.braked(line.reference, resource.name, missing, known)
        log.error(
            "a complete scan misses so many records that their deletion is refused",
            account=line.reference,
            resource=resource.name,
            missing=missing,
            known=known,
            likely_cause="a filtered or truncated reply of the platform",
            next_step="compare with the shop; if they are gone, raise brake_share and wait for the next scan",
        )
