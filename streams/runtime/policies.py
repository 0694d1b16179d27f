"""The policies of a configuration: a part of `sluice.yaml`, or a file `policies.yaml` of their own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from schemas import codec
from schemas.entities import EntityType
from streams.core.policy import DeleteRule, FieldGroup, Ordering, OrderingMode, Policy, PolicyKind
from streams.runtime.document import Document, Node

FILE = "policies.yaml"
ORDERING = "ordering"
_POLICY = {"kind", "owners", "deletes", "partial", "groups"}
_META = "meta"  # says where a record came from; it comes with the winner


@dataclass(frozen=True, slots=True)
class Policies:
    """What was read. Types about which nothing is said have no entry."""

    revision: int = 1
    policies: Mapping[EntityType, Policy] = field(default_factory=dict)
    ordering: Mapping[EntityType, Ordering] = field(default_factory=dict)


def beside(path: Path) -> Path | None:
    """The policies file beside a configuration file, if there is one."""
    found = path.with_name(FILE)
    return found if found.is_file() else None


def document(path: Path) -> Document:
    """Raises Misconfigured for a file that cannot be read or is not YAML."""
    return Document(
        path, hint="set SLUICE_POLICIES_FILE to the file that holds the policies, or make one: docs/policies.md"
    )


class PolicyReader:
    """Reads policies out of a document and notes every problem there. `accounts`: ids that may own something, of any
    tenant: policies are shared by all tenants."""

    def __init__(self, document: Document, accounts: Collection[str]) -> None:
        self._doc = document
        self._accounts = accounts

    def file(self) -> Policies:
        """A whole file."""
        top = self._doc.mapping(self._doc.root, {"revision", ORDERING, *EntityType}, required=["revision"])
        ordering = top.pop(ORDERING, None)
        return self._policies(top, {} if ordering is None else self.orderings(ordering))

    def part(self, node: Node, ordering: Mapping[EntityType, Ordering]) -> Policies:
        """The policies that stand in the configuration file, with the ordering that stands beside them."""
        return self._policies(self._doc.mapping(node, {"revision", *EntityType}), ordering)

    def _policies(self, keys: dict[str, Node], ordering: Mapping[EntityType, Ordering]) -> Policies:
        revision = self._doc.integer(keys.pop("revision"), 1) if "revision" in keys else 1
        policies = {EntityType(name): self._policy(value, EntityType(name)) for name, value in keys.items()}
        return Policies(revision, policies, ordering)

    # ------------------------------------------------------------------------------------------- one type

    def _policy(self, node: Node, entity: EntityType) -> Policy:
        keys = self._doc.mapping(node, _POLICY, required=["kind"])
        kind, owners = self._decides(node, keys)
        deletes = self._doc.choice(keys["deletes"], DeleteRule) if "deletes" in keys else None
        return Policy(
            kind,
            owners,
            deletes or DeleteRule.WINNER,
            self._groups(keys["groups"], entity) if "groups" in keys else (),
            self._doc.flag(keys["partial"]) if "partial" in keys else False,
        )

    def _decides(self, node: Node, keys: Mapping[str, Node]) -> tuple[PolicyKind, tuple[str, ...]]:
        """Who decides, of a type or of a field group."""
        kind = self._doc.choice(keys["kind"], PolicyKind) if "kind" in keys else None
        owners = self.account_names(keys["owners"]) if "owners" in keys else ()
        if kind is PolicyKind.OWNER and "owners" not in keys:
            self._doc.problem(node, "kind owner needs owners: account ids, most important first")
        if kind in (PolicyKind.SINGLE, PolicyKind.LWW) and "owners" in keys:
            self._doc.problem(keys["owners"], f"kind {kind} has no owners; remove them or say kind: owner")
        return kind or PolicyKind.LWW, owners

    def _groups(self, node: Node, entity: EntityType) -> tuple[FieldGroup, ...]:
        claimed: dict[str, str] = {}
        found = self._doc.mapping(node)
        if not found and isinstance(node.value, dict):
            self._doc.problem(
                node, "must name a field group, or be left out; allowed: NAME: {fields: [...], kind: ...}"
            )
        return tuple(self._group(name, one, entity, claimed) for name, one in found.items())

    def _group(self, name: str, node: Node, entity: EntityType, claimed: dict[str, str]) -> FieldGroup:
        self._doc.name(name, node)
        keys = self._doc.mapping(node, {"fields", "kind", "owners"}, required=["fields", "kind"])
        fields = self._group_fields(name, keys["fields"], entity, claimed) if "fields" in keys else ()
        kind, owners = self._decides(node, keys)
        return FieldGroup(name, fields, kind, owners)

    def _group_fields(self, name: str, node: Node, entity: EntityType, claimed: dict[str, str]) -> tuple[str, ...]:
        """`claimed`: the group of each field that was read before."""
        fields = self.fields(node, entity, {_META})
        for one in self._doc.items(node):
            if one.value not in fields:
                continue
            owner = claimed.setdefault(str(one.value), name)
            if owner != name or fields.count(str(one.value)) > 1:
                self._doc.problem(one, f"{one.value} is in group {owner} already; a field belongs to one group, once")
        return tuple(dict.fromkeys(fields))

    # ------------------------------------------------------------------------------------------- what flows need too

    def account_names(self, node: Node) -> tuple[str, ...]:
        """Account ids, each known in at least one tenant."""
        names = [self._doc.one_of(one, self._accounts, "an account of any tenant") for one in self._doc.items(node)]
        if len(set(names)) < len(names):
            self._doc.problem(node, "names an account twice")
        if not names:
            self._doc.problem(node, "must name an account")
        return tuple(name for name in names if name)

    def fields(self, node: Node, entity: EntityType, without: Collection[str]) -> tuple[str, ...]:
        """Names of fields in the type's schema, but those in `without`."""
        known = {one["name"] for one in codec.load(entity.value)["fields"]} - set(without)
        names = [self._doc.one_of(one, known, f"a field of {entity}") for one in self._doc.items(node)]
        if not names:
            self._doc.problem(node, f"must name a field; allowed: {', '.join(sorted(known))}")
        return tuple(name for name in names if name)

    # ------------------------------------------------------------------------------------------- ordering

    def orderings(self, node: Node) -> dict[EntityType, Ordering]:
        """By type, `default` for all that are not named."""
        keys = self._doc.mapping(node, {"default", *EntityType})
        default = self._ordering(keys.pop("default"), Ordering()) if "default" in keys else Ordering()
        own = {EntityType(name): self._ordering(value, default) for name, value in keys.items()}
        return {kind: own.get(kind, default) for kind in EntityType}

    def _ordering(self, node: Node, default: Ordering) -> Ordering:
        keys = self._doc.mapping(node, {"mode", "lateness", "accounts"})
        mode = self._doc.choice(keys["mode"], OrderingMode) if "mode" in keys else default.mode
        lateness = self._doc.number(keys["lateness"], 0.0) if "lateness" in keys else default.lateness
        accounts = self._lateness_of(keys["accounts"]) if "accounts" in keys else default.accounts
        return Ordering(mode or default.mode, lateness, accounts)

    def _lateness_of(self, node: Node) -> dict[str, float]:
        """Seconds by account id."""
        return {name: self._doc.number(one, 0.0) for name, one in self._doc.mapping(node, self._accounts).items()}
