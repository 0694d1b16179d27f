"""One shard on its way from assigned to open: fence, roll the store forward, read seen ids, find the offsets.

Everything here blocks and runs in worker threads. Each step may be repeated and goes on where it stopped; `abandon`
ends the one that is under way within a moment. Fencing takes the broker half a second and more, so reading begins
beside it with what is committed already; what the owner before us still commits is read when it is fenced.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from streams.shard.attempts import Attempts
from streams.shard.changelog import Cut, read_to_end
from streams.shard.offsets import Offsets, Start
from streams.shard.plan import Plan
from streams.shard.seen import DAY_MS, SeenIds
from streams.shard.store import Identity, Store
from streams.shard.transaction import DAY, Transactions

SILENT = 5.0  # seconds without anything new after which a restore says that it waits


class Abandoned(Exception):
    """The shard went to somebody else before it was restored."""


@dataclass(slots=True)
class Progress:
    """How far a restore has come. `rows`: changelog rows read; `to_go`: offsets left; `trouble`: why it waits."""

    rows: int = 0
    to_go: int = 0
    trouble: str = ""
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since it was assigned."""
        return time.monotonic() - self.started


class Restore:
    """What will become a live shard."""

    def __init__(self, plan: Plan, number: int, offsets: Offsets) -> None:
        self.number = number
        self.progress = Progress()
        self.seen: SeenIds | None = None
        self.start = Start({})
        self.final = False  # whether what was measured last is the end
        self._fenced = False
        self.store: Store | None = None
        self.attempts: Attempts | None = None
        self.transactions: Transactions | None = None
        self._plan = plan
        self._offsets = offsets
        self._changelog = plan.prefix + plan.changelog
        self._folder = plan.state_dir / plan.group / str(number)
        self._end = 0
        self._seen_bounds = (0, 0)
        self._abandoned = threading.Event()
        self._moved_at = 0.0

    def fence(self) -> None:
        """End the previous owner's transaction; from here on it cannot commit. Raises KafkaException."""
        plan = self._plan
        self.transactions = Transactions(
            plan.kafka,
            transactional_id=f"{plan.group}-{self.number}",
            timeout_ms=plan.transaction_timeout_ms,
            shard=self.number,
            changelog=self._changelog,
            seen=plan.prefix + plan.seen,
        )
        self.transactions.init()
        self._fenced = True

    def measure(self) -> int:
        """Open the store, and return how many offsets are to be read: of what is committed, or, when nobody else can
        write any more, of all there will be.

        Raises KafkaException, Locked, and Cut when the store is older than what is left of the changelog.
        """
        self.final = self._fenced
        plan, number = self._plan, self.number
        if self.store is None:
            identity = Identity(self._offsets.cluster_id, self._changelog, number)
            self.store = Store(self._folder, identity)
            self._discard_old(self.store)
            self.seen = SeenIds(self._folder.with_name(f"{number}.seen"), plan.seen_days, plan.seen_ids)
        low, self._end = self._offsets.bounds(self._changelog, number, committed=not self.final)
        if self.final and self.store.position > self._end:
            self.store.restart(f"its position {self.store.position} is past the changelog's end {self._end}")
        if self.store.position < low:
            raise Cut(self._changelog, number, self.store.position, low)
        if plan.seen:
            begin, end = self._offsets.bounds(plan.prefix + plan.seen, number, committed=not self.final)
            self._seen_bounds = (max(begin, self._seen_bounds[0]), end)
        to_go = (self._end - self.store.position, self._seen_bounds[1] - self._seen_bounds[0])
        self.progress.to_go = sum(max(0, offsets) for offsets in to_go)
        self.progress.trouble = ""
        return self.progress.to_go

    def _discard_old(self, store: Store) -> None:
        """A store so old that tombstones it never saw may already be gone is begun anew."""
        age = _now_ms() - store.written_at
        if store.position and age > self._plan.delete_retention_ms // 2:
            store.restart(f"it was written {age / 3.6e6:.0f} hours ago; tombstones may be gone")

    def run(self) -> None:
        """Read what was measured and, when that is the end, where to go on. Raises KafkaException, TimeoutError,
        LookupError, Abandoned."""
        assert self.store is not None
        plan, topic = self._plan, self._changelog
        self._moved_at = time.monotonic()
        bounds = (self.store.position, self._end)
        read_to_end(plan.kafka, topic, self.number, self.store.position, self._rows, bounds)
        if plan.seen:
            low, end = self._seen_bounds
            read_to_end(plan.kafka, plan.prefix + plan.seen, self.number, low, self._ids, (low, end))
        if self.final:
            self.store.write({}, self._end, _now_ms())  # up to date as of now, however old its newest row is
            self._locate()

    def _locate(self) -> None:
        plan = self._plan
        self.start = self._offsets.start([plan.prefix + name for name in plan.topics], self.number, plan.offsets_lost)
        self.attempts = Attempts(self._folder.with_name(f"{self.number}.attempts"), self.start.positions)

    def _rows(self, messages: list[Any], position: int) -> None:
        assert self.store is not None
        if self._moved(self._changelog, self.store.position, position):
            rows = {message.key(): message.value() for message in messages}
            # As old as what it holds: a restore that is broken off must not make an old store look new.
            written_at = int(messages[-1].timestamp()[1]) if messages else self.store.written_at
            self.store.write(rows, position, written_at)
            self.progress.rows += len(messages)

    def _ids(self, messages: list[Any], position: int) -> None:
        assert self.seen is not None
        before, end = self._seen_bounds
        if self._moved(self._plan.prefix + self._plan.seen, before, position):
            today = _now_ms() // DAY_MS
            for message in messages:
                self.seen.load(DAY.unpack(message.key())[0], message.value(), today)
            self._seen_bounds = (position, end)

    def _moved(self, topic: str, before: int, position: int) -> bool:
        """Whether there is something new, and keep the progress. Raises Abandoned."""
        if self._abandoned.is_set():
            raise Abandoned(f"shard {self.number} is not ours any more")
        now, progress = time.monotonic(), self.progress
        if position > before:
            progress.to_go -= position - before
            progress.trouble, self._moved_at = "", now
        elif now - self._moved_at > SILENT:
            progress.trouble = f"{topic} [{self.number}] stands at {position} for {now - self._moved_at:.0f} s"
        return position > before

    def abandon(self) -> None:
        """End what is under way; the caller waits for its thread and then calls `close`."""
        self._abandoned.set()

    def close(self) -> None:
        """Flush and close the store, so that a later restore goes on where this one stopped."""
        if self.store is not None:
            self.store.close()
            self.store = None
        if self.seen is not None:
            self.seen.close()
            self.seen = None
        if self.attempts is not None:
            self.attempts.close()
            self.attempts = None


def _now_ms() -> int:
    return int(time.time() * 1000)
