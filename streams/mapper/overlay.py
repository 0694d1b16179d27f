"""Links this shard has emitted and the replica may not show yet. Pure.

Between emitting a link and reading it back lie a commit and a poll: without the overlay every record in between would
be fetched once more although its link is known here.
"""

from __future__ import annotations

from schemas.entities import EntityType
from schemas.identity import SourceKey
from streams.runtime.links import StoredLink
from streams.runtime.xref import LinkView, Remote

CAPACITY = 20_000  # links; at 5,000 new ones per second the replica has four seconds to show them


class Overlay:
    """A LinkView over another one, newest link first. Forgets its oldest entries beyond `capacity`."""

    def __init__(self, base: LinkView, capacity: int = CAPACITY) -> None:
        self._base = base
        self._capacity = capacity
        self._own: dict[SourceKey, StoredLink] = {}

    def __len__(self) -> int:
        return len(self._own)

    def add(self, source: SourceKey, link: StoredLink) -> None:
        """Put a link on top."""
        self._own.pop(source, None)
        self._own[source] = link
        if len(self._own) > self._capacity:
            del self._own[next(iter(self._own))]

    def link(self, source: SourceKey) -> StoredLink | None:
        own, base = self._own.get(source), self._base.link(source)
        if own is None or base is None:
            return own or base
        return own if own.linked_at >= base.linked_at else base

    def golden(self, tenant: str, type: EntityType, account: str, remote_id: str) -> str | None:
        link = self.link(SourceKey(tenant, type, account, remote_id))
        return link.golden_key if link is not None and link.linked else None

    def remote(self, tenant: str, type: EntityType, account: str, golden_key: str) -> Remote | None:
        return self._base.remote(tenant, type, account, golden_key)
