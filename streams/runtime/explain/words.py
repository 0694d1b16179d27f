"""Who said what, and why a loser lost: the contributions of one entity as plain data. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.kit.contract import Account
from schemas.entities import Op, Rank
from schemas.headers import Version
from streams.core.entity import NOTHING, Contribution, Entity
from streams.core.policy import Policy, PolicyKind
from streams.core.resolve import UNRANKED, Standing, does_not_stick, held

CHANGED = "by the configuration as it is now it would win: that was changed after the last event"
AGREED = "it says what the winner says, so nothing had to be decided"
RANKS = {Rank.SETTLED_READ: "settled read", Rank.PUSH: "push", Rank.UNSETTLED_READ: "unsettled read"}
_UNRANKED = Standing(UNRANKED, UNRANKED)


@dataclass(frozen=True, slots=True)
class Word:
    """What one account last said. `source_clock`: vendor sequence or microseconds; `holds_winner`: whether its content
    is the winner's, None where the golden record is put together from several accounts; `asked`: what it was last
    asked to hold: winner, older, parts of a golden record that is put together, or nothing; `echo`: it says what we
    wrote there and so has the time of that; `lost_because`: empty for the winner; `ambiguous`: it said two different
    things with one version; `stuck`: it held something else after every write and is not asked any more; `event`:
    where the event that said it stands, None when no topic that was read has it any more."""

    account: str
    platform: str
    wins: bool
    op: str
    source_clock: int
    corrected_time: int
    rank: str
    sequence: int
    mapping_revision: int
    fingerprint: str
    holds_winner: bool | None
    asked: str
    echo: bool
    lost_because: str
    ambiguous: bool = False
    stuck: bool = False
    event: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is needed to judge words. `names`, `events`, `agreed`: by account hash; of the accounts in `agreed` no
    decision was written, because they said what the winner says. `merged`: the golden record is put together."""

    policy: Policy
    names: Mapping[bytes, Account]
    events: Mapping[bytes, dict[str, Any]]
    agreed: Collection[bytes] = ()
    merged: bool = False


def words(row: Entity, around: Circumstances) -> list[Word]:
    """The winner first, then by what they said last."""
    ordered = sorted(row.contributions, key=lambda c: (c.account != row.winner, -c.corrected))
    return [_word(c, row, around) for c in ordered]


def _word(c: Contribution, row: Entity, around: Circumstances) -> Word:
    version, account, same = Version.unpack(c.version), around.names.get(c.account), held(c) == row.fingerprint
    return Word(
        account.id if account else c.account.hex(),
        account.platform if account else "",
        c.account == row.winner,
        "delete" if c.op is Op.DELETE else "upsert",
        version.clock,
        c.corrected,
        RANKS[version.rank],
        version.sequence,
        version.mapping_revision,
        version.fingerprint.hex(),
        None if around.merged else same,
        _asked(c, row, merged=around.merged),
        (c.fingerprint, c.corrected) in c.asked,
        _lost(c, row, around, same=same),
        c.ambiguous,
        does_not_stick(c),
        around.events.get(c.account),
    )


def _asked(c: Contribution, row: Entity, *, merged: bool) -> str:
    if c.pushed == NOTHING:
        return "nothing"
    if merged:
        return "parts"
    return "winner" if c.pushed == row.fingerprint else "older"


def _lost(c: Contribution, row: Entity, around: Circumstances, *, same: bool) -> str:
    winner = row.of(row.winner)
    if winner is None or c.account == row.winner:
        return ""
    if same and c.account in around.agreed:
        return AGREED
    return lost_because(c, winner, around.policy, around.names)


def lost_because(loser: Contribution, winner: Contribution, policy: Policy, names: Mapping[bytes, Account]) -> str:
    """Why this word does not count, by these rules: the first thing in which the two differ, in the order of
    streams.core.resolve."""
    mine, theirs = (standing(names.get(c.account), policy) for c in (loser, winner))
    if policy.kind is PolicyKind.LWW:
        if loser.corrected != winner.corrected:
            before = f"its corrected time is {(winner.corrected - loser.corrected) / 1e6:g} s before the winner's"
            return before if loser.corrected < winner.corrected else CHANGED
        same = "same corrected time"
    else:
        if mine.owner != theirs.owner:
            owners = ", ".join(policy.owners)
            listed = "comes later among" if mine.owner < UNRANKED else "is not among"
            return f"it {listed} the owners: {owners}" if mine.owner > theirs.owner else CHANGED
        same = "neither is an owner"
    if mine.priority == theirs.priority:
        return f"{same} and priority, so the account id decides"
    lower = f"{same}, and its priority {_number(mine.priority)} comes after {_number(theirs.priority)}"
    return lower if mine.priority > theirs.priority else CHANGED


def standing(account: Account | None, policy: Policy) -> Standing:
    """An account's place among the owners and its priority; lower is better."""
    if account is None:
        return _UNRANKED
    owners = policy.owners
    return Standing(owners.index(account.id) if account.id in owners else UNRANKED, account.priority)


def _number(priority: int) -> str:
    return "of an unknown account" if priority == UNRANKED else str(priority)
