"""A registry in memory: the twin of the real one for tests, ours and users'."""

from __future__ import annotations

from itertools import count

import orjson

from schemas import compat
from schemas.codec import Schema
from schemas.registry_client import RegistryRefused
from schemas.topics import Compatibility


class MemoryRegistry:
    """Ids from a counter, one id per schema whatever its subjects. Implements `registry_client.Registry`."""

    address = "memory"

    def __init__(self) -> None:
        self._next = count(1)
        self._texts: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self._versions: dict[str, list[str]] = {}
        self._levels: dict[str, str] = {}

    def lookup(self, subject: str, schema: str) -> int | None:
        return self._ids[schema] if schema in self._versions.get(subject, ()) else None

    def schema(self, schema_id: int) -> str | None:
        return self._texts.get(schema_id)

    def register(self, subject: str, schema: str) -> int:
        if not self.compatible(subject, schema):
            raise RegistryRefused(f"the schema is not compatible with the versions of subject {subject!r}")
        if schema not in self._ids:
            self._ids[schema] = next(self._next)
            self._texts[self._ids[schema]] = schema
        versions = self._versions.setdefault(subject, [])
        if schema not in versions:
            versions.append(schema)
        return self._ids[schema]

    def compatibility(self, subject: str) -> str | None:
        return self._levels.get(subject)

    def set_compatibility(self, subject: str, level: str) -> None:
        self._levels[subject] = level

    def compatible(self, subject: str, schema: str) -> bool:
        level = self._levels.get(subject)
        if level is None:
            return True
        history = [_parse(text) for text in self._versions.get(subject, ())]
        return not compat.violations(Compatibility(level), _parse(schema), history)


def _parse(text: str) -> Schema:
    schema: Schema = orjson.loads(text)
    return schema
