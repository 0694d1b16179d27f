"""One entity, one observation: who wins, who lost, by which rule. Pure.

Within an account the higher version wins; nothing of arrival is part of it. Across accounts the policy of the entity's
type decides on what each account said last. Folding the same observations in any order gives the same winner.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

from connectors.kit.golden import content_fingerprint
from schemas.entities import Op
from streams.core.entity import MOST_TRIES, NOTHING, Contribution, Entity
from streams.core.policy import DeleteRule, FieldGroup, Policy, PolicyKind


class Outcome(StrEnum):
    """What became of an observation."""

    WON = "won"  # it is the entity's state now
    UNCHANGED = "unchanged"  # it is the entity's state now, with the content it had
    SUPERSEDED = "superseded"  # its account or another one says something that ranks higher
    DUPLICATE = "duplicate"  # this very version is known


class Observation(NamedTuple):
    """The facts of one event that decide. `version` is packed; `corrected` in microseconds UTC; `answer`: it is what
    the account said to a write of ours."""

    account: bytes
    version: bytes
    corrected: int
    op: Op
    answer: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """An account's place in a policy: `owner` rank (lower is better) and priority (lower wins a tie)."""

    owner: int
    priority: int


class Resolution(NamedTuple):
    """The verdict: the entity after it, what became of the observation, and which part of the rule decided.

    `promoted`: the observation lost, and made another account the winner that was not, by what that one said before.
    `tie`: the account said something else with a version that differs in nothing but its content.
    """

    entity: Entity
    outcome: Outcome
    because: str
    promoted: bool = False
    tie: bool = False


UNRANKED = 1 << 30
GONE = content_fingerprint(Op.DELETE, ())  # what an account is asked to hold of an entity that is deleted
_tries = attrgetter("tries")
_CONTENT = 21  # where the content's fingerprint begins in a version


def resolve(entity: Entity, seen: Observation, policy: Policy, standings: Mapping[bytes, Standing]) -> Resolution:
    """Fold one observation into an entity."""
    before = entity.of(seen.account)
    tie = before is not None and seen.version[:_CONTENT] == before.version[:_CONTENT] and seen.version != before.version
    if before is not None and seen.version <= before.version:
        if tie:
            entity = entity.having(before._replace(ambiguous=True))
        same = seen.version == before.version
        return Resolution(entity, Outcome.DUPLICATE if same else Outcome.SUPERSEDED, "version", tie=tie)
    said = _contribution(before, seen)._replace(ambiguous=tie)
    after = entity.having(said)
    winner, because = choose(after.contributions, policy, standings)
    golden = turned(after, winner.account, held(winner), entity)
    if winner.account != seen.account:
        return Resolution(golden, Outcome.SUPERSEDED, because, winner.account != entity.winner, tie)
    if len(after.contributions) == 1:
        because = "only_account"
    elif before is not None and entity.winner == seen.account:
        because = "version"
    changed = golden.golden_version != entity.golden_version
    return Resolution(golden, Outcome.WON if changed else Outcome.UNCHANGED, because, tie=tie)


def turned(after: Entity, winner: bytes, content: bytes, before: Entity) -> Entity:
    """The entity with its winner and golden content; a content that is new was asked of nobody yet."""
    changed, contributions = not before.contributions or content != before.fingerprint, after.contributions
    if changed and any(map(_tries, contributions)):
        contributions = tuple(c._replace(tries=0) if c.tries else c for c in contributions)
    return Entity(before.golden_version + changed, winner, content, contributions, after.layered)


def choose(
    contributions: Sequence[Contribution], policy: Policy | FieldGroup, standings: Mapping[bytes, Standing]
) -> tuple[Contribution, str]:
    """The contribution that decides, and which part of the rule chose it. There must be one."""
    deletes = policy.deletes if isinstance(policy, Policy) else DeleteRule.WINNER
    if deletes is not DeleteRule.WINNER:
        contributions = _preferred(contributions, deletes)
    if policy.kind is PolicyKind.LWW:
        winner, because = _newest(contributions, standings), "corrected_time"
    else:
        winner, because = min(contributions, key=lambda c: _ownership(c, standings)), "owner"
    return winner, f"deleted_by_{deletes}" if deletes is not DeleteRule.WINNER and winner.op is Op.DELETE else because


