"""Whether a reader's Avro schema can read what a writer's schema wrote. Pure.

Source: Apache Avro 1.12 specification, "Schema Resolution". Two rules are stricter here than there, because Sluice
decodes with the writer's schema and consumers of a topic see several versions side by side: a logical type must stay
what it is, and a name must match in full or by an alias of the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from schemas.topics import Compatibility

NAMED = ("record", "enum", "fixed")
# Writer's type -> reader's types that may read it.
PROMOTIONS = {
    "int": ("long", "float", "double"),
    "long": ("float", "double"),
    "float": ("double",),
    "string": ("bytes",),
    "bytes": ("string",),
}


@dataclass(eq=False, slots=True)
class Node:
    """One type with its names resolved; a named type is one node however often it is used."""

    kind: str
    name: str = ""
    aliases: tuple[str, ...] = ()
    logical: tuple[str, ...] = ()
    size: int = 0
    symbols: tuple[str, ...] = ()
    enum_default: str | None = None
    fields: dict[str, Field] = field(default_factory=dict)
    branches: tuple[Node, ...] = ()

    def __str__(self) -> str:
        return self.name or (f"union of {', '.join(map(str, self.branches))}" if self.kind == "union" else self.kind)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a record."""

    type: Node
    has_default: bool
    aliases: tuple[str, ...]


def incompatibilities(reader: Any, writer: Any) -> list[str]:
    """Why `reader` cannot read all that `writer` can write; empty when it can. Both are self-contained schemas.

    Each reason starts with the path of the field, e.g. `sluice.Price.amount.tax`. Raises ValueError for a name that is
    used before it is defined.
    """
    read, written = parse(reader), parse(writer)
    return _Comparison().compare(read, written, str(read))


def violations(level: Compatibility, new: Any, history: Sequence[Any]) -> list[str]:
    """What a new version breaks towards `history` (oldest first); each reason names the version, counted from 1."""
    first = len(history) if level is Compatibility.BACKWARD else 1
    found = []
    for number, old in enumerate(history, start=1):
        if number < first:
            continue
        found += [f"cannot read version {number}: {reason}" for reason in incompatibilities(new, old)]
        if level is Compatibility.FULL_TRANSITIVE:
            found += [f"cannot be read by version {number}: {reason}" for reason in incompatibilities(old, new)]
    return found


class _Comparison:
    """One walk over two schemas. The pairs of records being compared are held, so that recursion ends."""

    def __init__(self) -> None:
        self._open: set[tuple[Node, Node]] = set()

    def compare(self, reader: Node, writer: Node, path: str) -> list[str]:
        if writer.kind == "union":
            reasons = [self._from_branch(reader, branch, path) for branch in writer.branches]
            return [reason for some in reasons for reason in some]
        if reader.kind == "union":
            return self._into_union(reader, writer, path)
        if reader.kind != writer.kind:
            return self._promoted(reader, writer, path)
        if reader.logical != writer.logical:
            return [f"{path}: {_logical(writer)} is read as {_logical(reader)}"]
        if reader.kind in NAMED and writer.name not in (reader.name, *reader.aliases):
            return [f"{path}: {writer.name} is written and {reader.name} is read; an alias would say they are the same"]
        return self._same_kind(reader, writer, path)

    def _from_branch(self, reader: Node, branch: Node, path: str) -> list[str]:
        if reader.kind != "union" and reader.kind != branch.kind and reader.kind not in PROMOTIONS.get(branch.kind, ()):
            return [f"{path}: {branch} may be written, but only {reader} is read"]
        return self.compare(reader, branch, path)

    def _into_union(self, reader: Node, writer: Node, path: str) -> list[str]:
        reasons: list[str] = []
        for branch in reader.branches:
            found = self.compare(branch, writer, path)
            if not found:
                return []
            if branch.kind == writer.kind and branch.name == writer.name:
                reasons = found
        return reasons or [f"{path}: {writer} may be written, which no branch of the {reader} reads"]

    def _promoted(self, reader: Node, writer: Node, path: str) -> list[str]:
        if reader.kind not in PROMOTIONS.get(writer.kind, ()):
            return [f"{path}: {writer} is written and {reader} is read"]
        if reader.logical != writer.logical:
            return [f"{path}: {_logical(writer)} is read as {_logical(reader)}"]
        return []

    def _same_kind(self, reader: Node, writer: Node, path: str) -> list[str]:
        match reader.kind:
            case "record":
                return self._records(reader, writer, path)
            case "array" | "map":
                return self.compare(reader.branches[0], writer.branches[0], f"{path}[]")
            case "enum":
                return _enums(reader, writer, path)
            case "fixed" if reader.size != writer.size:
                return [f"{path}: {writer.size} bytes are written and {reader.size} are read"]
        return []

    def _records(self, reader: Node, writer: Node, path: str) -> list[str]:
        if (reader, writer) in self._open:
            return []
        self._open.add((reader, writer))
        reasons: list[str] = []
        for name, wanted in reader.fields.items():
            here = f"{path}.{name}"
            written = next((writer.fields[key] for key in (name, *wanted.aliases) if key in writer.fields), None)
            if written is not None:
                reasons += self.compare(wanted.type, written.type, here)
            elif not wanted.has_default:
                reasons.append(f"{here}: the field is not written and has no default")
        self._open.discard((reader, writer))
        return reasons


