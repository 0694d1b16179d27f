"""What is known of one entity, as plain data: who said what, who won by which rule, what was asked of whom. Pure.

Everything here is JSON-ready through `dataclasses.asdict`: texts, numbers and lists; times as microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from connectors.kit.contract import Account
from schemas.entities import Op
from schemas.identity import GoldenKey, account_hash
from streams.core.entity import NOTHING, Entity
from streams.core.policy import Policy, PolicyKind
from streams.runtime.config import Config
from streams.runtime.explain.moment import UNCOUNTED, Moment, moment, packed, said_in
from streams.runtime.explain.records import Found, call, decision, event, group, main_values, place, task
from streams.runtime.explain.words import Circumstances, Word, words

NO_DECISION = "no_decision_kept"
ONLY_ACCOUNT = "only_account"


@dataclass(frozen=True, slots=True)
class Known:
    """What was read of one entity. `row`: None when the resolver has none; `state`: None when the topic says nothing,
    empty when it says deleted. Lists are oldest first. `said`: the newest event of each account, `decided`: the newest
    decision about an event of it, both by account hash. `at`: microseconds UTC of the moment that is asked for, None
    for now; of a moment there are neither row nor state, they are told from the rest."""

    row: Entity | None = None
    state: Mapping[str, Any] | None = None
    decisions: Sequence[Found] = ()
    pushes: Sequence[Found] = ()
    calls: Sequence[Found] = ()
    events: Sequence[Found] = ()
    said: Mapping[bytes, Found] = field(default_factory=dict)
    decided: Mapping[bytes, Found] = field(default_factory=dict)
    at: int | None = None

    @property
    def anything(self) -> bool:
        """Whether any topic knows the entity."""
        told = (self.row, self.decisions, self.pushes, self.calls, self.events)
        return any(told) or self.state is not None


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
    """The whole answer for one entity, as of `at` (None: now). `groups`: the winner of each group of fields that has a
    rule of its own."""

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
    events: list[dict[str, Any]] = field(default_factory=list)
    groups: list[dict[str, Any]] = field(default_factory=list)
    at: int | None = None


def explain(golden_key: str, known: Known, config: Config, last: int) -> Explained:
    """Put together what was read; of decisions, events, tasks and calls the newest `last`."""
    key = GoldenKey.parse(golden_key)
    then = _moment(key, known, config)
    row, agreed = (then.entity, then.agreed) if then else (None, frozenset[bytes]())
    groups = [group(one) for one in known.decisions[-1].record.get("groups") or ()] if known.decisions else []
    merged = bool(groups) or config.rules.policy(key.type).merges
    around = Circumstances(_policy(known, config, key), _names(key, config), _events(row, known), agreed, merged)
    state = _state_then(row, known, around, groups) if known.at is not None else known.state
    return Explained(
        golden_key,
        key.type.value,
        row.golden_version if row and row.golden_version != UNCOUNTED else None,
        row.fingerprint == NOTHING if row else state == {},
        _rule(known, config, key, row),
        words(row, around) if row else [],
        None if state is None else main_values(state),
        [decision(one) for one in _newest(known.decisions, last)],
        [task(one) for one in _newest(known.pushes, last)],
        [call(one) for one in _newest(known.calls, last)],
        [event(one) for one in _newest(known.events, last)],
        groups,
        known.at,
    )


def _newest(found: Sequence[Found], last: int) -> Sequence[Found]:
    return found[-last:] if last else ()


def _names(key: GoldenKey, config: Config) -> dict[bytes, Account]:
    return {account_hash(*known): account for known, account in config.accounts.items() if known[0] == key.tenant}


# ------------------------------------------------------------------------------------------------ the entity


def _moment(key: GoldenKey, known: Known, config: Config) -> Moment | None:
    if known.at is None:
        return Moment(known.row) if known.row else None
    return moment(
        key, known.decisions[-1] if known.decisions else None, known.said, known.pushes,
        config.rules.policy(key.type), _names(key, config),
    )  # fmt: skip


def _state_then(
    row: Entity | None, known: Known, around: Circumstances, groups: Sequence[Mapping[str, str]]
) -> Mapping[str, Any] | None:
    """What the winner's event said, with the fields of every group from the event of the account that won it, as far
    as those events are kept; None when one is not, or said some of its fields only."""
    winner = row.of(row.winner) if row else None
    if row is None or winner is None or around.policy.partial:
        return None
    if winner.op is Op.DELETE:
        return {}
    said = {account.id: h for h, account in around.names.items()}
    fields = {one.name: one.fields for one in around.policy.groups}
    parts = [(one["account"], fields.get(one["group"], ())) for one in groups if one["group"] in fields]
    record = _said(row, known, winner.account)
    for account, names in parts:
        given = _said(row, known, said.get(account, b""))
        record = record | {name: given[name] for name in names} if record and given else None
    return record


def _said(row: Entity, known: Known, account: bytes) -> dict[str, Any] | None:
    """The record in which an account said what it stands with."""
    found, stands = known.said.get(account), row.of(account)
    if found is None or stands is None or packed(found.record["meta"]["version"]) != stands.version:
        return None
    return dict(found.record)


def _events(row: Entity | None, known: Known) -> dict[bytes, dict[str, Any]]:
    """Where the event of each contribution stands, as far as events and decisions still tell."""
    told: dict[bytes, dict[str, Any]] = {}
    for c in row.contributions if row else ():
        found, decided = known.said.get(c.account), known.decided.get(c.account)
        if decided is not None and c.version == said_in(decided.record):
            source = {name: decided.record[f"source_{name}"] for name in ("topic", "partition", "offset")}
            told[c.account] = {"event_id": decided.record["event_id"].hex(), "inbound": source}
        if found is not None and packed(found.record["meta"]["version"]) == c.version:
            meta = found.record["meta"]
            told[c.account] = {
                "event_id": meta["event_id"].hex(),
                "delivery_id": meta["delivery_id"],
                "channel": meta["channel"].lower(),
                "inbound": told.get(c.account, {}).get("inbound"),
                "events": place(found),
            }
    return told


# ------------------------------------------------------------------------------------------------ the rule


def _rule(known: Known, config: Config, key: GoldenKey, row: Entity | None) -> Rule:
    """As the newest decision says; an entity that one account alone speaks of needs none."""
    policy = config.rules.policy(key.type)
    now = (list(policy.owners), policy.kind.value, config.rules.revision)
    if known.decisions:
        newest = known.decisions[-1].record
        return Rule(newest["rule"], newest["because"], newest["policy_revision"], *now)
    alone = row is not None and len(row.contributions) == 1
    return Rule(policy.kind.value, ONLY_ACCOUNT if alone else NO_DECISION, None, *now)


def _policy(known: Known, config: Config, key: GoldenKey) -> Policy:
    """The policy as configured; of a moment the kind that decided then, whose owners are known only as they are now."""
    policy = config.rules.policy(key.type)
    if known.at is None or not known.decisions:
        return policy
    kind = known.decisions[-1].record["rule"]
    return replace(policy, kind=PolicyKind(kind)) if kind in set(PolicyKind) else policy
