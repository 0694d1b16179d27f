"""What the resolver asks of accounts: push tasks, as records of their schema. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schemas import identity, topics
from schemas.entities import Lane
from schemas.topics import Profile
from streams.core.entity import NOTHING, Entity
from streams.core.policy import Policy, PolicyKind
from streams.resolver.guarding import Wanted
from streams.resolver.routes import Member, Route


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


def push(
    member: Member,
    route: Route,
    key: bytes,
    entity: Entity,
    wanted: Wanted,
    now: int,
    origin: int,
    policy: Policy | None,
) -> Push:
    """Ask an account to hold the winner. `origin`: when what made it necessary was received; `policy`: None when the
    task cannot say which contents it may overwrite."""
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
            "operation_id": None,
            "wanted_at": now,
            "origin_at": origin,
        },
    )
