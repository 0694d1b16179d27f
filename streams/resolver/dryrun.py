"""What other policies would change, over the rows of a running system: nothing is written, and nothing kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from connectors.kit.errors import Misconfigured
from schemas import codec as schemas
from schemas import identity, topics
from schemas.codec import Codec
from schemas.entities import EntityType, Op
from schemas.topics import PLATFORMS, Profile
from streams.core import policyrow
from streams.core.entity import Entity
from streams.core.ledger import LedgerBuffer
from streams.core.policy import Policy, Rules
from streams.core.policyrow import Standing
from streams.resolver.deciding import Decider
from streams.resolver.merging import META, REST, GroupWinner
from streams.resolver.refold import Refolder
from streams.resolver.refolding import ENTITY, refuse
from streams.resolver.routes import Routes, routes
from streams.runtime.state import UnreadableRow
from streams.shard.memory import MemoryRows, MemoryShard

KINDS = (ENTITY, b"V", b"O", policyrow.KEY)  # rows that are needed
NOBODY = "nobody"  # has said all of the entity
_PUSHES = {make(platform) for platform in PLATFORMS for make in (topics.push, topics.push_bulk)}


@dataclass(frozen=True, slots=True)
class Moved:
    """Fields that come from another account. `group`: by the new policies, * for those in no group; `old`: accounts
    that give them now; `new`: the one that would."""

    group: str
    old: tuple[str, ...]
    new: str


@dataclass(frozen=True, slots=True)
class Changed:
    """An entity with another winner."""

    golden_key: str
    moved: tuple[Moved, ...]


@dataclass(slots=True)
class Counts:
    """Entities of one type: all, those with another winner, those whose `state` would change, and those that would be
    left as they are because what their winner said was not kept."""

    entities: int = 0
    winners: int = 0
    states: int = 0
    unknown: int = 0


@dataclass(slots=True)
class Found:
    """What a dry run found. `types`: those with other policies; `changed`: the first entities with another winner;
    `pushes`: tasks by tenant|account; `refused`: why a resolver would refuse the policies."""

    stored: list[Standing] = field(default_factory=list)
    types: dict[EntityType, Counts] = field(default_factory=dict)
    changed: list[Changed] = field(default_factory=list)
    pushes: Counter[str] = field(default_factory=Counter)
    refused: str = ""


@dataclass(frozen=True, slots=True)
class _Old:
    """The policies that a shard stands by, and what folds by them."""

    rules: Rules
    refolder: Refolder


class DryRun:
    """Folds shard after shard by the policies of `new`. `limit`: changed entities to keep; `now`: microseconds UTC."""

    def __init__(self, new: Routes, codec: Codec, profile: Profile, limit: int, now: int) -> None:
        self._new = new
        self._codec = codec
        self._profile = profile
        self._limit = limit
        self._now = now
        self.own = Standing.of(new.rules, new.kept_types)
        self.found = Found()

    def shard(self, number: int, rows: Mapping[bytes, bytes]) -> None:
        """`rows`: of the kinds KINDS, as committed. Raises UnreadableRow for one that this version cannot read."""
        try:
            stored = policyrow.unpack(rows.get(policyrow.KEY))
            self.found.stored.append(stored)
            self._refuse(stored, number)
            self._fold(number, rows, stored)
        except ValueError as error:
            raise UnreadableRow(f"shard {number} of the resolver has a row that cannot be read: {error}") from error

    def _refuse(self, stored: Standing, number: int) -> None:
        try:
            refuse(stored, self.own, f"shard {number}")
        except Misconfigured as error:
            self.found.refused = self.found.refused or str(error)

    def _fold(self, number: int, rows: Mapping[bytes, bytes], stored: Standing) -> None:
        stale = stored.stale(self.own)
        for kind in stale:
            self.found.types.setdefault(kind, Counts())
        shard = MemoryShard(number, MemoryRows(dict(rows)))
        states: dict[int, dict[bytes, bytes | None]] = {kind.code: {} for kind in EntityType}
        decider = Decider(self._new, self._codec, self._profile, LedgerBuffer(), states, lambda: self._now)
        rules = replace(self._new.rules, policies=stored.policies)
        old = _Old(rules, Refolder(routes(rules, self._new.members.values()), self._codec))
        for key in sorted(key for key in rows if key[:1] == ENTITY):
            kind = EntityType(key.split(b"|", 2)[1].decode())
            if kind in stale:
                self._one(shard, decider, old, kind, key[1:])
                shard.pending.clear()
                states[kind.code].clear()

    def _one(self, shard: MemoryShard, decider: Decider, old: _Old, kind: EntityType, key: bytes) -> None:
        row = shard.rows.data[ENTITY + key]
        entity = Entity.unpack(row)
        values = {c.account: shard.rows.data.get(b"V" + key + c.account) for c in entity.contributions}
        kept = {account: value for account, value in values.items() if value is not None}
        before = old.refolder.refold(kind.code, entity, kept)
        after = decider.refold(shard, kind.code, key, row)
        counts = self.found.types[kind]
        counts.entities += 1
        counts.states += after.told
        counts.unknown += after.unknown
        moved = self._moved(
            kind,
            _Given(old.rules.policy(kind), entity, before.groups),
            _Given(self._new.rules.policy(kind), after.verdict.entity, after.groups),
        )
        counts.winners += bool(moved)
        if moved and len(self.found.changed) < self._limit:
            self.found.changed.append(Changed(key.decode(), moved))
        tenant = key.split(b"|", 1)[0].decode()
        for task in (one for one in shard.pending if one.topic in _PUSHES):
            self.found.pushes[identity.join(tenant, (task.key or b"").split(b"|", 1)[0].decode())] += 1

    # -- who gives what

    def _moved(self, kind: EntityType, old: _Given, new: _Given) -> tuple[Moved, ...]:
        """By the groups of the new policies, where the entity is put together by them."""
        fields = [one["name"] for one in schemas.load(kind.value)["fields"] if one["name"] != META]
        gave, gives = self._givers(old, fields), self._givers(new, fields)
        in_groups = {group.name: group.fields for group in new.policy.groups} if new.groups else {}
        rest = [name for name in fields if not any(name in names for names in in_groups.values())]
        found = []
        for group, names in {REST: rest, **in_groups}.items():
            was, will = {gave[name] for name in names}, {gives[name] for name in names}
            if was != will:
                found.append(Moved(group, tuple(sorted(was)), *will))
        return tuple(found)

    def _givers(self, given: _Given, fields: Sequence[str]) -> dict[str, str]:
        """The account that gives each field, in words."""
        winner = given.entity.of(given.entity.winner)
        if winner is None:
            return dict.fromkeys(fields, NOBODY)
        deletes = " (deletes it)" if winner.op is Op.DELETE else ""
        givers = dict.fromkeys(fields, f"{self._name(winner.account)}{deletes}")
        names = {group.name: group.fields for group in given.policy.groups}
        for one in given.groups:
            givers |= dict.fromkeys(names.get(one.group, ()), self._name(one.account))
        return givers

    def _name(self, account: bytes) -> str:
        member = self._new.members.get(account)
        return member.account if member else account.hex()


@dataclass(frozen=True, slots=True)
class _Given:
    """An entity and who gives what of it by some policy."""

    policy: Policy
    entity: Entity
    groups: Sequence[GroupWinner]