def _preferred(contributions: Sequence[Contribution], deletes: DeleteRule) -> Sequence[Contribution]:
    """Those among which the policy chooses: deletes, or those that have it, go before everything else."""
    preferred = [c for c in contributions if (c.op is Op.DELETE) == (deletes is DeleteRule.ANY)]
    return preferred or contributions


def _newest(contributions: Sequence[Contribution], standings: Mapping[bytes, Standing]) -> Contribution:
    """By corrected time; of those that are equal in it by priority, then account."""
    best = contributions[0]
    for c in contributions:
        if c.corrected > best.corrected or (
            c.corrected == best.corrected and _precedence(c, standings) > _precedence(best, standings)
        ):
            best = c
    return best


def _contribution(before: Contribution | None, seen: Observation) -> Contribution:
    """What the account says now.

    An echo of what we asked it to hold inherits the time of what we asked for, less a microsecond, so that our own
    write does not beat a change made elsewhere before the write, or in the same second, but heard of after it. The old
    content at the old clock value is old news from before our write: what was asked stays asked. Anything else is a
    change made there, and clears it.

    The answer to our own write says how the account stores what we asked for, rounded or trimmed perhaps: the account
    is in step with it, and what it holds is a little older than what it was asked for, so it never wins over that.
    """
    fresh = Contribution(seen.account, seen.version, seen.corrected, seen.op)
    if before is None:
        return fresh
    fresh = fresh._replace(released=before.released, tries=before.tries)
    if seen.answer and before.one_outstanding and fresh.op is Op.UPSERT:
        return fresh._replace(corrected=before.asked[-1][1] - 1, asked=before.asked[-1:])
    for at in reversed(range(len(before.asked))):
        content, time = before.asked[at]
        if content == fresh.fingerprint and fresh.op is Op.UPSERT:
            return fresh._replace(corrected=time - 1, asked=before.asked[at:])
    if fresh.fingerprint == before.fingerprint and (fresh.clock == before.clock or before.settled):
        return fresh._replace(corrected=before.corrected, asked=before.asked)
    return fresh


def _precedence(c: Contribution, standings: Mapping[bytes, Standing]) -> tuple[int, bytes]:
    standing = standings.get(c.account)
    return -(standing.priority if standing else UNRANKED), c.account


def _ownership(c: Contribution, standings: Mapping[bytes, Standing]) -> tuple[int, int, bytes]:
    standing = standings.get(c.account)
    return (standing.owner, standing.priority, c.account) if standing else (UNRANKED, UNRANKED, c.account)


def does_not_stick(c: Contribution) -> bool:
    """Whether the account was asked for the golden content as often as makes sense."""
    return c.tries >= MOST_TRIES


def held(c: Contribution) -> bytes:
    """What an account holds as comparable content; a deleted record holds nothing."""
    return NOTHING if c.op is Op.DELETE else c.fingerprint


def to_push(entity: Entity, wanted: Mapping[bytes, bytes]) -> tuple[Entity, list[bytes]]:
    """Which destinations must be asked to hold what is wanted of them (fingerprint by account): those that have the
    record, hold something else and have not been asked for exactly this since they last changed. Level-triggered: an
    account that drifts is asked again. Returns the entity with what was asked noted, and the accounts."""
    winner = entity.of(entity.winner)
    if winner is None or entity.fingerprint == NOTHING:
        return entity, []
    asked = []
    for account, content in wanted.items():
        c = entity.of(account)
        if c is None or c.op is Op.DELETE or account == entity.winner:
            continue
        if content in (c.fingerprint, c.pushed) or does_not_stick(c):
            continue
        asked.append(account)
        entity = entity.having(c.asking(content, winner.corrected))
    return entity, asked


def to_delete(entity: Entity, accounts: Iterable[bytes]) -> tuple[Entity, list[bytes]]:
    """Which destinations must be asked to delete what the winner has deleted: those that have it and have not been
    asked for that since they last changed. Returns the entity with what was asked noted, and the accounts."""
    winner = entity.of(entity.winner)
    if winner is None or entity.fingerprint != NOTHING:
        return entity, []
    asked = []
    for account in accounts:
        c = entity.of(account)
        if c is None or c.op is Op.DELETE or account == entity.winner or c.pushed == GONE or does_not_stick(c):
            continue
        asked.append(account)
        entity = entity.having(c.asking(GONE, winner.corrected))
    return entity, asked
