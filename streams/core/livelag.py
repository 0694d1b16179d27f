"""Whether a courier has read the live work that is there for it: as long as it has not, bulk work waits. Pure.

Live lag is what stands in the live inputs of a shard (pushes and fetch requests) and is not in its table yet. What is
in the table and waits for quota is no lag: lanes and their floors share the quota between known work, and bulk is owed
its floor there. Unread work is of unknown urgency, so nothing may use up the quota before it. It lasts as long as
reading takes: after a courier was away, or while a resolver re-folds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

BEHIND = 1_000  # unread records from which on bulk work waits: a batch that is larger comes of a backlog
CAUGHT_UP = 100  # unread records from which on it is admitted again: what comes in anyway while one batch is read
SILENCE = 5.0  # seconds without a batch after which the rest is taken for what nobody sees (markers, aborted records)


@dataclass(slots=True)
class LiveLag:
    """Of one shard. Times in seconds of any clock that never goes back."""

    caught_up: bool = True
    _unread: dict[str, int] = field(default_factory=dict)
    _read_at: float = 0.0

    @property
    def unread(self) -> int:
        """Records of all live inputs."""
        return sum(self._unread.values())

    def read(self, topic: str, unread: int, now: float) -> bool:
        """A batch of a live input was read, and so many records of it are left. Returns `caught_up`."""
        self._unread[topic], self._read_at = unread, now
        self.caught_up = self.unread <= (CAUGHT_UP if not self.caught_up else BEHIND)
        return self.caught_up

    def passed(self, now: float) -> bool:
        """Time has passed. Returns `caught_up`."""
        if not self.caught_up and now - self._read_at >= SILENCE:
            self._unread.clear()
            self.caught_up = True
        return self.caught_up
