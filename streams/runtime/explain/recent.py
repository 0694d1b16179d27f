"""Of a long log the few records that an answer needs. Pure."""

from __future__ import annotations

from collections import defaultdict, deque

from streams.runtime.explain.records import Found, micros


class Recent:
    """Of one entity's records in a topic the newest few of each partition, and the newest one of each account."""

    def __init__(self, last: int) -> None:
        self._newest: dict[int, deque[Found]] = defaultdict(lambda: deque(maxlen=last))
        self.by_account: dict[bytes, Found] = {}

    def add(self, account: bytes, found: Found) -> None:
        """A record that stands behind those of its partition before it; `account`: hash. What came late is older than
        what its account had said already."""
        self._newest[found.partition].append(found)
        if account not in self.by_account or not found.marks.get("late"):
            self.by_account[account] = found

    @property
    def newest(self) -> list[Found]:
        """The newest few in the order of their offsets; for topics in which an entity has one partition."""
        return [one for _, some in sorted(self._newest.items()) for one in some]

    def by_time(self, name: str) -> list[Found]:
        """All that is kept, in the order of the time field `name`."""
        once = {(one.partition, one.offset): one for one in (*self.newest, *self.by_account.values())}
        return sorted(once.values(), key=lambda one: (micros(one.record[name]), one.offset))
