"""What the resolver says besides `state` and `events`: decisions and push tasks, as records of their schemas. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas import identity, topics
from schemas.entities import EntityType, Lane, Op
from schemas.headers import Version
from schemas.topics import Profile
from streams.core.entity import NOTHING, Contribution, Entity
from streams.core.policy import Flow, OnDrift, Policy, PolicyKind
from streams.core.resolve import Resolution, does_not_stick
from streams.resolver.guarding import Wanted
from streams.resolver.merging import GroupWinner
from streams.resolver.routes import Member, Route, Routes


@dataclass(frozen=True, slots=True)
class Source:
    """Where the event that was decided on stands."""

    topic: str
    partition: int
    offset: int
    event_id: bytes
    account: bytes


def decision(
    routes: Routes,
    kind: EntityType,
    key: bytes,
    verdict: Resolution,
    source: Source,
    asked: Sequence[bytes],
    now: int,
    groups: Sequence[GroupWinner] = (),
) -> dict[str, Any]:
    """A record of schemas/avro/decision.avsc; `groups`: who won the field groups, of a type that has them."""
    entity = verdict.entity
    winner = entity.of(entity.winner)
    assert winner is not None
    return {
        "golden_key": key.decode(),
        "type": kind.value,
        "decided_at": now,
        "golden_version": entity.golden_version,
        "outcome": verdict.outcome.value,
        "rule": routes.policies[kind.code].kind.value,
        "because": verdict.because,
        "policy_revision": routes.rules.revision,
        "event_id": source.event_id,
        "event_account": _name(routes, source.account),
        "winner": contribution(routes, winner, source),
        "losers": [contribution(routes, c, source) for c in entity.contributions if c.account != entity.winner],
        "source_topic": source.topic,
        "source_partition": source.partition,
        "source_offset": source.offset,
        "pushed_to": [_name(routes, account) for account in asked],
        "groups": [
            {"group": one.group, "rule": one.rule, "account": _name(routes, one.account), "because": one.because}
            for one in groups
        ],
        "ambiguous": [_name(routes, c.account) for c in entity.contributions if c.ambiguous],
        "stuck": [_name(routes, c.account) for c in entity.contributions if does_not_stick(c)],
        "drifted": _drifted(routes, kind, key.split(b"|", 1)[0].decode(), entity),
    }


def contribution(routes: Routes, c: Contribution, source: Source | None = None) -> dict[str, Any]:
    """What one account says now; the event id is known for the one that was just decided on."""
    version = Version.unpack(c.version)
    return {
        "account": _name(routes, c.account),
        "event_id": source.event_id if source and source.account == c.account else b"",
        "op": "delete" if c.op is Op.DELETE else "upsert",
        "version": {
            "clock": version.clock,
            "rank": int(version.rank),
            "sequence": version.sequence,
            "mapping_revision": version.mapping_revision,
            "fingerprint": version.fingerprint,
        },
        "corrected_time": c.corrected,
    }


def _name(routes: Routes, account: bytes) -> str:
    member = routes.members.get(account)
    return member.account if member else account.hex()


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


def _drifted(routes: Routes, kind: EntityType, tenant: str, entity: Entity) -> list[str]:
    """Accounts that hold something else than flows gave them, where these do not repair that but report it."""
    if entity.fingerprint == NOTHING:
        return []
    watched = [
        route
        for route in routes.routes(tenant, kind.code)
        if route.flow.on_drift is OnDrift.REPORT and route.takes(entity.winner)
    ]
    return [
        _name(routes, c.account)
        for c in entity.contributions
        if any(c.account in route.to for route in watched)
        and c.op is Op.UPSERT
        and c.account != entity.winner
        and entity.fingerprint not in (c.fingerprint, c.pushed)
    ]
