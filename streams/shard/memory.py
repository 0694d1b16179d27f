"""A shard without Kafka: rows in a dict, outputs in a list. For tests of roles, ours and users'."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from schemas.headers import NAME
from streams.shard.api import Entry, Headers


@dataclass(slots=True)
class Emitted:
    """One output record."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None = None


@dataclass(slots=True)
class MemoryRows:
    """Rows in a dict."""

    data: dict[bytes, bytes] = field(default_factory=dict)

    def get(self, key: bytes) -> bytes | None:
        return self.data.get(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.data[key] = value

    def delete(self, key: bytes) -> None:
        self.data.pop(key, None)

    def open(self) -> tuple[dict[bytes, bytes | None], dict[bytes, bytes | None]]:
        rows = cast("dict[bytes, bytes | None]", self.data)  # whoever opens it writes no None
        return rows, rows

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        found = sorted(key for key in self.data if key >= start and key.startswith(prefix))
        return iter([(key, self.data[key]) for key in found])


@dataclass(slots=True)
class MemoryShard:
    """Implements `streams.shard.api.Shard`. A crash is: build a new one over `committed_rows()`."""

    number: int = 0
    rows: MemoryRows = field(default_factory=MemoryRows)
    pending: list[Emitted] = field(default_factory=list)
    committed: list[Emitted] = field(default_factory=list)
    ids: set[bytes] = field(default_factory=set)
    commits: int = 0
    behind: dict[str, int] = field(default_factory=dict)  # by topic, what `unread` answers
    _latest: dict[tuple[str, bytes], Emitted] = field(default_factory=dict)
    _rows_at_commit: dict[bytes, bytes] = field(default_factory=dict)
    _ids_at_commit: frozenset[bytes] = frozenset()

    def emit(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> None:
        self.pending.append(Emitted(topic, partition, key, value, headers))

    def emit_all(self, topic: str, partition: int, records: Sequence[Entry]) -> None:
        for key, value, headers in records:
            self.emit(topic, partition, key, value, [(NAME, headers)] if isinstance(headers, bytes) else headers)

    def emit_latest(self, topic: str, key: bytes, value: bytes | None) -> None:
        self._latest[topic, key] = Emitted(topic, self.number, key, value)

    def emit_latest_of(self, topic: str, values: Mapping[bytes, bytes | None]) -> None:
        for key, value in values.items():
            self.emit_latest(topic, key, value)

    def saw(self, event_id: bytes) -> None:
        self.ids.add(event_id)

    def saw_all(self, event_ids: Sequence[bytes]) -> None:
        self.ids.update(event_ids)

    def seen(self, event_id: bytes) -> bool:
        return event_id in self.ids

    def unread(self, topic: str) -> int:
        return self.behind.get(topic, 0)

    async def commit(self) -> None:
        self.flush()

    def flush(self) -> None:
        """Commit now."""
        self.committed += self.pending
        self.committed += self._latest.values()
        self.pending.clear()
        self._latest.clear()
        self._rows_at_commit = dict(self.rows.data)
        self._ids_at_commit = frozenset(self.ids)
        self.commits += 1

    def crashed(self) -> MemoryShard:
        """What a restart finds: committed rows, ids and outputs; everything since is gone."""
        return MemoryShard(
            self.number,
            MemoryRows(dict(self._rows_at_commit)),
            committed=list(self.committed),
            ids=set(self._ids_at_commit),
            _rows_at_commit=dict(self._rows_at_commit),
            _ids_at_commit=self._ids_at_commit,
        )

    def outputs(self, topic: str) -> list[Emitted]:
        """Committed records of one topic."""
        return [record for record in self.committed if record.topic == topic]
