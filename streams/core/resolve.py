"""One entity, one observation: who wins, who lost, by which rule. Pure.

Within an account the higher version wins; nothing of arrival is part of it. Across accounts the policy of the entity's
type decides on what each account said last. Folding the same observations in any order gives the same winner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from schemas.entities import Op
from streams.core.entity import NOTHING, Contribution, Entity
from streams.core.policy import Policy, PolicyKind


class Outcome(StrEnum):
    """What became of an observation."""

    WON = "won"  # it is the entity's state now
    UNCHANGED = "unchanged"  # it is the entity's state now, with the content it had
    SUPERSEDED = "superseded"  # its account or another one says something that ranks higher
    DUPLICATE = "duplicate"  # this very version is known


@dataclass(frozen=True, slots=True)
class Observation:
    """The facts of one event that decide. `version` is packed; `corrected` in microseconds UTC."""

    account: bytes
    version: bytes
    corrected: int
    op: Op


@dataclass(frozen=True, slots=True)
class Standing:
    """An account's place in a policy: `owner` rank (lower is better) and priority (lower wins a tie)."""

    owner: int
    priority: int


@dataclass(frozen=True, slots=True)
class Resolution:
    """The verdict: the entity after it, what became of the observation, and which part of the rule decided."""

    entity: Entity
    outcome: Outcome
    because: str


UNRANKED = 1 << 30


def resolve(entity: Entity, seen: Observation, policy: Policy, standings: Mapping[bytes, Standing]) -> Resolution:
    """Fold one observation into an entity."""
    before = entity.of(seen.account)
    if before is not None and seen.version <= before.version:
        same = seen.version == before.version
        return Resolution(entity, Outcome.DUPLICATE if same else Outcome.SUPERSEDED, "version")
    said = _contribution(before, seen)
    after = entity.having(said)
    if policy.kind is PolicyKind.LWW:
        winner, because = max(after.contributions, key=lambda c: _recency(c, standings)), "corrected_time"
    else:
        winner, because = min(after.contributions, key=lambda c: _ownership(c, standings)), "owner"
    if winner.account != seen.account:
        return Resolution(_kept(entity, after), Outcome.SUPERSEDED, because)
    if len(after.contributions) == 1:
        because = "only_account"
    elif before is not None and entity.winner == seen.account:
        because = "version"
    return _won(entity, after, said, because)


def _contribution(before: Contribution | None, seen: Observation) -> Contribution:
    """What the account says now.

    An echo of what we asked it to hold inherits the time of what we asked for, so that our own write does not beat a
    change made elsewhere before the write but heard of after it. The old content at the old clock value is old news
    from before our write: what was asked stays asked. Anything else is a change made there, and clears it.
    """
    fresh = Contribution(seen.account, seen.version, seen.corrected, seen.op)
    if before is None:
        return fresh
    fresh = replace(fresh, released=before.released)
    for at in reversed(range(len(before.asked))):
        content, time = before.asked[at]
        if content == fresh.fingerprint and fresh.op is Op.UPSERT:
            return replace(fresh, corrected=time, asked=before.asked[at:])
    if fresh.fingerprint == before.fingerprint and fresh.clock == before.clock:
        return replace(fresh, corrected=before.corrected, asked=before.asked)
    return fresh


def _recency(c: Contribution, standings: Mapping[bytes, Standing]) -> tuple[int, int, bytes]:
    standing = standings.get(c.account)
    return c.corrected, -(standing.priority if standing else UNRANKED), c.account


def _ownership(c: Contribution, standings: Mapping[bytes, Standing]) -> tuple[int, int, bytes]:
    standing = standings.get(c.account)
    return (standing.owner, standing.priority, c.account) if standing else (UNRANKED, UNRANKED, c.account)


def _kept(entity: Entity, after: Entity) -> Entity:
    """The loser's word is noted; the winner stays who it was."""
    return replace(after, golden_version=entity.golden_version, winner=entity.winner, fingerprint=entity.fingerprint)


def _won(entity: Entity, after: Entity, said: Contribution, because: str) -> Resolution:
    content = held(said)
    if entity.contributions and content == entity.fingerprint:
        return Resolution(replace(after, winner=said.account), Outcome.UNCHANGED, because)
    changed = replace(after, winner=said.account, fingerprint=content, golden_version=entity.golden_version + 1)
    return Resolution(changed, Outcome.WON, because)


def held(c: Contribution) -> bytes:
    """What an account holds as comparable content; a deleted record holds nothing."""
    return NOTHING if c.op is Op.DELETE else c.fingerprint


def to_push(entity: Entity, destinations: Iterable[bytes]) -> tuple[Entity, list[bytes]]:
    """Which destinations must be asked to hold the winner: those that have the record, hold something else and have
    not been asked for exactly this since they last changed. Level-triggered: an account that drifts is asked again.
    Returns the entity with what was asked noted, and the accounts."""
    winner = entity.of(entity.winner)
    if winner is None or entity.fingerprint == NOTHING:
        return entity, []
    asked = []
    for account in destinations:
        c = entity.of(account)
        if c is None or c.op is Op.DELETE or account == entity.winner:
            continue
        if entity.fingerprint in (c.fingerprint, c.pushed):
            continue
        asked.append(account)
        entity = entity.having(c.asking(entity.fingerprint, winner.corrected))
    return entity, asked
