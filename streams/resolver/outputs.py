"""What the resolver asks of accounts: push tasks, as records of their schema. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemas import identity, topics
from schemas.entities import Lane, Op
from schemas.topics import Profile
from streams.core.entity import NOTHING, Entity
from streams.core.policy import Flow, OnDrift, Policy, PolicyKind
from streams.resolver.guarding import Wanted
from streams.resolver.routes import Member, Route, Routes


@dataclass(frozen=True, slots=True)
class Push:
    """A push task and where it goes."""

    member: Member
    record: dict[str, Any]

    def place(self, profile: Profile) -> tuple[str, int, bytes]:
        """Topic, partition and key: all work of an account stands in one partition."""
        bulk = self.record["lane"] == Lane.BULK.value
        topic = topics.push_bulk(self.member.platform) if bulk else topics.push(self.member.platform)
        partition = identity.account_partition(self.member.tenant, self.member.account, profile.platform)
        return topic, partition, f"{self.member.account}|{self.record['golden_key']}".encode()


@dataclass(frozen=True, slots=True)
class Times:
    """Of a push, microseconds UTC: of its decision, and when what made it necessary was received and happened."""

    decided: int
    received: int
    happened: int


def push(
    member: Member,
    route: Route,
    key: bytes,
    entity: Entity,
    wanted: Wanted,
    times: Times,
    policy: Policy | None,
    operation_id: str | None = None,
) -> Push:
    """Ask an account to hold the winner, or give it a command. `policy`: None when the task cannot say which contents
    it may overwrite; `operation_id`: of a command."""
    flow = route.flow
    held = entity.of(member.hash)
    return Push(
        member,
        {
            "tenant": member.tenant,
            "account": member.account,
            "platform": member.platform,
            "type": flow.entity.value,
            "golden_key": key.decode(),
            "golden_version": entity.golden_version,
            "kind": flow.kind.value,
            "op": "delete" if entity.fingerprint == NOTHING else "upsert",
            "flow": flow.name,
            "fields": list(flow.fields),
            "lane": flow.lane.value,
            "fingerprint": wanted.content,
            "expected": held.expected if held and policy and policy.kind is PolicyKind.LWW else None,
            "record": wanted.value,
            "operation_id": operation_id,
            "expires_at": _expires_at(flow, entity, times),
            "wanted_at": times.decided,
            "origin_at": times.received,
        },
    )


def _expires_at(flow: Flow, entity: Entity, times: Times) -> int | None:
    """A flow's task ages from the change at its source; from what made it necessary, where that came later."""
    if flow.max_age is None:
        return None
    winner = entity.of(entity.winner)
    since = max(times.happened, winner.corrected if winner else 0)
    return since + int(flow.max_age * 1_000_000)


def drifted(routes: Routes, code: int, key: bytes, entity: Entity) -> list[bytes]:
    """Accounts that hold something else than flows gave them, where these do not repair that but report it."""
    if entity.fingerprint == NOTHING or code not in routes.routed_types:
        return []
    tenant = key.split(b"|", 1)[0].decode()
    watched = [
        route
        for route in routes.routes(tenant, code)
        if route.flow.on_drift is OnDrift.REPORT and route.takes(entity.winner)
    ]
    return [
        c.account
        for c in entity.contributions
        if any(c.account in route.to for route in watched)
        and c.op is Op.UPSERT
        and c.account != entity.winner
        and entity.fingerprint not in (c.fingerprint, c.pushed)
    ]
