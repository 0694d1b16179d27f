"""What a role's shards are made of, and whom the runtime tells what happens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from streams.shard.api import Processor
from streams.shard.seen import DAY_MS, MAX_IDS

OffsetsLost = Literal["stop", "skip"]


class Recorder(Protocol):
    """What the runtime reports; implemented over the metrics catalogue."""

    def committed(self, shard: int, seconds: float, records: int) -> None:
        """A transaction ended."""
        ...

    def restoring(self, to_go: Mapping[int, int]) -> None:
        """Offsets still to be read by each shard that is assigned and not open yet; empty when all are open."""
        ...

    def restored(self, shard: int, seconds: float, rows: int) -> None:
        """A shard was opened."""
        ...

    def unreadable(self, shard: int) -> None:
        """A shard waits: its changelog, its seen ids or its offsets could not be read, and are asked for again."""
        ...

    def skipped(self, topic: str, records: int) -> None:
        """So many records of a topic were deleted unread at least, and reading went on behind them."""
        ...

    def batch(self, topic: str, partition: int, records: int, newest_ms: int) -> None:
        """A batch was processed; `newest_ms` is the broker's time of its last record."""
        ...

    def alive(self) -> None:
        """The event loop turns."""
        ...


class Silent:
    """A Recorder that keeps nothing."""

    def committed(self, shard: int, seconds: float, records: int) -> None:
        return

    def restoring(self, to_go: Mapping[int, int]) -> None:
        return

    def restored(self, shard: int, seconds: float, rows: int) -> None:
        return

    def unreadable(self, shard: int) -> None:
        return

    def skipped(self, topic: str, records: int) -> None:
        return

    def batch(self, topic: str, partition: int, records: int, newest_ms: int) -> None:
        return

    def alive(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class Plan:
    """What a role's shards are made of. Topic names are catalogue names; `seen` may be empty.

    `restores`: shards that read their changelogs at the same time; two keep the interpreter busy, and with more of them
    the first one is ready later. `offsets_lost`: what to do when records were deleted before they were read, see
    streams.shard.offsets.
    """

    group: str
    prefix: str
    topics: tuple[str, ...]
    changelog: str
    seen: str
    state_dir: Path
    kafka: Mapping[str, Any]
    processor: Callable[[], Processor]
    interval: float = 0.2
    transaction_timeout_ms: int = 60_000
    delete_retention_ms: int = 7 * DAY_MS
    row_cache: int = 200_000
    seen_days: int = 7
    seen_ids: int = MAX_IDS
    restores: int = 2
    offsets_lost: OffsetsLost = "stop"
    recorder: Recorder = field(default_factory=Silent)
    prepare: Callable[[], Awaitable[None]] | None = None  # awaited once, before the first shard is opened
