"""Whether the resolver's rows are what its inputs say: a fresh replay, shard by shard in memory, against the changelog.

The replay goes exactly as far as the shard has applied its inputs: row `P` says that in the transaction of all the
other rows, so a resolver may run meanwhile. `events` do not change rows, so nothing is held back.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby, islice, takewhile
from typing import cast

from confluent_kafka import Consumer

from schemas import topics
from schemas.codec import Codec
from schemas.entities import EntityType
from schemas.topics import Profile
from streams.core import policyrow
from streams.core.entity import NOTHING, Entity
from streams.core.ledger import DAY_MICROS
from streams.core.policy import Ordering, OrderingMode
from streams.resolver.processor import Resolver
from streams.resolver.role import routes_of
from streams.resolver.routes import Routes
from streams.runtime import state
from streams.runtime.config import Config
from streams.runtime.rowtext import applied_up_to
from streams.runtime.settings import Settings
from streams.runtime.state import Difference
from streams.runtime.statesource import ChangelogSource, Row
from streams.runtime.topicreader import Seen, TopicReader, open_reader
from streams.shard.api import Headers, Incoming
from streams.shard.changelog import log_bounds
from streams.shard.memory import MemoryShard
from streams.testing.memoryhost import Record

INPUTS = (topics.INBOUND, topics.INBOUND_BULK)
_BATCH = 1_000
_PLACE = b"P"
_WANTED = (_PLACE, state.ENTITY, policyrow.KEY)


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one shard. `cut`: why no replay can be made; then nothing was compared. `events`: how many records
    were replayed; `entities`: how many the shard keeps; `other_rules`: types whose entities stand by other policies
    than those of the configuration, with which they were replayed."""

    shard: int
    cut: str = ""
    events: int = 0
    entities: int = 0
    kept: str = ""
    replayed: str = ""
    differences: tuple[Difference, ...] = ()
    other_rules: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether rows and replay were compared and agree."""
        return not self.cut and self.kept == self.replayed


class RowsOnly(MemoryShard):
    """A shard that keeps what a replay is made for, and drops what it would say: memory grows with entities only."""

    def emit(
        self, topic: str, partition: int, key: bytes | None, value: bytes | None, headers: Headers | None = None
    ) -> None:
        return

    def emit_latest(self, topic: str, key: bytes, value: bytes | None) -> None:
        return

    def saw(self, event_id: bytes) -> None:
        return

    def saw_all(self, event_ids: Sequence[bytes]) -> None:
        return


class Replay:
    """Replays of one installation. `settings`: how to reach it; close it after use."""

    def __init__(self, settings: Settings, config: Config, codec: Codec) -> None:
        self._settings = settings
        self._routes = unordered(config)
        self._codec = codec
        self._readers = {name: open_reader(settings, [name]) for name in (topics.RESOLVE_CHANGELOG, *INPUTS)}
        self._rows = ChangelogSource(self._readers[topics.RESOLVE_CHANGELOG], topics.RESOLVE_CHANGELOG)
        probe = {**settings.librdkafka(), "group.id": "sluice-reader", "enable.auto.commit": False}
        self._probe = Consumer(probe)

    def shards(self) -> list[int]:
        """The shards there are. Raises KafkaException."""
        return self._rows.shards()

    def check(self, shard: int) -> Checked:
        """Replay one shard and compare. Raises KafkaException, and UnreadableRow for a row of another version."""
        rows = self._rows.rows(shard, lambda key: key[:1] in _WANTED)
        places = {key[1:].decode(): applied_up_to(row.value) for key, row in rows.items() if key[:1] == _PLACE}
        kept = self._kept((key, row.value) for key, row in rows.items())
        cut = self._cut(shard, places)
        if cut:
            return Checked(shard, cut, entities=len(kept))
        inputs = Inputs(self._readers, shard, places)
        replayed = self._kept(fold(self._routes, self._codec, self._settings.topics(), shard, inputs).items())
        cut = self._cut(shard, places)  # retention does not wait for a reader
        if cut:
            return Checked(shard, cut, inputs.read, len(kept))
        wrong = tuple(state.differences(kept, replayed))
        digests = (state.digest(kept), state.digest(replayed))
        return Checked(shard, "", inputs.read, len(kept), *digests, wrong, self._other_rules(rows.get(policyrow.KEY)))

    def close(self) -> None:
        """Leave."""
        self._probe.close()
        for reader in self._readers.values():
            reader.close()

    def _other_rules(self, row: Row | None) -> tuple[str, ...]:
        if row is None:
            return ()
        try:
            standing = policyrow.unpack(row.value)
        except ValueError as error:
            raise state.UnreadableRow(str(error)) from error
        return tuple(standing.differing(policyrow.Standing.of(self._routes.rules, ())))

    def _kept(self, rows: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
        """Without graves that are due: when a shard removes them depends on when it looks."""
        due = time.time_ns() // 1000 - self._routes.rules.grave_days * DAY_MICROS
        return {key: row for key, row in state.replayable(rows).items() if not _is_due(state.unpacked(key, row), due)}

    def _cut(self, shard: int, places: dict[str, int]) -> str:
        for name in INPUTS:
            low, end = log_bounds(self._probe, self._settings.topic_prefix + name, shard)
            applied = places.get(name, 0)
            if low:
                return f"{name} partition {shard} begins at offset {low}: retention has deleted what was before"
            if end < applied:
                return (
                    f"{name} partition {shard} ends at offset {end}, the resolver has applied it up to {applied}: it "
                    f"was made anew"
                )
        return ""


def _is_due(entity: Entity, due: int) -> bool:
    return entity.fingerprint == NOTHING and all(c.corrected < due for c in entity.contributions)


class Inputs:
    """The records of one shard's inputs up to where it has applied them, as batches in the order of the broker's
    clock; `read` counts them."""

    def __init__(self, readers: dict[str, TopicReader], shard: int, places: dict[str, int]) -> None:
        self._readers = readers
        self._shard = shard
        self._places = places
        self.read = 0

    def __iter__(self) -> Iterator[tuple[str, list[Incoming]]]:
        logs = [self._log(name, self._places[name]) for name in INPUTS if self._places.get(name)]
        merged = heapq.merge(*logs, key=lambda one: one[1].timestamp)
        for name, run in groupby(merged, key=lambda one: one[0]):
            records = (record for _, record in run)
            while batch := [_incoming(record) for record in islice(records, _BATCH)]:
                self.read += len(batch)
                yield name, batch

    def _log(self, name: str, end: int) -> Iterator[tuple[str, Seen]]:
        scan = cast("Generator[Seen]", self._readers[name].scan(name, [self._shard]))
        with closing(scan) as records:  # a reader has one scan at a time, and this one may end before the log does
            for record in takewhile(lambda one: one.offset < end, records):
                yield name, record


def _incoming(record: Seen) -> Incoming:
    return Record(record.offset, record.key, record.value, record.headers, record.timestamp)


def unordered(config: Config) -> Routes:
    """The rules of a configuration, with `events` of no type."""
    nothing = dict.fromkeys(EntityType, Ordering(OrderingMode.NONE))
    return routes_of(replace(config, rules=replace(config.rules, ordering=nothing)))


def fold(
    routes: Routes, codec: Codec, profile: Profile, shard: int, batches: Iterable[tuple[str, Sequence[Incoming]]]
) -> dict[bytes, bytes]:
    """The rows of a fresh resolver after these batches of (topic, records)."""
    kept = RowsOnly(shard)
    resolver = Resolver(routes, codec, profile, now=lambda: 0, monotonic=lambda: 0.0)
    resolver.open(kept)
    for topic, records in batches:
        resolver.process(kept, topic, records)
    return kept.rows.data
