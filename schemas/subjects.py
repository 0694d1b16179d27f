"""Which schema stands under which subject, and what each subject promises. Pure.

Every schema that a topic uses has a record subject (`sluice.Price`): roles look their ids up there, whatever the prefix
of the topics. Topic subjects (`sluice.state.price.v1-value`) are for everyone else's tools. Equal content has one id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import orjson

from schemas.codec import Schema, load
from schemas.topics import CATALOGUE, Compatibility, Topic

STRICTNESS = (Compatibility.BACKWARD, Compatibility.BACKWARD_TRANSITIVE, Compatibility.FULL_TRANSITIVE)


@dataclass(frozen=True, slots=True)
class Subject:
    """One subject of the registry, the schema `name` that it holds versions of, and what these promise."""

    subject: str
    name: str
    level: Compatibility


def wire_text(schema: Schema) -> str:
    """The one text of a schema that is sent to registries: they tell schemas apart by their characters."""
    return orjson.dumps(schema, option=orjson.OPT_SORT_KEYS).decode()


def record_subject(schema: Schema) -> str:
    """The subject named after the record, e.g. sluice.Price."""
    return f"{schema['namespace']}.{schema['name']}"


@cache
def registered_names() -> tuple[str, ...]:
    """The local schemas that stand alone in a record of some topic, sorted."""
    return tuple(sorted({name for topic in CATALOGUE.values() for name in topic.schemas}))


def strictest(name: str) -> Compatibility:
    """The strictest compatibility of the topics that use a schema. Raises ValueError when none does."""
    return max((topic.compatibility for topic in CATALOGUE.values() if name in topic.schemas), key=STRICTNESS.index)


def subjects(prefix: str, topics: Iterable[Topic] = tuple(CATALOGUE.values())) -> list[Subject]:
    """Record subjects first, then one subject per topic with a schema of its own.

    All subjects of one schema promise the same, the strictest: its versions are the same under each of them.
    """
    found = {}
    for name in registered_names():
        subject = record_subject(load(name))
        found[subject] = Subject(subject, name, strictest(name))
    for topic in topics:
        for subject, name in topic.subjects(prefix).items():
            found.setdefault(subject, Subject(subject, name, strictest(name)))
    return list(found.values())
