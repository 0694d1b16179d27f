"""Registering at a registry: the operator's act at every release. Roles only look up."""

from __future__ import annotations

from dataclasses import dataclass, replace

from schemas.gate import history
from schemas.registry_client import Registry
from schemas.subjects import Subject, subjects, wire_text


@dataclass(frozen=True, slots=True)
class Registered:
    """What became of one subject: the id of its newest schema, and whether anything had to be written for it."""

    subject: Subject
    id: int
    changed: bool


def register(registry: Registry, prefix: str) -> list[Registered]:
    """Set each subject's compatibility and register its history, oldest first; what is there already stays.

    Versions go in the order of their freezes, so that ids come out the same at every empty registry. Raises
    RegistryUnavailable or RegistryRefused; run again, it goes on where it stopped.
    """
    wanted = subjects(prefix)
    outcome = {subject.subject: Registered(subject, 0, _set_level(registry, subject)) for subject in wanted}
    for version in history():
        for subject in (subject for subject in wanted if subject.name == version.name):
            schema_id, written = _register(registry, subject.subject, wire_text(version.schema))
            before = outcome[subject.subject]
            outcome[subject.subject] = replace(before, id=schema_id, changed=before.changed or written)
    return list(outcome.values())


def _set_level(registry: Registry, subject: Subject) -> bool:
    if registry.compatibility(subject.subject) == subject.level.value:
        return False
    registry.set_compatibility(subject.subject, subject.level.value)
    return True


def _register(registry: Registry, subject: str, text: str) -> tuple[int, bool]:
    """The id, and whether it had to be written."""
    found = registry.lookup(subject, text)
    if found is not None:
        return found, False
    return registry.register(subject, text), True
