"""A shard of the resolver in memory, fed from logs with duplicates, batch splits, crashes and a clock of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from schemas import headers, identity, topics
from schemas.codec import Codec
from schemas.entities import Channel, Completeness, EntityType, Op, Rank
from schemas.headers import EventFacts, Header, Version
from schemas.topics import PROFILES
from streams.core.entity import Entity
from streams.core.policy import Ordering, OrderingMode, Policy, Rules
from streams.core.resolve import Observation
from streams.resolver.processor import Resolver
from streams.resolver.routes import Member, Routes, routes
from streams.runtime.state import comparable
from streams.shard.memory import MemoryShard
from streams.testing.memoryhost import MemoryHost
from streams.testing.memoryhost import Record as Record  # what a log holds

TOPICS = (topics.INBOUND, topics.INBOUND_BULK)
KIND = EntityType.PRICE
ACCOUNTS = ("shop", "erp", "pos")
MEMBERS = [Member("acme", name, "shopify", priority) for priority, name in enumerate(ACCOUNTS)]
BASE = 1_700_000_000_000_000
STEP = 100_000  # microseconds between two clock values
LATENESS = 0.5
STATE, EVENTS = topics.state(KIND), topics.events(KIND)


class Ids:
    """A registry that knows every schema by the id 1."""

    def id_of(self, name: str) -> int:
        return 1

    def schema_of(self, schema_id: int) -> Any:
        raise KeyError(schema_id)


@dataclass(frozen=True)
class Said:
    """What one account said of one entity, once. Corrected time grows with the clock, as it does at one account."""

    account: int
    entity: int
    clock: int
    rank: int
    content: int
    revision: int = 1

    @property
    def op(self) -> Op:
        return Op.DELETE if self.content == 0 else Op.UPSERT

    @property
    def event_id(self) -> bytes:
        return identity.fingerprint(repr(self).encode()) * 2

    @property
    def key(self) -> bytes:
        return identity.join("acme", KIND.value, f"SKU{self.entity}").encode()

    @property
    def value(self) -> bytes | None:
        return None if self.op is Op.DELETE else repr(self).encode()

    @property
    def source(self) -> tuple[bytes, int]:
        return self.key, self.account

    def version(self, unit: int) -> Version:
        clock = self.clock if unit == 1 else BASE + self.clock * unit
        return Version(clock, Rank(self.rank), 0, self.revision, identity.fingerprint(b"%d" % self.content))

    def observation(self, unit: int) -> Observation:
        corrected = BASE + self.clock * STEP - self.account * 30_000
        return Observation(MEMBERS[self.account].hash, self.version(unit).pack(), corrected, self.op)

    def header(self, unit: int) -> bytes:
        seen = self.observation(unit)
        return Header(
            self.event_id,
            self.version(unit),
            seen.corrected,
            seen.account,
            BASE,
            KIND,
            self.op,
            Completeness.FULL,
            Channel.WEBHOOK,
        ).pack()


@dataclass(frozen=True)
class Move:
    """The next `size` records of a topic are processed; then time passes, and a commit or a crash may follow."""

    topic: int
    size: int
    pause: float
    commits: bool
    crashes: bool


says = st.builds(
    Said,
    account=st.integers(0, 2),
    entity=st.integers(0, 1),
    clock=st.integers(1, 12),
    rank=st.integers(0, 2),
    content=st.integers(0, 3),
)
moves = st.lists(
    st.builds(
        Move,
        topic=st.integers(0, 1),
        size=st.integers(1, 6),
        pause=st.sampled_from([0.0, 0.0, 0.2, 0.7]),
        commits=st.booleans(),
        crashes=st.sampled_from([False, False, True]),
    ),
    max_size=15,
)


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[list[Said]], list[Move]]:
    """Two logs that together hold everything said at least once, in any order, and how they are worked off."""
    said = draw(st.lists(says, unique_by=lambda s: s.event_id, max_size=14))
    again = draw(st.lists(st.sampled_from(said), max_size=6)) if said else []
    logs: list[list[Said]] = [[], []]
    for one in draw(st.permutations([*said, *again])):
        logs[draw(st.integers(0, 1))].append(one)
    return logs, draw(moves)


@dataclass
class Shop:
    """Rules with one policy and one ordering for every type."""

    policy: Policy
    mode: OrderingMode

    @property
    def unit(self) -> int:
        return 1 if self.mode is OrderingMode.CONTIGUOUS else STEP

    @property
    def table(self) -> Routes:
        ordering = {kind: Ordering(self.mode, LATENESS) for kind in EntityType}
        return routes(Rules(policies=dict.fromkeys(EntityType, self.policy), ordering=ordering), MEMBERS)


@dataclass
class Run:
    """A resolver over two logs, worked off move by move."""

    shop: Shop
    logs: list[list[Record]]
    make: Callable[..., Resolver] = Resolver
    now: float = 1_000.0

    def __post_init__(self) -> None:
        self.host = MemoryHost(self._resolver, dict(zip(TOPICS, self.logs, strict=True)))

    def _resolver(self) -> Resolver:
        return self.make(
            self.shop.table, Codec(Ids()), PROFILES["development"], now=lambda: BASE, monotonic=lambda: self.now
        )

    @property
    def shard(self) -> MemoryShard:
        return self.host.shard

    @property
    def limits(self) -> dict[str, int | None]:
        return self.host.limits

    def work(self, all_moves: list[Move]) -> Run:
        for move in all_moves:
            self.process(move.topic, move.size)
            self.wait(move.pause)
            if move.commits:
                self.commit()
            if move.crashes:
                self.crash()
        return self

    def process(self, topic: int, size: int) -> None:
        self.host.process(TOPICS[topic], size)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.host.tick()

    def commit(self) -> None:
        self.host.commit()

    def crash(self) -> None:
        self.host.crash()

    def finish(self) -> Run:
        """Everything is read, every held event is overdue, all is committed."""
        for topic, log in zip(TOPICS, self.logs, strict=True):
            while self.host.positions[topic] < len(log):
                self.host.process(topic, 5)
        self.wait(LATENESS + 0.1)
        self.commit()
        return self

    # -- what came out

    def rows(self) -> dict[bytes, Entity]:
        """Entities by golden key, without what depends on the order in which they came about."""
        return {key[1:]: comparable(Entity.unpack(value)) for key, value in self.shard.rows.scan(b"E")}

    def state(self) -> dict[bytes | None, bytes | None]:
        return {record.key: record.value for record in self.shard.outputs(STATE)}

    def events(self) -> list[tuple[EventFacts, bytes | None, bytes | None]]:
        return [
            (EventFacts.unpack((record.headers or [])[0][1]), record.key, record.value)
            for record in self.shard.outputs(EVENTS)
        ]


def logs_of(said: list[list[Said]], unit: int) -> list[list[Record]]:
    return [
        [Record(at, one.key, one.value, [(headers.NAME, one.header(unit))]) for at, one in enumerate(log)]
        for log in said
    ]


def by_source(said: list[list[Said]]) -> dict[bytes, list[Said]]:
    """Everything said, once, by golden key."""
    found: dict[bytes, list[Said]] = defaultdict(list)
    for one in {one.event_id: one for log in said for one in log}.values():
        found[one.key].append(one)
    return found
