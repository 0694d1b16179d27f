"""The key `fallback` of a flow of commands: which accounts may stand in for which, and what platforms can."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from connectors.kit.contract import Account
from schemas.entities import EntityType, Op
from streams.core.policy import Flow, TaskKind
from streams.runtime.document import Document, Node

Supports = Callable[[str, EntityType, Op], bool]


@dataclass(frozen=True, slots=True)
class Able:
    """Whether a platform (type, operation) can write it, and whether it declares its commands reroutable; None where
    nobody asks."""

    supports: Supports | None = None
    reroutable: Supports | None = None


class FallbackReader:
    """Notes every problem in the document. `accounts`: by (tenant, id)."""

    def __init__(self, document: Document, accounts: Mapping[tuple[str, str], Account], able: Able) -> None:
        self._doc = document
        self._accounts = accounts
        self._able = able

    def read(self, node: Node, entity: EntityType, kind: TaskKind, to: tuple[str, ...]) -> str:
        """The fallback of one flow."""
        name = self._doc.one_of(node, {name for _, name in self._accounts}, "an account of any tenant")
        if kind is not TaskKind.COMMAND or len(to) != 1:
            self._doc.problem(node, "fallback is for commands to one account; remove it, or name one account in to")
            return ""
        if name in to:
            self._doc.problem(node, f"{name} is the account itself; name another one, or remove fallback")
        if name is not None:
            self._check_able(node, entity, {*to, name})
        return name or ""

    def together(self, flows: Iterable[Flow], nodes: Mapping[str, Node]) -> None:
        """What flows of one type must not say together: which account a command goes to would depend on their order."""
        by_place: dict[tuple[EntityType, str], str] = {}
        for flow in (one for one in flows if one.fallback):
            first = by_place.setdefault((flow.entity, flow.to[0]), flow.name)
            if first != flow.name:
                self._doc.problem(
                    nodes[flow.name], f"{first} has a fallback for {flow.entity} to {flow.to[0]} already; its commands "
                    "decide for those of all flows, so remove this one"
                )  # fmt: skip
        for flow in (one for one in flows if (one.entity, one.fallback) in by_place):
            self._doc.problem(
                nodes[flow.name], f"{flow.fallback} has a fallback itself ({by_place[flow.entity, flow.fallback]}); "
                "commands are handed over once, so remove one of the two"
            )  # fmt: skip

    def _check_able(self, node: Node, entity: EntityType, names: set[str]) -> None:
        """One platform, because a courier may write to the topics of its own only; and one that declares it."""
        found = sorted({one.platform for one in self._accounts.values() if one.platform and one.id in names})
        if len(found) > 1:
            self._doc.problem(node, f"both accounts must be of one platform, not {' and '.join(found)}")
        elif found and self._able.reroutable is not None and not self._able.reroutable(found[0], entity, Op.UPSERT):
            self._doc.problem(node, f"{found[0]} does not declare commands about {entity} reroutable; remove fallback")
