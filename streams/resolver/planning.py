"""What other flows would send, over the rows of a running system: nothing is written, and nothing kept.

A resolver that is started with them looks at the same entities (sweeping.py), so what is foretold is what it then does,
as long as nobody says anything new meanwhile.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from connectors.kit.errors import Misconfigured
from schemas import identity, topics
from schemas.codec import Codec
from schemas.entities import EntityType, Op
from schemas.topics import PLATFORMS, Profile
from streams.core import flowrow, policyrow
from streams.core.entity import Entity
from streams.core.flowrow import Standing
from streams.core.ledger import LedgerBuffer
from streams.resolver.deciding import Decider
from streams.resolver.moving import GIVEN
from streams.resolver.refolding import ENTITY
from streams.resolver.routes import Routes
from streams.resolver.sweeping import refuse
from streams.resolver.unfit import Unfit
from streams.runtime.state import UnreadableRow
from streams.shard.memory import MemoryRows, MemoryShard

KINDS = (ENTITY, b"V", b"O", GIVEN, flowrow.KEY, policyrow.KEY)  # rows that are needed
_PUSHES = {make(platform) for platform in PLATFORMS for make in (topics.push, topics.push_bulk)}


@dataclass(frozen=True, slots=True, order=True)
class Way:
    """A flow and one of its destinations (tenant|account). `what`: command, or upsert or delete of a set."""

    flow: str
    account: str
    what: str


@dataclass(frozen=True, slots=True)
class Sent:
    """A task that would be sent."""

    golden_key: str
    way: Way


@dataclass(slots=True)
class Found:
    """What a dry run found. `seen`: entities looked at by type; `unknown`: those of them whose winner's value was not
    kept, so that nothing is known until it speaks again; `first`: of the tasks; `refused`: why a resolver would."""

    stored: list[Standing] = field(default_factory=list)
    seen: Counter[EntityType] = field(default_factory=Counter)
    unknown: Counter[EntityType] = field(default_factory=Counter)
    tasks: Counter[Way] = field(default_factory=Counter)
    first: list[Sent] = field(default_factory=list)
    refused: str = ""


class Plan:
    """Looks at shard after shard. `limit`: tasks to show; `now`: microseconds UTC; `everything`: also at types of which
    no flow differs, so that it tells what is out of step."""

    def __init__(
        self, new: Routes, codec: Codec, profile: Profile, limit: int, now: int, *, everything: bool = False
    ) -> None:
        self._new = new
        self._codec = codec
        self._profile = profile
        self._limit = limit
        self._now = now
        self._everything = everything
        self.own = Standing.of(new.rules)
        self.found = Found()

    def shard(self, number: int, rows: Mapping[bytes, bytes]) -> None:
        """`rows`: of the kinds KINDS, as committed; a shard without any was never opened and has nothing to compare.

        Raises UnreadableRow for one that this version cannot read.
        """
        if not rows:
            return
        try:
            stored = flowrow.unpack(rows.get(flowrow.KEY))
            self.found.stored.append(stored)
            self._refuse(stored, number)
            self._look(number, rows, self._types(stored))
        except ValueError as error:
            raise UnreadableRow(f"shard {number} of the resolver has a row that cannot be read: {error}") from error

    def _types(self, stored: Standing) -> list[EntityType]:
        if self._everything:
            return [kind for kind in EntityType if kind.code in self._new.routed_types]
        return stored.stale(self.own)

    def _refuse(self, stored: Standing, number: int) -> None:
        try:
            refuse(stored, self.own, f"shard {number}")
        except Misconfigured as error:
            self.found.refused = self.found.refused or str(error)

    def _look(self, number: int, rows: Mapping[bytes, bytes], types: list[EntityType]) -> None:
        shard = MemoryShard(number, MemoryRows(dict(rows)))
        states: dict[int, dict[bytes, bytes | None]] = {kind.code: {} for kind in EntityType}
        decider = Decider(self._new, self._codec, self._profile, LedgerBuffer(), states, lambda: self._now)
        for key in sorted(key for key in rows if key[:1] == ENTITY):
            kind = EntityType(key.split(b"|", 2)[1].decode())
            if kind in types:
                self._one(shard, decider, kind, key[1:], rows[key])

    def _one(self, shard: MemoryShard, decider: Decider, kind: EntityType, key: bytes, row: bytes) -> None:
        entity = Entity.unpack(row)
        winner = entity.of(entity.winner)
        self.found.seen[kind] += 1
        if winner is not None and winner.op is Op.UPSERT and shard.rows.get(b"V" + key + winner.account) is None:
            self.found.unknown[kind] += 1
        with suppress(Unfit):  # as the resolver does
            decider.move(shard, kind.code, key, row)
        for one in shard.pending:
            if one.topic in _PUSHES:
                self._note(one.value or b"")
        shard.pending.clear()

    def _note(self, value: bytes) -> None:
        task = self._codec.decode(value)
        what = task["kind"] if task["kind"] == "command" else task["op"]
        way = Way(task["flow"], identity.join(task["tenant"], task["account"]), what)
        self.found.tasks[way] += 1
        if len(self.found.first) < self._limit:
            self.found.first.append(Sent(task["golden_key"], way))
