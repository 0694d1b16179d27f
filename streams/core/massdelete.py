"""The mass-delete brake: a source that suddenly deletes far more than usual is more often broken than right. Pure.

Deletes of one account and type are counted in windows that begin with a delete. Beyond the limit they are not obeyed;
who asks decides what becomes of them. Times are those at which the deletes were received, so a replay brakes alike.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_ROW = struct.Struct(">QI")


@dataclass(frozen=True, slots=True)
class Brake:
    """At most `most` deletes of one account and type within `within` seconds; 0 brakes nothing."""

    most: int = 1_000
    within: float = 3_600.0

    def share(self, shards: int) -> Brake:
        """The brake of one of so many shards: deletes fall evenly, so a shard sees its share, give or take."""
        return Brake(max(self.most // shards * 2, min(self.most, 10)), self.within) if shards > 1 else self


@dataclass(frozen=True, slots=True)
class Window:
    """Deletes counted since `began` (microseconds UTC)."""

    began: int = 0
    count: int = 0

    def pack(self) -> bytes:
        """The row."""
        return _ROW.pack(self.began, self.count)

    @classmethod
    def unpack(cls, row: bytes | None) -> Window:
        """An empty window for no row. Raises struct.error for a row of another length."""
        return cls(*_ROW.unpack(row)) if row else cls()


def admit(window: Window, at: int, brake: Brake) -> tuple[Window, bool]:
    """Count a delete received at `at`; whether it may be obeyed."""
    if not brake.most:
        return window, True
    if not window.count or at >= window.began + int(brake.within * 1_000_000):
        window = Window(at, 0)
    if window.count >= brake.most:
        return window, False
    return Window(window.began, window.count + 1), True
