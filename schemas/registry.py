"""Where a running process gets ids and schemas from: the registry, or what it said before when it is away.

Roles never register: they look up the id of exactly the schema they were built with, under the subject that is named
after the record (`sluice.Price`). A registry gives equal content one id under all subjects, so this id is also the one
of the topic subjects.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import orjson

from schemas.codec import Codec, Schema, UnknownSchema, load
from schemas.registry_cache import SchemaCache
from schemas.registry_client import (
    HttpRegistry,
    NotRegistered,
    Registry,
    RegistryError,
    RegistryRefused,
    RegistryUnavailable,
)
from schemas.registry_memory import MemoryRegistry
from schemas.subjects import record_subject, registered_names, wire_text

__all__ = [
    "HttpRegistry",
    "MemoryRegistry",
    "MemorySchemas",
    "NotRegistered",
    "Registry",
    "RegistryError",
    "RegistryRefused",
    "RegistrySchemas",
    "RegistryUnavailable",
    "open_codec",
]

RETRY_SECONDS = 5.0  # After a failure the cache answers alone for this long: a slow registry is paid for once
log = logging.getLogger(__name__)
T = TypeVar("T")


class RegistrySchemas:
    """Ids and schemas of one registry; implements `codec.SchemaSource`, which asks once per name and id.

    The registry is asked first and the cache second: ids in a registry that was rebuilt mean something else, and only
    the registry knows. Blocking, with short timeouts.
    """

    def __init__(
        self, registry: Registry, cache: SchemaCache | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registry = registry
        self._cache = cache
        self._clock = clock
        self._away_until = float("-inf")

    def id_of(self, name: str) -> int:
        """The id of the local schema `name`. Raises NotRegistered, RegistryRefused, or RegistryUnavailable when the
        registry is away and the id is not in the cache; FileNotFoundError when there is no such schema file."""
        schema = load(name)
        text, subject = wire_text(schema), record_subject(schema)
        cached = self._cache.id_of(name, text) if self._cache else None
        try:
            found = self._ask(lambda: self._registry.lookup(subject, text))
        except RegistryUnavailable as error:
            if cached is None:
                raise RegistryUnavailable(f"{error}; the id of schema {name!r} is not in the cache either") from error
            return cached
        if found is None:
            raise NotRegistered(
                f"schema {name!r} is not registered under subject {subject!r} at {self._registry.address} in the form "
                f"this version was built with; run `sluice schemas register`"
            )
        self._remember(name, text, found, cached)
        return found

    def schema_of(self, schema_id: int) -> Schema:
        """The writer's schema behind an id. Raises UnknownSchema when the registry has no such id, and
        RegistryUnavailable when it is away and the id is not in the cache."""
        cached = self._cache.schema(schema_id) if self._cache else None
        try:
            text = self._ask(lambda: self._registry.schema(schema_id))
        except RegistryUnavailable as error:
            if cached is None:
                raise RegistryUnavailable(f"{error}; schema {schema_id} is not in the cache either") from error
            text = cached
        if text is None:
            # A registry that lost its content gives the id no other meaning, so what it said before still holds.
            text = cached
        if text is None:
            raise UnknownSchema(f"no Avro schema has id {schema_id} at the registry {self._registry.address}")
        if self._cache and text != cached:
            self._cache.store_schema(schema_id, text)
        return _parse(schema_id, text)

    def _ask(self, question: Callable[[], T]) -> T:
        """Ask the registry, unless it failed a moment ago."""
        if self._clock() < self._away_until:
            raise RegistryUnavailable(f"the schema registry {self._registry.address} did not answer a moment ago")
        try:
            return question()
        except RegistryUnavailable:
            self._away_until = self._clock() + RETRY_SECONDS
            raise

    def _remember(self, name: str, text: str, found: int, cached: int | None) -> None:
        if self._cache is None or found == cached:
            return
        if cached is not None:
            log.warning(
                "the registry %s was rebuilt: schema %s had id %d and has %d now; the cache is emptied",
                self._registry.address, name, cached, found,
            )  # fmt: skip
            self._cache.clear()
        self._cache.store_id(name, text, found)
        self._cache.store_schema(found, text)


class MemorySchemas(RegistrySchemas):
    """A source without a registry, in which all our schemas are registered. For tests, ours and users'."""

    def __init__(self, registry: MemoryRegistry | None = None) -> None:
        """A registry that is given is taken as it is."""
        super().__init__(filled() if registry is None else registry)


def filled() -> MemoryRegistry:
    """A registry in memory that holds the current form of every schema under its record subject."""
    registry = MemoryRegistry()
    for name in registered_names():
        schema = load(name)
        registry.register(record_subject(schema), wire_text(schema))
    return registry


def open_codec(registry_url: str, cache_dir: Path | str, warm: Iterable[str] = ()) -> Codec:
    """The codec of a running process. Ids of the schemas in `warm` are asked for now and kept in the cache: a process
    should name what it writes, so that the registry may be away by the time of its first dead letter.

    Contacts nothing when `warm` is empty. Raises ValueError for what is no URL, and what `RegistrySchemas.id_of` does.
    """
    registry = HttpRegistry(registry_url)
    source = RegistrySchemas(registry, SchemaCache(Path(cache_dir).expanduser(), registry.address))
    for name in warm:
        source.id_of(name)
    return Codec(source)


def _parse(schema_id: int, text: str) -> Schema:
    try:
        schema = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnknownSchema(f"what the registry holds under id {schema_id} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise UnknownSchema(f"schema {schema_id} is no record but {text[:80]}")
    parsed: Schema = schema
    return parsed
