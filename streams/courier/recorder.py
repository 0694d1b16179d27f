"""What the courier reports of itself; implemented over the metrics catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from connectors.kit.skew import Offset


class Recorder(Protocol):
    """All methods are cheap and never raise. `account` is `tenant|account`."""

    def call(self, account: str, operation: str, outcome: str, seconds: float) -> None:
        """A request ended. `outcome` as in api_call.avsc."""
        ...

    def spent(self, account: str, purpose: str, cost: float) -> None:
        """A request was charged `cost` units. `purpose` as in api_call.avsc."""
        ...

    def settled(self, account: str, lane: str, result: str, delay: float) -> None:
        """Work was settled: applied, no_op, retry, parked, dead, unknown, filtered, paused, rerouted. `delay`: seconds
        since it was wanted."""
        ...

    def rejected(self, topic: str, reason: str) -> None:
        """A consumed record, or the work it asked for, went to the dead letters."""
        ...

    def pending(self, account: str, rows: int) -> None:
        """Pieces of work that wait, polls included."""
        ...

    def stopped(self, account: str, reason: str) -> None:
        """All work of an account waits: unauthorised, unavailable; an empty reason when it goes on."""
        ...

    def bucket(self, account: str, snapshot: Mapping[str, float], blocked: float) -> None:
        """How the account's bucket stands: connectors.kit.pacing.Pacer.snapshot. `blocked`: seconds until something may
        be sent again, 0 when nothing forbids it."""
        ...

    def bulk_waits(self, account: str, records: int) -> None:
        """Bulk work of an account waits until so many records of live work are read; 0: it goes on."""
        ...

    def clock(self, account: str, offset: Offset, configured: float) -> None:
        """How far an account's clock is ahead of ours, and how far its configuration says it is (seconds)."""
        ...

    def malformed(self, account: str, headers: int) -> None:
        """So many headers of a reply spoke of quotas and made no sense."""
        ...

    def waited(self, lane: str, seconds: float) -> None:
        """The first request of a piece of work was admitted, so long after the work was due."""
        ...

    def polled(self, account: str, resource: str, seen: int, changed: int) -> None:
        """A page was read."""
        ...

    def braked(self, account: str, resource: str, missing: int, known: int) -> None:
        """A complete read found so many records gone that the deletes were refused."""
        ...

    def hole(self, account: str, resource: str, reason: str) -> None:
        """Pushes of this resource may have been lost, so it is read at once. `reason`: healed, asked, silence."""
        ...

    def healed(self, account: str, topic: str) -> None:
        """A webhook subscription was gone and has been made anew."""
        ...


class Silent:
    """A Recorder that keeps nothing."""

    def call(self, account: str, operation: str, outcome: str, seconds: float) -> None:
        return

    def spent(self, account: str, purpose: str, cost: float) -> None:
        return

    def settled(self, account: str, lane: str, result: str, delay: float) -> None:
        return

    def rejected(self, topic: str, reason: str) -> None:
        return

    def pending(self, account: str, rows: int) -> None:
        return

    def stopped(self, account: str, reason: str) -> None:
        return

    def bucket(self, account: str, snapshot: Mapping[str, float], blocked: float) -> None:
        return

    def bulk_waits(self, account: str, records: int) -> None:
        return

    def clock(self, account: str, offset: Offset, configured: float) -> None:
        return

    def malformed(self, account: str, headers: int) -> None:
        return

    def waited(self, lane: str, seconds: float) -> None:
        return

    def polled(self, account: str, resource: str, seen: int, changed: int) -> None:
        return

    def braked(self, account: str, resource: str, missing: int, known: int) -> None:
        return

    def hole(self, account: str, resource: str, reason: str) -> None:
        return

    def healed(self, account: str, topic: str) -> None:
        return
