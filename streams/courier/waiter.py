"""Time for the work loop: one clock to schedule by, and waiting that tests can drive by hand."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

from connectors.kit.clock import Clock
from connectors.kit.waiting import event_within


class Waiter(Protocol):
    """Seconds UTC that never go back."""

    def now(self) -> float:
        """Seconds since 1970, comparable between processes and restarts."""
        ...

    async def until(self, at: float, changed: asyncio.Event) -> None:
        """Return at `at` (inf: never) or when `changed` is set, whichever comes first."""
        ...


class SystemWaiter:
    """Wall time as it was at the start, carried on by the monotonic clock: a clock step never fires a backlog."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._offset = clock.now() / 1e6 - clock.monotonic()

    def now(self) -> float:
        return self._offset + self._clock.monotonic()

    async def until(self, at: float, changed: asyncio.Event) -> None:
        if math.isinf(at):
            await changed.wait()
            return
        await event_within(changed, max(0.0, at - self.now()))
