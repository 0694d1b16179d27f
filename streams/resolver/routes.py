"""The rules and accounts as the resolver's hot path wants them: looked up by account hash and type code. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas import identity
from schemas.entities import EntityType
from streams.core.policy import Flow, Ordering, Policy, Rules
from streams.core.resolve import UNRANKED, Standing


@dataclass(frozen=True, slots=True)
class Member:
    """An account as the resolver knows it."""

    tenant: str
    account: str
    platform: str
    priority: int = 100

    @property
    def hash(self) -> bytes:
        """8 bytes that stand for it in headers and rows."""
        return identity.account_hash(self.tenant, self.account)

    @property
    def label(self) -> str:
        """tenant|account, the account of ledger rows."""
        return identity.join(self.tenant, self.account)


@dataclass(frozen=True, slots=True)
class Route:
    """One flow within one tenant: the accounts it may ask."""

    flow: Flow
    to: Mapping[bytes, Member]


@dataclass(slots=True)
class Routes:
    """Everything looked up per event. `by_type` is keyed by type code."""

    rules: Rules
    members: dict[bytes, Member] = field(default_factory=dict)
    policies: dict[int, Policy] = field(default_factory=dict)
    orderings: dict[int, Ordering] = field(default_factory=dict)
    standings: dict[int, dict[bytes, Standing]] = field(default_factory=dict)
    _routes: dict[tuple[str, int], list[Route]] = field(default_factory=dict)
    routed_types: frozenset[int] = frozenset()
    _labels: dict[bytes, str] = field(default_factory=dict)

    def routes(self, tenant: str, code: int) -> list[Route]:
        """The flows of a tenant's entities of one type."""
        return self._routes.get((tenant, code), [])

    def label(self, account: bytes) -> str:
        """tenant|account of an account hash; the hash in hex when the configuration does not know it."""
        label = self._labels.get(account)
        if label is None:
            member = self.members.get(account)
            label = self._labels[account] = member.label if member else account.hex()
        return label


def routes(rules: Rules, members: Iterable[Member]) -> Routes:
    """Index the rules for these accounts."""
    known = {member.hash: member for member in members}
    table = Routes(rules, known)
    for kind in EntityType:
        policy = rules.policy(kind)
        table.policies[kind.code] = policy
        table.orderings[kind.code] = rules.order(kind)
        table.standings[kind.code] = {h: _standing(policy, member) for h, member in known.items()}
    for flow in rules.flows:
        for tenant in {member.tenant for member in known.values()}:
            to = {h: m for h, m in known.items() if m.tenant == tenant and m.account in flow.to}
            table._routes.setdefault((tenant, flow.entity.code), []).append(Route(flow, to))
    table.routed_types = frozenset(code for _, code in table._routes)
    return table


def _standing(policy: Policy, member: Member) -> Standing:
    owners = policy.owners
    return Standing(owners.index(member.account) if member.account in owners else UNRANKED, member.priority)
