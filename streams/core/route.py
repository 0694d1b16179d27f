"""Which account carries a command out, where a flow names another one for when its own is away. Pure.

The route of an entity's commands at an account is decided once: by the first of them, either when its intent is written
(the account itself) or when it is handed over (the fallback). From then on it holds for all commands of the entity, so
that a cancellation goes where the order went. Never two accounts hold an intent of one command.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Route:
    """An account of the same tenant, and its platform."""

    account: str
    platform: str


def route(frozen: Route | None, own: Route, fallback: Route | None, *, tried: bool, away: bool) -> Route:
    """Where a command goes that waits at `own`. `frozen`: what was decided for its entity; `fallback`: what its flow
    names; `tried`: it has an intent here; `away`: nothing of its endpoint class may start here now."""
    if frozen is not None:
        return frozen
    return fallback if fallback is not None and away and not tried else own