def _enums(reader: Node, writer: Node, path: str) -> list[str]:
    unknown = [symbol for symbol in writer.symbols if symbol not in reader.symbols]
    if not unknown or reader.enum_default is not None:
        return []
    return [f"{path}: {', '.join(unknown)} may be written; the reader knows no such symbol and has no default"]


def _logical(node: Node) -> str:
    """`decimal(20, 6)`, `timestamp-micros`, or the plain type."""
    if not node.logical:
        return f"plain {node.kind}"
    name, *arguments = node.logical
    return f"{name}({', '.join(arguments)})" if arguments else name


def parse(schema: Any) -> Node:
    """The schema with its names resolved. Raises ValueError for a name that is used before it is defined."""
    return _Parser().parse(schema, "")


class _Parser:
    def __init__(self) -> None:
        self._named: dict[str, Node] = {}

    def parse(self, schema: Any, namespace: str) -> Node:
        if isinstance(schema, list):
            return Node("union", branches=tuple(self.parse(branch, namespace) for branch in schema))
        if isinstance(schema, str):
            return self._reference(schema, namespace)
        kind = schema["type"]
        if kind in NAMED:
            return self._define(kind, schema, namespace)
        if kind in ("array", "map"):
            inner = schema["items" if kind == "array" else "values"]
            return Node(kind, branches=(self.parse(inner, namespace),))
        if not isinstance(kind, str):
            return self.parse(kind, namespace)
        node = self._reference(kind, namespace)
        return node if node.kind in NAMED else Node(node.kind, logical=_logical_of(schema))

    def _reference(self, name: str, namespace: str) -> Node:
        if name in PRIMITIVES:
            return Node(name)
        full = _full_name(name, namespace)
        if full not in self._named:
            raise ValueError(f"schema name {full!r} is used before it is defined")
        return self._named[full]

    def _define(self, kind: str, schema: dict[str, Any], namespace: str) -> Node:
        full = _full_name(schema["name"], schema.get("namespace", namespace))
        inner = full.rpartition(".")[0]
        node = self._named[full] = Node(
            kind,
            name=full,
            aliases=tuple(_full_name(alias, inner) for alias in schema.get("aliases", ())),
            logical=_logical_of(schema),
            size=schema.get("size", 0),
            symbols=tuple(schema.get("symbols", ())),
            enum_default=schema.get("default"),
        )
        for entry in schema.get("fields", ()):
            type_ = self.parse(entry["type"], inner)
            node.fields[entry["name"]] = Field(type_, "default" in entry, tuple(entry.get("aliases", ())))
        return node


PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})


def _full_name(name: str, namespace: str) -> str:
    return name if "." in name or not namespace else f"{namespace}.{name}"


def _logical_of(schema: dict[str, Any]) -> tuple[str, ...]:
    name = schema.get("logicalType")
    if name is None:
        return ()
    if name == "decimal":
        return (name, str(schema.get("precision")), str(schema.get("scale", 0)))
    return (str(name),)
