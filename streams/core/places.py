"""Where a row waits: all that a schedule asks of it, so that a restart need not decode a million rows whole. Pure."""

from __future__ import annotations

from typing import NamedTuple

from schemas.entities import Lane
from streams.core.desired import NEVER, Kind, Status, Task, urgent
from streams.core.lanes import share

_FETCH, _COMMAND = share(Kind.FETCH, ""), share(Kind.COMMAND, "")


class Place(NamedTuple):
    """`share`: whom it is fair against within its lane; `due`: when to look at it, `expires`: from when it is not worth
    sending any more; seconds UTC, NEVER for what waits for a person or expires never."""

    lane: Lane
    share: str
    due: float
    expires: float = NEVER

    @property
    def is_fetch(self) -> bool:
        """Whether nothing is written by it."""
        return self.share.startswith(_FETCH)

    @property
    def is_command(self) -> bool:
        """Whether it is carried out once and for ever."""
        return self.share.startswith(_COMMAND)


def place_of(task: Task) -> Place:
    """Of a row. One in doubt is looked at when its request can no longer land, whether it has expired or not."""
    if task.status is Status.DEAD or task.not_before == NEVER:
        return Place(lane_of(task), share_of(task), NEVER)
    if task.status is Status.UNKNOWN:
        return Place(lane_of(task), share_of(task), task.not_before)
    expires = expiry(task.wanted.expires_at)
    return Place(lane_of(task), share_of(task), min(task.not_before, expires), expires)


def lane_of(task: Task) -> Lane:
    """The lane the row waits in: the most urgent of its versions."""
    return task.wanted.lane if task.later is None else urgent(task.wanted.lane, task.later.lane)


def share_of(task: Task) -> str:
    """Whom a row is fair against within its lane: other flows, and other reasons to read."""
    return share(task.wanted.kind, task.wanted.cause)


def expiry(expires_at: int) -> float:
    """Seconds UTC of microseconds UTC of which 0 means never."""
    return expires_at / 1e6 if expires_at else NEVER
