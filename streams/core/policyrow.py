"""The row `R` of a shard: by which policies its entities stand, so that others are seen when it is opened again. Pure.

Policies are kept whole, as JSON with defaults left out: a later version may add rules without changing what is said of
those that do not use them, and people can read what was in force. Of each type also stands whether what the accounts
said was kept: values that were not kept cannot be taken back, and those kept before that are out of date.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.entities import EntityType
from streams.core.policy import DeleteRule, FieldGroup, Policy, PolicyKind, Rules

KEY = b"R"
_FORMAT = 1
_TYPES = frozenset(EntityType)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a row says. `policies`: of every type the version that wrote it knew; `kept`: types whose values are kept;
    `unsettled`: types of which some entities stand by older policies still. Without a row nothing is known: revision 0.
    """

    revision: int = 0
    policies: Mapping[EntityType, Policy] = field(default_factory=dict)
    kept: frozenset[EntityType] = frozenset()
    unsettled: frozenset[EntityType] = frozenset()

    @classmethod
    def of(cls, rules: Rules, kept: Collection[int]) -> Standing:
        """By the rules of a configuration; `kept`: type codes."""
        policies = {kind: rules.policy(kind) for kind in EntityType}
        return cls(rules.revision, policies, frozenset(kind for kind in EntityType if kind.code in kept))

    def differing(self, other: Standing) -> list[EntityType]:
        """Types that both know, with another policy."""
        both = self.policies.keys() & other.policies.keys()
        return [kind for kind in EntityType if kind in both and not same(self.policies[kind], other.policies[kind])]

    def stale(self, own: Standing) -> list[EntityType]:
        """Types whose entities must be folded anew to stand by `own`."""
        new = own.policies.keys() - self.policies.keys()
        moved = {*self.differing(own), *(self.kept ^ own.kept), *new, *self.unsettled}
        return [kind for kind in EntityType if kind in moved]


def pack(standing: Standing) -> bytes:
    """The row."""
    policies = {kind.value: plain(policy) for kind, policy in standing.policies.items()}
    told = {
        "format": _FORMAT,
        "revision": standing.revision,
        "policies": policies,
        "kept": sorted(standing.kept),
        "unsettled": sorted(standing.unsettled),
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":")).encode()


def unpack(row: bytes | None) -> Standing:
    """What a row says. Types that this version does not know are left out. Raises ValueError for another format."""
    if row is None:
        return Standing()
    try:
        told = json.loads(row)
        if told["format"] != _FORMAT:
            raise ValueError(f"its format is {told['format']}, not {_FORMAT}")
        known = {EntityType(name): _policy(one) for name, one in told["policies"].items() if name in _TYPES}
        return Standing(int(told["revision"]), known, _types(told["kept"]), _types(told["unsettled"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a row of policies that this version can read: {row[:80]!r}: {error}") from error


def _types(names: Collection[str]) -> frozenset[EntityType]:
    return frozenset(EntityType(name) for name in names if name in _TYPES)


def same(one: Policy, other: Policy) -> bool:
    """Whether two policies decide alike: the order of field groups and of their fields says nothing."""
    return plain(one) == plain(other)


def plain(policy: Policy) -> dict[str, Any]:
    """A policy as its file would say it, defaults left out."""
    told: dict[str, Any] = {"kind": policy.kind.value}
    if policy.owners:
        told["owners"] = list(policy.owners)
    if policy.deletes is not DeleteRule.WINNER:
        told["deletes"] = policy.deletes.value
    if policy.partial:
        told["partial"] = True
    if policy.groups:
        told["groups"] = {group.name: _group(group) for group in sorted(policy.groups, key=lambda one: one.name)}
    return told


def _group(group: FieldGroup) -> dict[str, Any]:
    told: dict[str, Any] = {"fields": sorted(group.fields), "kind": group.kind.value}
    return told | ({"owners": list(group.owners)} if group.owners else {})


def _policy(told: Mapping[str, Any]) -> Policy:
    groups = tuple(
        FieldGroup(name, tuple(one["fields"]), PolicyKind(one["kind"]), tuple(one.get("owners", ())))
        for name, one in told.get("groups", {}).items()
    )
    return Policy(
        PolicyKind(told["kind"]),
        tuple(told.get("owners", ())),
        DeleteRule(told.get("deletes", DeleteRule.WINNER)),
        groups,
        bool(told.get("partial", False)),
    )
