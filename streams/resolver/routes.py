"""The rules and accounts as the resolver's hot path wants them: looked up by account hash and type code. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from connectors.kit import golden
from schemas import codec, identity
from schemas.entities import EntityType
from streams.core.layers import bits
from streams.core.policy import DeleteRule, FieldGroup, Flow, Ordering, Policy, PolicyKind, Rules, TaskKind
from streams.core.resolve import UNRANKED, Standing
from streams.resolver.merging import META, Group, Merging, slices_of


@dataclass(frozen=True, slots=True)
class Member:
    """An account as the resolver knows it. `clocks`: the declared clock per type; see contract.Platform."""

    tenant: str
    account: str
    platform: str
    priority: int = 100
    clocks: Mapping[EntityType, str] = field(default_factory=dict, hash=False)
    clock_epoch: int = 1

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
    """One flow within one tenant: the accounts it may ask (all of the tenant's, where the entity names the one), and
    those whose word it moves; None for any."""

    flow: Flow
    to: Mapping[bytes, Member]
    sources: frozenset[bytes] | None = None

    @property
    def is_command(self) -> bool:
        """Whether it gives work instead of keeping accounts in step."""
        return self.flow.kind is TaskKind.COMMAND

    def takes(self, winner: bytes) -> bool:
        """Whether it moves what this account (a hash) says."""
        return self.sources is None or winner in self.sources

    def destinations(self, golden_id: str) -> list[Member]:
        """Who gets its commands about an entity; nobody where the origin is no account of this configuration."""
        if not self.flow.to_origin:
            return list(self.to.values())
        try:
            origin, _ = golden.placed_at(golden_id)
        except identity.InvalidKey:
            return []
        return [member for member in self.to.values() if member.account == origin]


class Streams(dict[bytes, Ordering]):
    """The ordering of an account's events of one type, by account hash and type code in one key."""

    def __init__(self, of_types: Mapping[int, Ordering]) -> None:
        self._of_types = of_types

    def __missing__(self, stream: bytes) -> Ordering:
        """That of the type, for an account that the configuration does not know. Raises KeyError for another type."""
        return self._of_types[stream[8]]


@dataclass(slots=True)
class Routes:
    """Everything looked up per event. Keys are type codes, `streams` an account hash with one."""

    rules: Rules
    members: dict[bytes, Member] = field(default_factory=dict)
    policies: dict[int, Policy] = field(default_factory=dict)
    orderings: dict[int, Ordering] = field(default_factory=dict)
    streams: Streams = field(default_factory=lambda: Streams({}))
    standings: dict[int, dict[bytes, Standing]] = field(default_factory=dict)
    _routes: dict[tuple[str, int], list[Route]] = field(default_factory=dict)
    routed_types: frozenset[int] = frozenset()
    commanded_types: frozenset[int] = frozenset()  # types of which one account's word may start a command
    kept_types: frozenset[int] = frozenset()  # types of which every account's value is kept
    merging: dict[int, Merging] = field(default_factory=dict)
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
    table.streams = _streams(rules, known)
    for flow in rules.flows:
        for tenant in {member.tenant for member in known.values()}:
            table._routes.setdefault((tenant, flow.entity.code), []).append(_route(flow, tenant, known))
    table.routed_types = frozenset(code for _, code in table._routes)
    table.commanded_types = frozenset(flow.entity.code for flow in rules.flows if flow.kind is TaskKind.COMMAND)
    table.merging = {kind.code: _merging(rules, kind, table) for kind in EntityType if rules.policy(kind).merges}
    table.kept_types = table.routed_types | table.merging.keys() | _contested(rules, known.values())
    return table


def _route(flow: Flow, tenant: str, known: Mapping[bytes, Member]) -> Route:
    mine = {h: m for h, m in known.items() if m.tenant == tenant}
    to = {h: m for h, m in mine.items() if flow.to_origin or m.account in flow.to}
    return Route(flow, to, frozenset(h for h, m in mine.items() if m.account in flow.source) if flow.source else None)


def _streams(rules: Rules, members: Mapping[bytes, Member]) -> Streams:
    streams = Streams({kind.code: rules.order(kind) for kind in EntityType})
    for kind in EntityType:
        for account, member in members.items():
            streams[account + bytes((kind.code,))] = rules.order(kind).of(member.account)
    return streams


def _contested(rules: Rules, members: Iterable[Member]) -> frozenset[int]:
    """Types of which another account may become the winner by what it said before."""
    tenants = Counter(member.tenant for member in members)
    if max(tenants.values(), default=0) < 2:
        return frozenset()
    return frozenset(kind.code for kind in EntityType if not _one_origin(rules.policy(kind)))


def _one_origin(policy: Policy) -> bool:
    return policy.kind is PolicyKind.SINGLE and policy.deletes is DeleteRule.WINNER


def _merging(rules: Rules, kind: EntityType, table: Routes) -> Merging:
    policy = rules.policy(kind)
    names = [one["name"] for one in codec.load(kind.value)["fields"] if one["name"] != META]
    places = {name: bit for bit, name in enumerate(names)}
    groups = [
        Group(
            rule,
            bits(rule.fields, places),
            slices_of(rule.fields, places),
            {h: _standing(rule, m) for h, m in table.members.items()},
        )
        for rule in policy.groups
    ]
    routed: dict[bytes, frozenset[str]] = {}
    for route in (
        one for found in table._routes.values() for one in found if one.flow.entity is kind and not one.is_command
    ):
        for account in route.to:
            routed[account] = routed.get(account, frozenset()) | frozenset(route.flow.fields)
    return Merging(kind, policy, table.standings[kind.code], groups, places, routed)


def _standing(policy: Policy | FieldGroup, member: Member) -> Standing:
    owners = policy.owners
    return Standing(owners.index(member.account) if member.account in owners else UNRANKED, member.priority)
