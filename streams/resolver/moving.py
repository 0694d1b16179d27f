"""What flows make of an entity within a shard: what each account is to hold, and the commands that are due.

A command is given once in an entity's life. Row `C` + golden key names those that were given, as JSON [flow, account];
its operation id is made of the same names, so that the courier knows it again even if this shard's rows are lost.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from connectors.kit import golden
from schemas import identity
from schemas.codec import Codec
from schemas.entities import EntityType, Op
from streams.core.entity import Contribution, Entity
from streams.core.policy import Tax
from streams.core.tax import converted
from streams.resolver import guarding
from streams.resolver.guarding import Wanted
from streams.resolver.routes import Member, Route
from streams.shard.api import Rows

GIVEN = b"C"


class Winner:
    """The winning record of an entity, decoded at most once however many flows look into it. `value`: None when it is
    deleted, or was not kept."""

    def __init__(self, codec: Codec, value: bytes | None) -> None:
        self._codec = codec
        self.value = value
        self._record: Mapping[str, Any] | None = None

    @property
    def record(self) -> Mapping[str, Any]:
        """Raises CodecError."""
        if self._record is None:
            self._record = self._codec.decode(self.value or b"")
        return self._record

    def meets(self, route: Route) -> bool:
        """Whether the flow's condition holds of it. Raises CodecError."""
        return self.value is not None and (not route.flow.when or route.flow.when.holds(self.record))


# ------------------------------------------------------------------------------------------------ sets


def wanted(
    rows: Rows, codec: Codec, route: Route, key: bytes, entity: Entity, held: Winner, by: Contribution, lag: float
) -> Mapping[bytes, Wanted]:
    """What each account of a flow is to hold of what `by` says. `lag`: the longest of all guards. Raises CodecError."""
    flow, value = route.flow, held.value
    if value is None:
        return {}
    if flow.guard is not None:
        guarding.forget_shipped(rows, key, by.corrected, lag)
        return guarding.guarded(rows, codec, flow.guard, key, value, by, route.to)
    if flow.tax is not None:
        return _priced(codec, flow.tax, entity, held, route.to)
    return guarding.plain(entity.fingerprint, value, route.to)


def _priced(codec: Codec, rule: Tax, entity: Entity, held: Winner, to: Mapping[bytes, Member]) -> dict[bytes, Wanted]:
    """Amounts in the basis of each account; as the winner says them where the rule names no basis for one."""
    made: dict[bytes, Wanted] = {}
    for account, member in to.items():
        record = _in_basis(held.record, rule.bases.get(member.account, ""), rule)
        if record["amount"] == held.record["amount"]:
            made[account] = Wanted(entity.fingerprint, held.value or b"")
            continue
        money = record["amount"]
        comparable = golden.comparable_price(money["amount"], money["currency"], money["tax"])
        content = golden.content_fingerprint(Op.UPSERT, comparable)
        made[account] = Wanted(content, codec.encode(EntityType.PRICE.value, record))
    return made


def _in_basis(record: Mapping[str, Any], basis: str, rule: Tax) -> dict[str, Any]:
    names = [name for name in ("amount", "compare_at") if record.get(name) is not None]
    return {**record, **{name: converted(record[name], basis, rule) for name in names}}


# ------------------------------------------------------------------------------------------------ commands


def due(rows: Rows, route: Route, key: bytes, entity: Entity, held: Winner) -> list[Member]:
    """Accounts to which a flow's command about an entity has not been given and now has to be. An account is never
    given what it said itself. Raises CodecError."""
    if held.value is None:
        return []
    name = identity.GoldenKey.parse(key.decode()).golden_id
    given = _given(rows, key)
    missing = [
        member
        for member in route.destinations(name)
        if [route.flow.name, member.account] not in given and member.hash != entity.winner
    ]
    return missing if missing and held.meets(route) else []


def give(rows: Rows, route: Route, key: bytes, member: Member) -> str:
    """Note that a command is given. Returns its operation id: the same whoever makes it, and whenever."""
    given = [*_given(rows, key), [route.flow.name, member.account]]
    rows.put(GIVEN + key, orjson.dumps(given))
    return f"{route.flow.name}|{key.decode()}|{member.account}"


def _given(rows: Rows, key: bytes) -> list[list[str]]:
    row = rows.get(GIVEN + key)
    return [] if row is None else list(orjson.loads(row))
