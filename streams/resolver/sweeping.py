"""A shard whose entities were moved by other flows than those of its configuration: all of them are looked at once.

Some at a time, on the ticks, as policies are folded anew (refolding.py) and after that: accounts are asked to hold what
new or changed flows give them and they do not hold, and commands that are due are given. That all were looked at stands
in the row `F` last; one that was looked at already is in step, so a crash on the way asks nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from itertools import islice

from connectors.kit.errors import Misconfigured
from schemas.entities import EntityType
from streams.core import flowrow
from streams.core.flowrow import Standing
from streams.core.policy import Rules
from streams.resolver.deciding import Decider
from streams.resolver.refolding import AT_ONCE, ENTITY, SECONDS
from streams.resolver.unfit import Unfit
from streams.shard.api import Shard

log = logging.getLogger(__name__)


class Sweeping:
    """What is left to be looked at in a shard. Raises Misconfigured for flows that must not follow the ones it stands
    by: of a lower revision, or different ones under the same."""

    def __init__(self, rules: Rules, shard: Shard) -> None:
        self._own = Standing.of(rules)
        stored = flowrow.unpack(shard.rows.get(flowrow.KEY))
        refuse(stored, self._own, f"shard {shard.number}")
        self._types = {kind.value.encode(): kind for kind in stored.stale(self._own)}
        self._next = ENTITY
        self._seen = self._moved = 0
        self._put(shard, replace(self._own, open=frozenset(self._types.values())))

    def step(self, shard: Shard, decider: Decider, monotonic: Callable[[], float]) -> bool:
        """Look at some more. Returns whether nothing is left."""
        if not self._types:
            return True
        until = monotonic() + SECONDS
        keys = [key for key, _ in islice(shard.rows.scan(ENTITY, self._next), AT_ONCE)]
        for key in keys:
            self._next = key + b"\0"
            kind = self._types.get(key.split(b"|", 2)[1])
            row = shard.rows.get(key)
            if kind is not None and row is not None:
                self._look(shard, decider, kind, key[1:], row)
                if monotonic() > until:
                    return False
        if len(keys) < AT_ONCE:
            self._put(shard, self._own)
            self._tell(shard)
            self._types = {}
        return not self._types

    def _look(self, shard: Shard, decider: Decider, kind: EntityType, key: bytes, row: bytes) -> None:
        self._seen += 1
        with suppress(Unfit):  # a value that cannot be read asks nobody
            self._moved += decider.move(shard, kind.code, key, row)

    def _put(self, shard: Shard, standing: Standing) -> None:
        row = flowrow.pack(standing)
        if shard.rows.get(flowrow.KEY) != row:
            shard.rows.put(flowrow.KEY, row)

    def _tell(self, shard: Shard) -> None:
        if self._seen:
            log.info(
                "shard %d: flows of revision %d looked at %d stored entities of %s and moved %d",
                shard.number,
                self._own.revision,
                self._seen,
                ", ".join(self._types.values()),
                self._moved,
            )


def refuse(stored: Standing, own: Standing, what: str) -> None:
    """Raises Misconfigured where `own` must not follow what is stored; `what`: that stands by it."""
    if own.revision < stored.revision:
        raise Misconfigured(
            f"{what} stands by flows of revision {stored.revision}, and this configuration has "
            f"{f'revision {own.revision}' if own.revision else 'flows without a revision'}: likely it is an older copy "
            f"of the file. Bring the newer file here; or, to go back to these flows, set `revision: "
            f"{stored.revision + 1}` in flows.yaml and look with `sluice flows plan` at what that sends"
        )
    differing = stored.differing(own)
    if differing and own.revision == stored.revision and own.revision:
        raise Misconfigured(
            f"{what} stands by other flows ({', '.join(differing)}) under the same revision {own.revision}: the file "
            f"was changed without a new revision. Set `revision: {own.revision + 1}`, look with `sluice flows plan` at "
            "what that sends, and start again"
        )
