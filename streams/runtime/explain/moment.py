"""An entity as it was at some time, told from the decisions and events up to then. Pure.

The newest decision says what every account held. What came after it without a decision of its own changed nothing:
decisions of several accounts are always written where something differs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.kit.contract import Account
from schemas.entities import Op, Rank
from schemas.headers import Version
from schemas.identity import GoldenKey, account_hash
from streams.core.entity import EMPTY, MOST_TRIES, NOTHING, Contribution, Entity
from streams.core.policy import Policy
from streams.core.resolve import Observation, resolve
from streams.runtime.explain.records import Found, micros
from streams.runtime.explain.words import standing

UNCOUNTED = 0  # golden version of an entity of which no decision is kept
_HASH = re.compile(r"[0-9a-f]{16}")
_BACK = re.compile(r"-(\d+(?:\.\d+)?)([smhd])")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Moment:
    """An entity, and the accounts (by hash) of whose newest word no decision was written."""

    entity: Entity
    agreed: frozenset[bytes] = frozenset()


def parse_time(text: str, now: int) -> int:
    """Microseconds UTC of an ISO time (UTC unless it says otherwise), or of so long ago: -90s, -10m, -2h, -1.5d.

    `now`: microseconds UTC. Raises ValueError for anything else and for the future.
    """
    back = _BACK.fullmatch(text)
    if back:
        return now - round(float(back[1]) * _UNITS[back[2]] * 1_000_000)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is no time; say 2026-03-01T12:00:00Z, or how long ago: -90s, -10m, -2h, -1d"
        ) from None
    at = ((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // timedelta(microseconds=1)
    if at > now:
        raise ValueError(f"{text!r} lies in the future; without --at the answer is that of now")
    return at


def packed(version: Mapping[str, Any]) -> bytes:
    """The version of a decoded record, as rows hold it."""
    return Version(
        version["clock"], Rank(version["rank"]), version["sequence"], version["mapping_revision"],
        version["fingerprint"],
    ).pack()  # fmt: skip


def said_in(decision: Mapping[str, Any]) -> bytes | None:
    """The version that the account of a decision's event stood with after it."""
    everybody = (decision["winner"], *decision["losers"])
    return next((packed(one["version"]) for one in everybody if one["account"] == decision["event_account"]), None)


def hashed(tenant: str, name: str, names: Mapping[bytes, Account]) -> bytes:
    """The account of a decision; one that was not configured then stands there by its hash."""
    found = account_hash(tenant, name)
    return bytes.fromhex(name) if found not in names and _HASH.fullmatch(name) else found


def moment(
    key: GoldenKey,
    decision: Found | None,
    said: Mapping[bytes, Found],
    pushes: Sequence[Found],
    policy: Policy,
    names: Mapping[bytes, Account],
) -> Moment | None:
    """The entity after its newest decision and the newest event of each account; None when there is neither. Without
    a decision `policy` judges. `said`, `names`: by account hash."""
    heard = {account: _of_event(account, found.record["meta"]) for account, found in said.items()}
    if decision is None and not heard:
        return None
    entity = EMPTY if decision is None else _of_decision(key.tenant, decision.record, names)
    newer = _newer(heard, entity)
    if newer and len(entity.contributions) < 2:  # of one account alone decisions are an exception, not the rule
        entity = _judged(heard.values(), policy, names)
        newer = []
    for c in newer:
        entity = entity.having(c)
    asked = {hashed(key.tenant, found.record["account"], names): found.record for found in pushes}
    for c in entity.contributions:
        event = said.get(c.account)
        entity = entity.having(_asked(c, event.record["meta"] if event else None, asked.get(c.account)))
    return Moment(entity, frozenset(c.account for c in newer))


def _newer(heard: Mapping[bytes, Contribution], entity: Entity) -> list[Contribution]:
    known = {c.account: c.version for c in entity.contributions}
    return [c for account, c in heard.items() if c.version > known.get(account, b"")]


def _of_decision(tenant: str, record: Mapping[str, Any], names: Mapping[bytes, Account]) -> Entity:
    ambiguous, stuck = record.get("ambiguous") or (), record.get("stuck") or ()
    everybody = [
        Contribution(
            hashed(tenant, one["account"], names),
            packed(one["version"]),
            micros(one["corrected_time"]),
            _op(one["op"]),
            tries=MOST_TRIES if one["account"] in stuck else 0,
            ambiguous=one["account"] in ambiguous,
        )
        for one in (record["winner"], *record["losers"])
    ]
    winner = everybody[0]
    content = NOTHING if winner.op is Op.DELETE else winner.fingerprint
    ordered = tuple(sorted(everybody, key=lambda c: c.account))
    return Entity(record["golden_version"], winner.account, content, ordered)


def _of_event(account: bytes, meta: Mapping[str, Any]) -> Contribution:
    return Contribution(account, packed(meta["version"]), micros(meta["corrected_time"]), _op(meta["op"]))


def _op(text: str) -> Op:
    return Op[text.upper()]


def _judged(heard: Iterable[Contribution], policy: Policy, names: Mapping[bytes, Account]) -> Entity:
    entity, standings = EMPTY, {account: standing(one, policy) for account, one in names.items()}
    for c in heard:
        entity = resolve(entity, Observation(c.account, c.version, c.corrected, c.op), policy, standings).entity
    return entity._replace(golden_version=UNCOUNTED)


def _asked(c: Contribution, meta: Mapping[str, Any] | None, task: Mapping[str, Any] | None) -> Contribution:
    """With what it was asked to hold, unless it has said something else since. A decision that gave it another time
    than its event claims took it for an echo of what was asked, and gave it the time of that."""
    asked: tuple[tuple[bytes, int], ...] = ()
    told = meta if meta is not None and packed(meta["version"]) == c.version else None
    if told and micros(told["corrected_time"]) != c.corrected:
        asked = ((c.fingerprint, c.corrected),)
    if task is not None:
        changed = (
            told and task["fingerprint"] != c.fingerprint and micros(told["received_at"]) > micros(task["wanted_at"])
        )
        asked = asked if changed else (*asked, (task["fingerprint"], 0))
    return c._replace(asked=asked)
