"""What is known of one entity, as plain data: who said what, who won by which rule, what was asked of whom. Pure.

Everything here is JSON-ready through `dataclasses.asdict`: texts, numbers and lists; times as microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from connectors.kit.contract import Account
from schemas.entities import EntityType, Op, Rank
from schemas.headers import Version
from schemas.identity import GoldenKey, account_hash
from streams.core.entity import NOTHING, Contribution, Entity
from streams.core.policy import Policy, PolicyKind
from streams.core.resolve import UNRANKED, held
from streams.runtime.config import Config
from streams.runtime.explain.records import Found, call, decision, main_values, task

NO_DECISION = "no_decision_kept"
ONLY_ACCOUNT = "only_account"
CHANGED = "by the configuration as it is now it would win: that was changed after the last event"
_UNRANKED = (UNRANKED, UNRANKED)


@dataclass(frozen=True, slots=True)
class Known:
    """What was read of one entity. `row`: None when the resolver has none; `state`: None when the topic says nothing,
    empty when it says deleted. Lists are oldest first."""

    row: Entity | None = None
    state: Mapping[str, Any] | None = None
    decisions: Sequence[Found] = ()
    pushes: Sequence[Found] = ()
    calls: Sequence[Found] = ()

    @property
    def anything(self) -> bool:
        """Whether any topic knows the entity."""
        return bool(self.row or self.state is not None or self.decisions or self.pushes or self.calls)


@dataclass(frozen=True, slots=True)
class Word:
    """What one account last said. `source_clock`: vendor sequence or microseconds; `holds_winner`: whether its content
    is the winner's; `asked`: what it was last asked to hold: winner, older, or nothing; `echo`: it says what we wrote
    there and so has the time of that; `lost_because`: empty for the winner."""

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
    holds_winner: bool
    asked: str
    echo: bool
    lost_because: str


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule that decided. `because`: the part of it, as in decision.avsc; `revision`: of the policies then;
    `configured_revision`, `configured`: of the file now."""

    kind: str
    because: str
    revision: int | None
    owners: list[str]
    configured: str
    configured_revision: int


@dataclass(frozen=True, slots=True)
class Explained:
    """The whole answer for one entity."""

    golden_key: str
    type: str
    golden_version: int | None
    deleted: bool
    rule: Rule
    accounts: list[Word] = field(default_factory=list)
    state: dict[str, str] | None = None
    decisions: list[dict[str, Any]] = field(default_factory=list)
    pushes: list[dict[str, Any]] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)


def explain(golden_key: str, known: Known, config: Config, last: int) -> Explained:
    """Put together what was read; of decisions, tasks and calls the newest `last`."""
    key = GoldenKey.parse(golden_key)
    policy = config.rules.policy(key.type)
    row = known.row
    return Explained(
        golden_key,
        key.type.value,
        row.golden_version if row else None,
        row.fingerprint == NOTHING if row else known.state == {},
        _rule(known, config, key.type),
        _words(key.tenant, row, policy, config) if row else [],
        None if known.state is None else main_values(known.state),
        [decision(one) for one in _newest(known.decisions, last)],
        [task(one) for one in _newest(known.pushes, last)],
        [call(one) for one in _newest(known.calls, last)],
    )


def _newest(found: Sequence[Found], last: int) -> Sequence[Found]:
    return found[-last:] if last else ()


# ------------------------------------------------------------------------------------------------ who said what


def _words(tenant: str, row: Entity, policy: Policy, config: Config) -> list[Word]:
    """The winner first, then by what they said last."""
    names = {account_hash(*known): account for known, account in config.accounts.items() if known[0] == tenant}
    winner = row.of(row.winner)
    ordered = sorted(row.contributions, key=lambda c: (c.account != row.winner, -c.corrected))
    return [_word(c, row, winner, policy, names) for c in ordered]


def _word(
    c: Contribution, row: Entity, winner: Contribution | None, policy: Policy, names: Mapping[bytes, Account]
) -> Word:
    version, account = Version.unpack(c.version), names.get(c.account)
    wins = c.account == row.winner
    return Word(
        account.id if account else c.account.hex(),
        account.platform if account else "",
        wins,
        "delete" if c.op is Op.DELETE else "upsert",
        version.clock,
        c.corrected,
        RANKS[version.rank],
        version.sequence,
        version.mapping_revision,
        version.fingerprint.hex(),
        held(c) == row.fingerprint,
        "nothing" if c.pushed == NOTHING else "winner" if c.pushed == row.fingerprint else "older",
        (c.fingerprint, c.corrected) in c.asked,
        "" if wins or winner is None else lost_because(c, winner, policy, names),
    )


RANKS = {Rank.SETTLED_READ: "settled read", Rank.PUSH: "push", Rank.UNSETTLED_READ: "unsettled read"}


def lost_because(loser: Contribution, winner: Contribution, policy: Policy, names: Mapping[bytes, Account]) -> str:
    """Why this word does not count, by the rules as they are configured now: the first thing in which the two differ,
    in the order of streams.core.resolve."""
    (mine, my_priority), (theirs, their_priority) = (_standing(names.get(c.account), policy) for c in (loser, winner))
    if policy.kind is PolicyKind.LWW:
        if loser.corrected != winner.corrected:
            before = f"its corrected time is {(winner.corrected - loser.corrected) / 1e6:g} s before the winner's"
            return before if loser.corrected < winner.corrected else CHANGED
        same = "same corrected time"
    else:
        if mine != theirs:
            owners = ", ".join(policy.owners)
            listed = "comes later among" if mine < UNRANKED else "is not among"
            return f"it {listed} the owners: {owners}" if mine > theirs else CHANGED
        same = "neither is an owner"
    if my_priority == their_priority:
        return f"{same} and priority, so the account id decides"
    lower = f"{same}, and its priority {_number(my_priority)} comes after {_number(their_priority)}"
    return lower if my_priority > their_priority else CHANGED


def _standing(account: Account | None, policy: Policy) -> tuple[int, int]:
    """Place among the owners and priority; lower is better."""
    if account is None:
        return _UNRANKED
    owners = policy.owners
    return owners.index(account.id) if account.id in owners else UNRANKED, account.priority


def _number(priority: int) -> str:
    return "of an unknown account" if priority == UNRANKED else str(priority)


def _rule(known: Known, config: Config, kind: EntityType) -> Rule:
    """As the newest decision says; an entity that one account alone speaks of needs none."""
    policy = config.rules.policy(kind)
    now = (list(policy.owners), policy.kind.value, config.rules.revision)
    if known.decisions:
        newest = known.decisions[-1].record
        return Rule(newest["rule"], newest["because"], newest["policy_revision"], *now)
    alone = known.row is not None and len(known.row.contributions) == 1
    return Rule(policy.kind.value, ONLY_ACCOUNT if alone else NO_DECISION, None, *now)
