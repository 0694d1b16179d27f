"""One clock per account and type, remembered: versions read from another clock cannot be compared with those kept.

A row `K` + account holds what the account's platform declared when the shard was opened last. Another declaration is
refused until a person raises the account's clock epoch; then what the account said so far ranks below all it will say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from connectors.kit.errors import Misconfigured
from schemas import identity
from schemas.entities import EntityType
from streams.core import layers as parts
from streams.core.entity import Contribution, Entity
from streams.core.resolve import turned
from streams.resolver.routes import Member
from streams.shard.api import Rows

_KIND = b"K"
_CONTENT = 21  # where the content's fingerprint begins in a version


def settle(rows: Rows, members: Iterable[Member]) -> None:
    """Compare every account's declaration with what is kept, and keep it. Raises Misconfigured for one that changed."""
    for member in members:
        if not member.clocks:
            continue
        stored = rows.get(_KIND + member.hash)
        epoch, kept = _unpack(stored) if stored else (member.clock_epoch, {})
        changed = [kind for kind, clock in member.clocks.items() if kept.get(kind, clock) != clock]
        if changed and member.clock_epoch <= epoch:
            raise Misconfigured(_refusal(member, changed[0], kept, epoch))
        for kind in changed:
            _lower(rows, member, kind)
        packed = _pack(
            max(epoch, member.clock_epoch), kept | {kind.value: clock for kind, clock in member.clocks.items()}
        )
        if packed != stored:
            rows.put(_KIND + member.hash, packed)


def _refusal(member: Member, kind: EntityType, kept: Mapping[str, str], epoch: int) -> str:
    return (
        f"account {member.label}: the clock of {kind.value} was {kept[kind]!r} and is declared as "
        f"{member.clocks[kind]!r} now; versions of the two cannot be compared. If the change is meant, set "
        f"clock_epoch: {epoch + 1} under tenants.{member.tenant}.accounts.{member.account} and restart: what it said "
        "so far then ranks below all it says from now on. Otherwise go back to the release that was running"
    )


def _lower(rows: Rows, member: Member, kind: EntityType) -> None:
    """Rank everything the account said of a type below every version to come."""
    prefix = b"E" + identity.join(member.tenant, kind.value).encode() + b"|"
    for key, row in [*rows.scan(prefix)]:
        entity = Entity.unpack(row)
        said = entity.of(member.hash)
        if said is None:
            continue
        lowered = entity.having(_lowered(rows, key[1:], said))
        rows.put(key, turned(lowered, entity.winner, entity.fingerprint, entity).pack())


def _lowered(rows: Rows, key: bytes, said: Contribution) -> Contribution:
    """Layers of a record that is put together from parts keep their order among each other."""
    kept = b"V" + key + said.account
    value = rows.get(kept)
    try:
        layers = parts.unpack(value or b"")
    except ValueError:
        layers = ()
    if layers:
        low = [one._replace(version=_low(len(layers) - at, one.version)) for at, one in enumerate(layers)]
        rows.put(kept, parts.pack(low))
    return said._replace(version=_low(len(layers), said.version), released=0)


def _low(rank: int, version: bytes) -> bytes:
    return rank.to_bytes(_CONTENT, "big") + version[_CONTENT:]


def _pack(epoch: int, clocks: Mapping[str, str]) -> bytes:
    return orjson.dumps([epoch, dict(clocks)], option=orjson.OPT_SORT_KEYS)


def _unpack(row: bytes) -> tuple[int, dict[str, str]]:
    epoch, clocks = orjson.loads(row)
    return epoch, clocks
