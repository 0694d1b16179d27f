"""What a stateful role is to the shard runtime, and what a shard is to a role.

A shard is one partition number of a role's inputs. Everything a role puts, emits or positions between two awaits is
one atom: it is committed in one Kafka transaction with everything before it, or not at all. Rows are visible to the
role at once, to others after the commit. Nothing here retries: any failed transaction ends the process, and the
restart converges.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

Headers = list[tuple[str, bytes]]
# Key, value and headers of a record; bytes stand for the one packed header `sluice`, which costs least that way.
Entry = tuple[bytes | None, bytes | None, Headers | bytes | None]


class Incoming(Protocol):
    """A consumed record. `timestamp`: broker's milliseconds."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Rows(Protocol):
    """The shard's rows: a bounded cache over a local store that is itself a cache of the changelog."""

    def get(self, key: bytes) -> bytes | None:
        """The row, or None. The first byte of a key is its kind."""
        ...

    def put(self, key: bytes, value: bytes) -> None:
        """Write a row: store, changelog and memory hold the same bytes."""
        ...

    def delete(self, key: bytes) -> None:
        """Remove a row (a tombstone in the changelog)."""
        ...

    def open(self) -> tuple[dict[bytes, bytes | None], dict[bytes, bytes | None]]:
        """For hot loops: the dicts behind `put` (write a row into both) and `get` (the second; what it does not have
        may still be a row). Valid until the next await."""
        ...

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Rows whose key starts with `prefix` and is not below `start`, in key order, uncommitted writes included; what
        is written meanwhile does not count. Not for the hot path; not to be kept over an await."""
        ...


class Shard(Protocol):
    """One shard as its role sees it. Not thread-safe: call it from the event loop only."""

    @property
    def number(self) -> int:
        """The partition number."""
        ...

    @property
    def rows(self) -> Rows:
        """The shard's rows."""
        ...

    def emit(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> None:
        """Add an output record. `topic` is a catalogue name, without prefix."""
        ...

    def emit_all(self, topic: str, partition: int, records: Sequence[Entry]) -> None:
        """As `emit` for each record, in order."""
        ...

    def emit_latest(self, topic: str, key: bytes, value: bytes | None) -> None:
        """As emit to this shard's own partition number, but only the last value per key and transaction is sent."""
        ...

    def emit_latest_of(self, topic: str, values: Mapping[bytes, bytes | None]) -> None:
        """As `emit_latest` for each key and value."""
        ...

    def saw(self, event_id: bytes) -> None:
        """Remember a 16-byte event id as released, in this transaction. Only with a seen topic."""
        ...

    def saw_all(self, event_ids: Sequence[bytes]) -> None:
        """As `saw` for each id."""
        ...

    def seen(self, event_id: bytes) -> bool:
        """Whether that id was released before, within the horizon."""
        ...

    def unread(self, topic: str) -> int:
        """Offsets of an input (catalogue name) behind the batch that was handed over last, by the high watermark that
        came with it; 0 when it is not known."""
        ...

    async def commit(self) -> None:
        """Return when everything put or emitted so far is committed. Concurrent callers share a transaction."""
        ...


class Processor(Protocol):
    """The logic of a role. Synchronous and deterministic apart from the clock it was given."""

    def open(self, shard: Shard) -> None:
        """The shard is restored: build what is derived from its rows. Called again on every assignment."""
        ...

    def process(self, shard: Shard, topic: str, records: Sequence[Incoming]) -> int | None:
        """One batch of one partition, in offset order; `topic` is a catalogue name.

        Returns the lowest offset still held back of that topic (it and all after it are read again after a crash), or
        None when nothing is held. Raising ends the process: catch what belongs to one record and dead-letter it.
        """
        ...

    def tick(self, shard: Shard) -> dict[str, int | None]:
        """Called about every 100 ms. Returns the new limit of each topic whose held records changed, else {}."""
        ...

    def close(self, shard: Shard) -> None:
        """The shard is being revoked. What a Worker writes here is still committed; what others write is not."""
        ...


@runtime_checkable
class Worker(Protocol):
    """A processor that also works on its own: the courier."""

    async def work(self, shard: Shard) -> None:
        """Runs while the shard is assigned; cancelled on revoke or stop. Returning or raising ends the process."""
        ...


@runtime_checkable
class Diverter(Protocol):
    """A processor that can give up a record which kills the interpreter, see streams.shard.attempts."""

    def divert(self, shard: Shard, topic: str, record: Incoming, deaths: int) -> int | None:
        """Book the record as dead without looking into it: the process died on it alone `deaths` times. As `process`
        does, returns the lowest offset still held back of that topic."""
        ...
