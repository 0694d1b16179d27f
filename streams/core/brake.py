"""When most of what a source sends is dead: said once when it begins and once when it is over, not once per record.

Counted per source in windows one after the other. A source trips as soon as a window holds enough records and too large
a share of them is dead; it is released by the first whole window that would not have tripped it. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Turn(StrEnum):
    """What became of a source."""

    TRIPPED = "tripped"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Limits:
    """`share`: of a source's records that may be dead; `least`: records in a window before that is judged; `window`:
    seconds."""

    share: float = 0.5
    least: int = 50
    window: float = 60.0


@dataclass(slots=True)
class _Window:
    began: float
    received: int = 0
    dead: int = 0
    told_at: float = -math.inf
    braked: bool = False


class Brake:
    """The sources of one process. Times are seconds of one clock that does not go back."""

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._windows: dict[str, _Window] = {}

    @property
    def braked(self) -> set[str]:
        """Sources that are tripped now."""
        return {source for source, window in self._windows.items() if window.braked}

    def __len__(self) -> int:
        """Sources that are remembered."""
        return len(self._windows)

    def count(self, source: str, received: int, dead: int, now: float) -> Turn | None:
        """So many records of a source arrived, and so many of them are dead. Returns what that changes."""
        window = self._window(source, now)
        before = window.braked
        self._close(window, now)
        window.received += received
        window.dead += dead
        window.braked = window.braked or self._too_many(window)
        if window.braked == before:
            return None
        return Turn.TRIPPED if window.braked else Turn.RELEASED

    def tells(self, source: str, now: float) -> bool:
        """Whether the details of a dead record of this source are to be logged: not more often than once per window."""
        window = self._window(source, now)
        if now - window.told_at < self._limits.window:
            return False
        window.told_at = now
        return True

    def advance(self, now: float) -> list[str]:
        """Sources that are released because time has passed; those of which nothing is heard any more are forgotten."""
        released = []
        for source, window in list(self._windows.items()):
            before = window.braked
            self._close(window, now)
            if before and not window.braked:
                released.append(source)
            if not (window.braked or window.received or now - window.told_at < self._limits.window):
                del self._windows[source]
        return released

    def _window(self, source: str, now: float) -> _Window:
        window = self._windows.get(source)
        if window is None:
            window = self._windows[source] = _Window(now)
        return window

    def _close(self, window: _Window, now: float) -> None:
        """Begin the next window when this one is over. After a silence of a whole window there is nothing to brake."""
        elapsed = now - window.began
        if elapsed < self._limits.window:
            return
        window.braked = window.braked and self._too_many(window) and elapsed < 2 * self._limits.window
        window.began, window.received, window.dead = now, 0, 0

    def _too_many(self, window: _Window) -> bool:
        return window.received >= self._limits.least and window.dead > self._limits.share * window.received
