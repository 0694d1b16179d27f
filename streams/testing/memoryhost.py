"""One shard of a role without Kafka: what streams.shard.host does to a processor, done by hand.

Inputs are logs in memory that may grow. What a role gathers becomes readable at `commit`, together with its rows and
offsets, or is lost at `crash`: then the logs are read again from the last committed offsets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from streams.shard.api import Incoming, Processor
from streams.shard.memory import Emitted, MemoryShard


@dataclass(slots=True)
class Record:
    """A record of a log. Implements streams.shard.api.Incoming; `timestamp`: milliseconds UTC."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = 0


class MemoryHost:
    """Opens, feeds and closes one shard. `make` builds its processor, at every opening anew; `logs`: its inputs by
    catalogue name, each record at the place of its offset. `limits`: the lowest held offset by topic, as last told."""

    def __init__(self, make: Callable[[], Processor], logs: Mapping[str, Sequence[Incoming]]) -> None:
        self._logs = logs
        self.shard = MemoryShard()
        self.committed = dict.fromkeys(logs, 0)
        self._open(make)

    def process(self, topic: str, most: int | None = None) -> None:
        """The next records of a topic as one batch: all there are, or at most so many."""
        start = self.positions[topic]
        batch = self._logs[topic][start : None if most is None else start + most]
        if batch:
            self.limits[topic] = self._processor.process(self.shard, topic, batch)
            self.positions[topic] = batch[-1].offset + 1

    def work(self) -> None:
        """Everything that is not processed yet, topic by topic."""
        for topic in self._logs:
            self.process(topic)

    def tick(self) -> None:
        """Time has passed."""
        self.limits |= self._processor.tick(self.shard)

    def commit(self) -> list[Emitted]:
        """One transaction with everything gathered. Returns its outputs."""
        for topic, position in self.positions.items():
            limit = self.limits.get(topic)
            safe = position if limit is None else min(position, limit)
            self.committed[topic] = max(self.committed[topic], safe)
        known = len(self.shard.committed)
        self.shard.flush()
        return self.shard.committed[known:]

    def crash(self, make: Callable[[], Processor] | None = None) -> None:
        """Lose what is not committed, and start again; with `make` as another version or with other rules."""
        self.shard = self.shard.crashed()
        self._open(make or self._make)

    def restart(self, make: Callable[[], Processor] | None = None) -> list[Emitted]:
        """Stop in good order and start again. Returns the outputs of the last transaction."""
        outputs = self.commit()
        self._processor.close(self.shard)
        self.crash(make)
        return outputs

    def _open(self, make: Callable[[], Processor]) -> None:
        self._make = make
        self.positions = dict(self.committed)
        self.limits: dict[str, int | None] = {}
        self._processor = make()
        self._processor.open(self.shard)
