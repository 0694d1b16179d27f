"""Making a broker and a registry ready for a run: topics of the catalogue, schemas of the package."""

from __future__ import annotations

from schemas import registration
from schemas.admin import apply, existing_topics, open_admin
from schemas.plan import diff
from schemas.registry_client import HttpRegistry
from schemas.topics import CATALOGUE, Profile


def prepare(bootstrap: str, registry: str, prefix: str, profile: Profile) -> None:
    """Create what is missing and register every schema. Idempotent; raises what `sluice topics apply` would."""
    admin = open_admin(bootstrap)
    names = [f"{prefix}{name}" for name in CATALOGUE]
    apply(admin, diff(existing_topics(admin, names), prefix, profile))
    registration.register(HttpRegistry(registry), prefix)
