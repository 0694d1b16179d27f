"""The flows of a configuration: a part of `sluice.yaml`, or a file `flows.yaml` of their own with a revision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from connectors.kit.contract import Account
from schemas import codec
from schemas.entities import EntityType, Lane, Op
from streams.core.condition import ALWAYS
from streams.core.hours import ALL_DAY
from streams.core.policy import CENT, Flow, OnDelete, OnDrift, Policy, TaskKind, Tax
from streams.core.stock import Guard
from streams.runtime.conditions import ConditionReader
from streams.runtime.document import Document, Node
from streams.runtime.fallbacks import Able, FallbackReader
from streams.runtime.lanes import hours
from streams.runtime.policies import PolicyReader

FILE = "flows.yaml"
FLOWS = "flows"
ORIGIN = "origin"  # instead of accounts: the one that the golden id names
_NO_BUSINESS = {"meta", "extra"}  # fields of every record that no flow writes
_FOR_SETS = ("guard", "deletes", "on_drift", "tax")
_KEYS = {"entity", "when", "from", "to", "fields", "kind", "lane", "max_age", "hours", "fallback", *_FOR_SETS}
_OF_AN_ORDER = (EntityType.FULFILMENT,)  # types whose golden id begins with that of the order they belong to


@dataclass(frozen=True, slots=True)
class Flows:
    """What was read. `revision`: 0 where the flows have none."""

    flows: tuple[Flow, ...] = ()
    revision: int = 0


def beside(path: Path) -> Path | None:
    """The flows file beside a configuration file, if there is one."""
    found = path.with_name(FILE)
    return found if found.is_file() else None


def document(path: Path) -> Document:
    """Raises Misconfigured for a file that cannot be read or is not YAML."""
    return Document(path, hint="set SLUICE_FLOWS_FILE to the file that holds the flows, or make one: docs/flows.md")


class FlowReader:
    """Reads flows out of a document and notes every problem there.

    `accounts`: by (tenant, id), flows are shared by all tenants; `able`: what platforms can; `policies`: of the types
    they are about.
    """

    def __init__(
        self,
        document: Document,
        accounts: Mapping[tuple[str, str], Account],
        able: Able,
        policies: Mapping[EntityType, Policy],
    ) -> None:
        self._doc = document
        self._accounts = accounts
        self._supports = able.supports
        self._fallbacks = FallbackReader(document, accounts, able)
        self._policies = policies
        self._names = PolicyReader(document, {account for _, account in accounts})

    def file(self) -> Flows:
        """A whole file."""
        top = self._doc.mapping(self._doc.root, {"revision", FLOWS}, required=["revision", FLOWS])
        revision = self._doc.integer(top["revision"], 1) if "revision" in top else 1
        return Flows(self.part(top[FLOWS]).flows if FLOWS in top else (), revision)

    def part(self, node: Node) -> Flows:
        """The flows that stand in the configuration file."""
        named = self._doc.mapping(node)
        found = [flow for name, value in named.items() if (flow := self._flow(name, value)) is not None]
        self._fallbacks.together(found, named)
        return Flows(tuple(found))

    # ------------------------------------------------------------------------------------------- one flow

    def _flow(self, name: str, node: Node) -> Flow | None:
        self._doc.name(name, node)
        keys = self._doc.mapping(node, _KEYS, required=["entity", "to"])
        entity = self._doc.choice(keys["entity"], EntityType) if "entity" in keys else None
        if entity is None or "to" not in keys:
            return None
        kind = (self._doc.choice(keys["kind"], TaskKind) if "kind" in keys else None) or TaskKind.SET
        to, to_origin = self._destinations(keys["to"], entity, kind)
        deletes, on_drift = self._deletes(keys), self._on_drift(keys)
        self._check_kind(node, keys, kind, entity)
        self._check_supported(keys["to"], entity, to, deletes, to_origin=to_origin)
        return Flow(
            name,
            entity,
            to,
            self._fields(node, keys, kind, entity),
            self._lane(keys),
            kind,
            guard=self._guard(keys["guard"], entity, to) if "guard" in keys else None,
            when=ConditionReader(self._doc, entity).read(keys["when"]) if "when" in keys else ALWAYS,
            source=self._names.account_names(keys["from"]) if "from" in keys else (),
            to_origin=to_origin,
            max_age=self._doc.number(keys["max_age"], 1.0) if "max_age" in keys else None,
            deletes=deletes,
            on_drift=on_drift,
            tax=self._tax(keys["tax"], entity, to) if "tax" in keys else None,
            hours=hours(self._doc, keys["hours"]) if "hours" in keys else ALL_DAY,
            fallback=self._fallbacks.read(keys["fallback"], entity, kind, to) if "fallback" in keys else "",
        )

    def _lane(self, keys: Mapping[str, Node]) -> Lane:
        return (self._doc.choice(keys["lane"], Lane) if "lane" in keys else None) or Lane.NORMAL

    def _deletes(self, keys: Mapping[str, Node]) -> OnDelete:
        return (self._doc.choice(keys["deletes"], OnDelete) if "deletes" in keys else None) or OnDelete.IGNORE

    def _on_drift(self, keys: Mapping[str, Node]) -> OnDrift:
        return (self._doc.choice(keys["on_drift"], OnDrift) if "on_drift" in keys else None) or OnDrift.REPAIR

    def _destinations(self, node: Node, entity: EntityType, kind: TaskKind) -> tuple[tuple[str, ...], bool]:
        if node.value != ORIGIN:
            return self._names.account_names(node), False
        if entity not in _OF_AN_ORDER or kind is not TaskKind.COMMAND:
            allowed = ", ".join(_OF_AN_ORDER)
            self._doc.problem(node, f"{ORIGIN} is where an order was placed; allowed: for commands of {allowed}")
        return (), True

    def _fields(self, node: Node, keys: Mapping[str, Node], kind: TaskKind, entity: EntityType) -> tuple[str, ...]:
        """A command carries the whole record unless it names fields."""
        if "fields" in keys:
            return self._names.fields(keys["fields"], entity, _NO_BUSINESS)
        if kind is TaskKind.SET:
            self._doc.problem(node, "fields is missing")
        names = (one["name"] for one in codec.load(entity.value)["fields"])
        return tuple(name for name in names if name not in _NO_BUSINESS)

    # ------------------------------------------------------------------------------------------- what goes together

    def _check_kind(self, node: Node, keys: Mapping[str, Node], kind: TaskKind, entity: EntityType) -> None:
        if kind is TaskKind.COMMAND:
            for name in (name for name in _FOR_SETS if name in keys):
                self._doc.problem(keys[name], f"{name} is for flows of sets; a command is given once")
            return
        others = [name for name in ("guard", "tax") if name in keys]
        if "on_drift" in keys and others:
            self._doc.problem(keys["on_drift"], f"a flow with {others[0]} always repairs; remove on_drift")
        policy = self._policies.get(entity)
        if policy is not None and policy.merges:
            for name in (name for name in ("when", "from", "on_drift", "tax") if name in keys):
                self._doc.problem(
                    keys[name], f"{entity} is put together from parts, and its sets move always; remove {name}"
                )

    def _check_supported(
        self, node: Node, entity: EntityType, to: tuple[str, ...], deletes: OnDelete, *, to_origin: bool
    ) -> None:
        if self._supports is None:
            return
        found = [one for one in self._accounts.values() if one.platform and (to_origin or one.id in to)]
        ops = [Op.UPSERT, *([Op.DELETE] if deletes is OnDelete.DELETE else [])]
        unable = [(one, op) for one in found for op in ops if not self._supports(one.platform, entity, op)]
        if to_origin:
            if found and len(unable) == len(found):
                self._doc.problem(node, f"no account can hold {entity}")
            return
        for account, op in unable:
            can = [kind for kind in EntityType if self._supports(account.platform, kind, op)]
            what = "hold" if op is Op.UPSERT else "delete"
            self._doc.problem(
                node,
                f"{account.platform} ({account.id}) cannot {what} {entity}; allowed: {', '.join(can) or 'nothing'}",
            )

    # ------------------------------------------------------------------------------------------- guard and tax

    def _guard(self, node: Node, entity: EntityType, to: tuple[str, ...]) -> Guard:
        """Of a stock flow only: what its channels are not told of the stock."""
        keys = self._doc.mapping(node, {"safety", "channels", "learns_within"})
        if entity is not EntityType.INVENTORY_LEVEL:
            self._doc.problem(node, f"a guard is for flows of inventory_level; this one is of {entity}")
        channels = self._doc.mapping(keys["channels"], set(to)) if "channels" in keys else {}
        return Guard(
            safety=self._decimal(keys["safety"]) if "safety" in keys else Decimal(0),
            channels={name: self._decimal(units) for name, units in channels.items()},
            learns_within=self._doc.number(keys["learns_within"], 0.0) if "learns_within" in keys else 60.0,
        )

    def _tax(self, node: Node, entity: EntityType, to: tuple[str, ...]) -> Tax | None:
        """Of a price flow only: between which tax bases it may move amounts, and by which rate."""
        keys = self._doc.mapping(node, {"rate", "bases", "step"}, required=["rate", "bases"])
        if entity is not EntityType.PRICE:
            self._doc.problem(node, f"a tax rule is for flows of price; this one is of {entity}")
        if not {"rate", "bases"} <= set(keys):
            return None
        bases = self._doc.mapping(keys["bases"], set(to))
        allowed = ("INCLUDED", "EXCLUDED")
        read = {name: self._doc.one_of(one, allowed, "a tax basis") for name, one in bases.items()}
        return Tax(
            self._decimal(keys["rate"]),
            {name: basis for name, basis in read.items() if basis},
            self._step(keys["step"]) if "step" in keys else CENT,
        )

    def _step(self, node: Node) -> Decimal:
        step = self._decimal(node)
        if step <= 0:
            self._doc.problem(node, "must be above 0: it is what amounts are rounded to")
        return step

    def _decimal(self, node: Node) -> Decimal:
        return Decimal(str(self._doc.number(node, 0.0)))
