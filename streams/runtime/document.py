"""YAML with places: every value knows its path and line, and all problems of a file are told at once."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

import yaml

from connectors.kit.errors import Misconfigured

Choice = TypeVar("Choice", bound=StrEnum)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file. `value` of a mapping or list holds nodes."""

    value: Scalar | dict[str, Node] | list[Node]
    path: str
    line: int

    def __repr__(self) -> str:
        return f"<{self.path} in line {self.line}>"  # a value may be a secret


class Document:
    """A file being read. Readers return something usable even when they note a problem, so that reading goes on."""

    def __init__(self, path: Path, hint: str = "set SLUICE_CONFIG_FILE, or make one: docs/settings.md") -> None:
        """`hint`: what to do about a file that cannot be read. Raises Misconfigured for it, and for what is no YAML."""
        self._name = path.name
        self._hint = hint
        self.problems: list[str] = []
        self.root = self._parse(path)

    def problem(self, node: Node, text: str) -> None:
        """Note what is wrong with a value, with its place."""
        self.problems.append(f"{self._name}:{node.line}: {node.path or 'file'}: {text}")

    def finish(self) -> None:
        """Raises Misconfigured with all problems, one per line."""
        if self.problems:
            raise Misconfigured("\n".join(self.problems))

    def mapping(self, node: Node, allowed: Collection[str] = (), required: Iterable[str] = ()) -> dict[str, Node]:
        """Keys and values; with `allowed` no others, with `required` at least these."""
        if not isinstance(node.value, dict):
            self.problem(node, f"must be a mapping{_of(allowed)}")
            return {}
        for key, value in node.value.items():
            if allowed and key not in allowed:
                near = difflib.get_close_matches(key, allowed, n=1)
                meant = f", did you mean {near[0]}?" if near else ""
                self.problem(value, f"unknown key{meant}{_of(allowed)}")
        for key in required:
            if key not in node.value:
                self.problem(node, f"{key} is missing")
        return {key: value for key, value in node.value.items() if not allowed or key in allowed}

    def items(self, node: Node) -> list[Node]:
        """The values of a list; a single value counts as a list of one."""
        return node.value if isinstance(node.value, list) else [node]

    def text(self, node: Node) -> str:
        """A text that is not empty."""
        if isinstance(node.value, str) and node.value:
            return node.value
        self.problem(node, "must be a text")
        return ""

    def scalar(self, node: Node) -> str:
        """Any single value as text: quotes around 15 or true are not asked for."""
        if isinstance(node.value, bool):
            return "true" if node.value else "false"
        if isinstance(node.value, str | int | float):
            return str(node.value)
        self.problem(node, "must be a single value")
        return ""

    def number(self, node: Node, lowest: float = -math.inf) -> float:
        """A finite number of at least `lowest`."""
        value = node.value
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= lowest:
            return float(value)
        bound = "" if math.isinf(lowest) else f" of at least {lowest:g}"
        self.problem(node, f"must be a number{bound}")
        return max(lowest, 0.0)

    def integer(self, node: Node, lowest: int) -> int:
        """A whole number of at least `lowest`."""
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and value >= lowest:
            return value
        self.problem(node, f"must be a whole number of at least {lowest}")
        return lowest

    def flag(self, node: Node) -> bool:
        """true or false."""
        if isinstance(node.value, bool):
            return node.value
        self.problem(node, "must be true or false")
        return False

    def name(self, name: str, node: Node) -> None:
        """Note a name that is not one: it stands in keys, labels and addresses."""
        if not _NAME.fullmatch(name):
            self.problem(node, f"name {name!r} is not allowed; allowed: up to 63 letters, digits, . _ -")

    def choice(self, node: Node, options: type[Choice]) -> Choice | None:
        """One of an enum's values; None when it is not."""
        try:
            return options(str(node.value))
        except ValueError:
            self.problem(node, f"{node.value!r} is not known; allowed: {', '.join(options)}")
            return None

    def one_of(self, node: Node, allowed: Collection[str], what: str) -> str | None:
        """A name out of `allowed`; None when it is not."""
        name = self.scalar(node)
        if name in allowed:
            return name
        self.problem(node, f"{name!r} is not {what}; allowed: {', '.join(sorted(allowed)) or 'none yet'}")
        return None

    def _parse(self, path: Path) -> Node:
        try:
            loader = yaml.SafeLoader(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise Misconfigured(f"{path} cannot be read: {error.strerror}", hint=self._hint) from error
        try:
            root = loader.get_single_node()
            return self._node(loader, root, "") if root is not None else Node({}, "", 1)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f":{mark.line + 1}" if mark else ""
            raise Misconfigured(f"{path.name}{line}: not YAML: {getattr(error, 'problem', error)}") from error
        finally:
            loader.dispose()

    def _node(self, loader: yaml.SafeLoader, node: yaml.Node, path: str) -> Node:
        line = node.start_mark.line + 1
        if isinstance(node, yaml.MappingNode):
            return Node(self._pairs(loader, node, path), path, line)
        if isinstance(node, yaml.SequenceNode):
            return Node([self._node(loader, one, f"{path}[{at}]") for at, one in enumerate(node.value)], path, line)
        value = loader.construct_object(node)
        return Node(value if isinstance(value, Scalar) else str(value), path, line)

    def _pairs(self, loader: yaml.SafeLoader, node: yaml.MappingNode, path: str) -> dict[str, Node]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                place = Node(None, _join(path, str(key.value)), key.start_mark.line + 1)
                self.problem(place, "stands here twice; names must be unique")
            seen.add(key.value)
        loader.flatten_mapping(node)  # YAML's own `<<: *anchor`
        return {str(key.value): self._node(loader, value, _join(path, str(key.value))) for key, value in node.value}


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _of(allowed: Collection[str]) -> str:
    return f"; allowed: {', '.join(sorted(allowed))}" if allowed else ""
