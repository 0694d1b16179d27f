"""How a mapped record finds its entity. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connectors.kit.contract import Mapped
from schemas import identity
from schemas.entities import EntityType
from schemas.identity import GoldenKey, SourceKey
from streams.runtime.links import KNOWN_AS, StoredLink
from streams.runtime.xref import LinkView


@dataclass(frozen=True, slots=True)
class Found:
    """The entity of a record and the rule that found it, e.g. sku, origin, via:variant."""

    key: GoldenKey
    rule: str


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link the xref topic does not have yet."""

    source: SourceKey
    link: StoredLink
    rule: str


def find(tenant: str, account: str, record: Mapped, view: LinkView) -> Found | None:
    """The record's entity, or None when the record that carries the link is not known.

    Raises InvalidKey for a golden id or a remote id that cannot be a part of a key.
    """
    link = record.link
    if link.golden_id:
        rule = "origin" if record.type is EntityType.ORDER else "sku"
        return Found(_key(tenant, record.type, _with_suffix(link.golden_id, link.suffix)), rule)
    if link.via is None:
        return None
    kind, remote_id = link.via
    golden = view.golden(tenant, kind, account, remote_id)
    if golden is None:
        return None
    return Found(
        _key(tenant, record.type, _with_suffix(GoldenKey.parse(golden).golden_id, link.suffix)), f"via:{kind.value}"
    )


def _key(tenant: str, kind: EntityType, golden_id: str) -> GoldenKey:
    key = GoldenKey(tenant, kind, golden_id)
    identity.join(tenant, kind, golden_id)  # refuses what cannot be written
    return key


def _with_suffix(golden_id: str, suffix: str) -> str:
    return identity.extend(golden_id, suffix) if suffix else golden_id


def news(
    tenant: str, account: str, record: Mapped, found: Found, received_at: int, view: LinkView
) -> tuple[NewLink, ...]:
    """The links this record teaches: its own id and every further id, as far as the view lacks them.

    What was received before the stored link changes nothing, so a replay of old raw records does not lead ids back.
    """
    if record.type is EntityType.RESERVATION:  # nobody looks for an order line, and there are very many
        return ()
    golden_key = str(found.key)
    names = [(record.remote_id, found.rule)]
    names += [(name, KNOWN_AS) for name in dict.fromkeys(record.known_as) if name != record.remote_id]
    learnt = []
    for remote_id, rule in names:
        source = SourceKey(tenant, record.type, account, remote_id)
        aliases = {} if rule == KNOWN_AS else record.aliases
        link = _changed(view.link(source), golden_key, aliases, received_at, primary=rule != KNOWN_AS)
        if link is not None:
            learnt.append(NewLink(source, link, rule))
    return tuple(learnt)


def _changed(
    stored: StoredLink | None, golden_key: str, aliases: Mapping[str, str], received_at: int, *, primary: bool
) -> StoredLink | None:
    if stored is None:
        return StoredLink(golden_key, dict(aliases), received_at, 1, primary)
    if received_at < stored.linked_at:
        return None
    if stored.golden_key != golden_key or not stored.linked:
        return StoredLink(golden_key, dict(aliases), received_at, stored.link_revision + 1, primary)
    merged = {**stored.aliases, **aliases}  # an observation that names fewer ids takes none away
    if merged == stored.aliases:
        return None
    return StoredLink(golden_key, merged, received_at, stored.link_revision, stored.primary)


def xref_record(new: NewLink) -> dict[str, object]:
    """The record of schemas/avro/xref.avsc."""
    return {
        "tenant": new.source.tenant,
        "type": new.source.type.value,
        "account": new.source.account,
        "remote_id": new.source.remote_id,
        "golden_key": new.link.golden_key,
        "status": "LINKED",
        "link_revision": new.link.link_revision,
        "linked_by": new.rule,
        "linked_at": new.link.linked_at,
        "aliases": new.link.aliases,
    }
