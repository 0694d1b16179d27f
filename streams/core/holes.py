"""Holes: times in which an account's pushes may have been lost, and what closes them. Pure; times are seconds UTC.

Polls by date go on where the last pass ended, and a scan reads everything. So a pass that begins after a hole's end
shows all that was lost in it, and nothing has to be read twice: a hole is closed by the next pass, and only makes that
pass come at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

SILENCE = "silence"
SILENCE_LIMIT = 900.0  # seconds without a push after which the next one is taken for the end of a hole
EVERYTHING = "*"  # in place of a remote id or a resource in a fetch request: all of it


@dataclass(frozen=True, slots=True)
class Hole:
    """What was pushed before `ends_at` may be lost. `reason`: healed, asked, silence."""

    ends_at: float
    reason: str

    def closed_by(self, started_at: float) -> bool:
        """Whether a pass that began then, once it is complete, has read everything the hole may have swallowed."""
        return started_at >= self.ends_at


def joined(held: Hole | None, new: Hole) -> Hole:
    """Two holes of one resource are one, as long as both."""
    return new if held is None or new.ends_at > held.ends_at else held


def due(started_at: float, interval: float, hole: Hole | None) -> float:
    """When the pass after the one that began at `started_at` is due; 0: now."""
    return 0.0 if hole is not None else started_at + interval


@dataclass(slots=True)
class Silences:
    """Whose pushes have stopped for so long that some may be lost: a receiver that was down, a vendor's outage. A quiet
    shop is silent too; that costs one early pass. Times of any account rise, give or take; `limit`: seconds."""

    limit: float = SILENCE_LIMIT
    _heard: dict[str, int] = field(default_factory=dict)

    def broken(self, account: str, received_at: int) -> bool:
        """A push has come, at so many microseconds UTC; whether it ends a silence. Of the first nothing is known."""
        last = self._heard.get(account)
        self._heard[account] = received_at if last is None else max(last, received_at)
        return last is not None and received_at - last > self.limit * 1e6
