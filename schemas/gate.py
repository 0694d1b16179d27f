"""The compatibility gate: every schema in force is in the checked-in history and keeps its promises towards it.

The history is `schemas/history/<schema>/<number>.avsc`, self-contained. The number counts freezes over all schemas:
registered in this order, an empty registry gives out the same ids again, and a topic outlives its registry's memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fastavro
import orjson

from schemas import compat
from schemas.codec import Schema, load, names
from schemas.subjects import registered_names, strictest

HISTORY = Path(__file__).parent / "history"


_GONE = "delete the folder when no record is left"


@dataclass(frozen=True, slots=True)
class Version:
    """One entry of the history."""

    name: str
    number: int
    schema: Schema


def history(folder: Path = HISTORY) -> list[Version]:
    """All frozen versions in the order in which they were frozen."""
    found = [
        Version(path.parent.name, int(path.stem), orjson.loads(path.read_bytes())) for path in folder.glob("*/*.avsc")
    ]
    return sorted(found, key=lambda version: (version.number, version.name))


def problems(folder: Path = HISTORY) -> list[str]:
    """Everything that stands against releasing the schemas as they are; empty when nothing does."""
    frozen = history(folder)
    found: list[str] = []
    for name in names():
        schema, versions = load(name), _of(name, frozen)
        flaws = _flaws(name, schema, versions)
        if not flaws and name in registered_names() and _changed(schema, versions):
            what = "was changed since it was frozen" if versions else "has no history"
            flaws = [f"{name}: {what}; run `sluice schemas freeze` and commit schemas/history"]
        found += flaws
    gone = sorted({version.name for version in frozen} - set(registered_names()))
    return found + [f"{name}: has a history, but no topic uses it; {_GONE}" for name in gone]


def freeze(folder: Path = HISTORY) -> list[Path]:
    """Write the current form of every changed schema to the history; returns the new files.

    Raises Incompatible, and writes nothing, when a schema is invalid or breaks its compatibility.
    """
    frozen = history(folder)
    current = {name: load(name) for name in registered_names()}
    refused = [flaw for name, schema in current.items() for flaw in _flaws(name, schema, _of(name, frozen))]
    if refused:
        raise Incompatible(refused)
    changed = [(name, schema) for name, schema in current.items() if _changed(schema, _of(name, frozen))]
    first = max((version.number for version in frozen), default=0) + 1
    return [_write(folder / name / f"{number:04}.avsc", schema) for number, (name, schema) in enumerate(changed, first)]


class Incompatible(Exception):
    """Schemas that must not be frozen; `reasons` are sentences."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("\n".join(reasons))
        self.reasons = reasons


def _of(name: str, frozen: list[Version]) -> list[Version]:
    return [version for version in frozen if version.name == name]


def _changed(schema: Schema, versions: list[Version]) -> bool:
    return not versions or versions[-1].schema != schema


def _flaws(name: str, schema: Schema, versions: list[Version]) -> list[str]:
    """What cannot be mended by freezing: invalid Avro, a missing doc, a broken promise."""
    try:
        fastavro.parse_schema(schema)
    except Exception as error:  # noqa: BLE001 - whatever the parser raises, the schema is invalid
        return [f"{name}: is not a valid Avro schema: {type(error).__name__}: {error}"]
    bare = dict.fromkeys(_undocumented(schema, str(schema.get("name"))))
    found = [f"{name}: {path} has no doc; say what it holds, in which unit" for path in bare]
    return found + _breaches(name, schema, versions)


def _breaches(name: str, schema: Schema, versions: list[Version]) -> list[str]:
    """What the schema breaks towards its frozen versions, under the strictest compatibility of its topics."""
    before = versions if _changed(schema, versions) else versions[:-1]
    if not before:
        return []
    level = strictest(name)
    found = compat.violations(level, schema, [version.schema for version in before])
    hint = "give a new field a default, keep what is there, or begin a new major version of the topics"
    return [f"{name}: {level.value} is broken: the current form {reason}; {hint}" for reason in found]


def _undocumented(node: Any, path: str) -> Iterator[str]:
    """Paths of records, enums and fields without a doc."""
    if isinstance(node, list):
        for branch in node:
            yield from _undocumented(branch, path)
    if not isinstance(node, dict):
        return
    if node.get("type") in ("record", "enum") and not node.get("doc"):
        yield path
    for entry in node.get("fields", ()):
        here = f"{path}.{entry['name']}"
        if not entry.get("doc"):
            yield here
        yield from _undocumented(entry["type"], here)
    for inner in ("items", "values", "type"):
        yield from _undocumented(node.get(inner), path)


def _write(path: Path, schema: Schema) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(orjson.dumps(schema, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return path
