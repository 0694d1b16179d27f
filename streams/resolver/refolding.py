"""A shard whose entities stand by other policies than those of its configuration: all of them are folded anew.

Some at a time, on the ticks, each time in one transaction with what it says: a shard works on meanwhile, and of an
entity whose turn has not come the next event makes it come. That all are done stands in the row `R` last, so a crash
on the way begins again from the first entity, and what is folded already says nothing twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import islice

from connectors.kit.errors import Misconfigured
from schemas.entities import EntityType
from streams.core import policyrow
from streams.core.policyrow import Standing
from streams.resolver.deciding import Decider
from streams.resolver.routes import Routes
from streams.shard.api import Rows, Shard

ENTITY = b"E"
AT_ONCE = 500  # entities per tick at most
SECONDS = 0.05  # that a tick may take, give or take an entity
log = logging.getLogger(__name__)


class Refolding:
    """What is left to be folded anew in a shard. Raises Misconfigured for policies that must not follow the ones it
    stands by: of a lower revision, or different ones under the same."""

    def __init__(self, routes: Routes, shard: Shard) -> None:
        own = Standing.of(routes.rules, routes.kept_types)
        stored = policyrow.unpack(shard.rows.get(policyrow.KEY))
        refuse(stored, own, f"shard {shard.number}")
        self._stored, self._own = stored, own
        self._types = stored.stale(own)
        self._next = ENTITY
        self._folded = self._told = self._unknown = 0
        self._put(shard.rows, policyrow.pack(replace(own, unsettled=frozenset(self._types))))

    @property
    def codes(self) -> frozenset[int]:
        """Type codes of which entities may still stand by the old policies."""
        return frozenset(kind.code for kind in self._types)

    def step(self, shard: Shard, decider: Decider, monotonic: Callable[[], float]) -> bool:
        """Fold some more. Returns whether nothing is left."""
        if not self._types:
            return True
        names, until = {kind.value.encode() for kind in self._types}, monotonic() + SECONDS
        keys = [key for key, _ in islice(shard.rows.scan(ENTITY, self._next), AT_ONCE)]
        for key in keys:
            self._next = key + b"\0"
            row = shard.rows.get(key)
            if row is not None and key.split(b"|", 2)[1] in names:
                folded = decider.refold(shard, EntityType(key.split(b"|", 2)[1].decode()).code, key[1:], row)
                self._folded += 1
                self._told += folded.told
                self._unknown += folded.unknown
                if monotonic() > until:
                    return False
        if len(keys) < AT_ONCE:
            self._put(shard.rows, policyrow.pack(self._own))
            self._tell(shard)
            self._types = []
        return not self._types

    def _put(self, rows: Rows, row: bytes) -> None:
        if rows.get(policyrow.KEY) != row:
            rows.put(policyrow.KEY, row)

    def _tell(self, shard: Shard) -> None:
        if not self._folded:
            return
        log.log(
            logging.WARNING if self._unknown else logging.INFO,
            "shard %d: policies of revision %d follow those of revision %d: %d entities of %s folded anew, %d changed, "
            "%d left as they were until their accounts speak again, because values were not kept before",
            shard.number,
            self._own.revision,
            self._stored.revision,
            self._folded,
            _listed(self._types),
            self._told,
            self._unknown,
        )


def refuse(stored: Standing, own: Standing, what: str) -> None:
    """Raises Misconfigured where `own` must not follow what is stored; `what`: that stands by it."""
    differing = stored.differing(own)
    if own.revision < stored.revision:
        raise Misconfigured(
            f"{what} stands by policies of revision {stored.revision}, and this configuration has revision "
            f"{own.revision}: likely it is an older copy of the file. Bring the newer file here; or, to go back to "
            f"these policies, set `revision: {stored.revision + 1}` and look with `sluice policies diff` at what it "
            "changes"
        )
    if differing and own.revision == stored.revision:
        raise Misconfigured(
            f"{what} stands by other policies of {_listed(differing)} under the same revision {own.revision}: the file "
            f"was changed without a new revision. Set `revision: {own.revision + 1}`, look with `sluice policies diff` "
            "at what it changes, and start again"
        )


def _listed(kinds: Sequence[EntityType]) -> str:
    return ", ".join(kind.value for kind in kinds)
