"""An event loop whose time jumps to the next timer: an hour passes in as long as its work takes.

Nothing is patched. Everything that waits through asyncio waits in this time, in the order of its deadlines; what has
no deadline and nobody to wake it is reported as a standstill instead of hanging.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

TURN = 1e-6  # seconds a turn of the loop takes: whoever waits for less than the clock resolves must get there, too
START = 1_000_000.0  # seconds UTC; early, because asyncio fires timers only where a double resolves its 1 ns

T = TypeVar("T")


class Standstill(RuntimeError):
    """Everything waits for something that no timer brings."""


class _Jump(selectors.SelectSelector):
    """A selector that lets time pass instead of waiting for sockets."""

    passed = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise Standstill("every task waits and no timer is set: something was never notified, or never ends")
        self.passed += max(TURN, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time` is seconds UTC. Sockets, threads and signals are not served."""

    def __init__(self, start: float = START) -> None:
        self._jump = _Jump()
        self._jump.passed = start
        super().__init__(self._jump)

    def time(self) -> float:
        """Seconds UTC of the virtual clock."""
        return self._jump.passed


class LoopClock:
    """Implements connectors.kit.clock.Clock over the loop, so wall time and monotonic time are one."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> int:
        """Microseconds UTC since 1970."""
        return round(self._loop.time() * 1e6)

    def monotonic(self) -> float:
        """Seconds UTC."""
        return self._loop.time()


def run(main: Coroutine[Any, Any, T], start: float = START) -> T:
    """Run to the end in virtual time. Raises what `main` raises, and Standstill."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(start)) as runner:
        return runner.run(main)
