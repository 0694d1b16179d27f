"""What of a shard's rows any replay of its inputs agrees on, as digests and as differences. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from streams.core.entity import Entity

ENTITY = b"E"
_SIZE = 16  # bytes of a digest
_LENGTH = 4  # bytes of the length in front of each key and value, so that no two sets of rows read the same


class UnreadableRow(ValueError):
    """A row that this version cannot read."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An entity of which two states say different things; None where one of them has no row."""

    golden_key: str
    kept: Entity | None
    replayed: Entity | None


def comparable(entity: Entity) -> Entity:
    """What any order of the same observations agrees on: winner, its fingerprint and, per account, version, corrected
    time, op and whether it is ambiguous. Not: how often the content changed, what was released to `events`, what
    accounts were asked to hold and how often."""
    plain = tuple(c._replace(released=0, asked=(), tries=0) for c in entity.contributions)
    return entity._replace(golden_version=0, contributions=plain)


def unpacked(key: bytes, row: bytes) -> Entity:
    """The entity of a row `E`. Raises UnreadableRow naming it."""
    try:
        return Entity.unpack(row)
    except ValueError as error:
        raise UnreadableRow(
            f"the resolver's row of {key[1:].decode(errors='replace')} cannot be read: {error}; likely another version "
            f"wrote it, use the `sluice` that runs the resolver"
        ) from error


def replayable(rows: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Of a resolver's rows those that a replay must give, in the form in which it must give them.

    Raises UnreadableRow.
    """
    return {key: comparable(unpacked(key, row)).pack() for key, row in rows if key[:1] == ENTITY}


def digest(rows: Mapping[bytes, bytes]) -> str:
    """32 hexadecimal digits over sorted keys and values; equal for equal rows, however they came about."""
    made = blake2b(digest_size=_SIZE)
    for key in sorted(rows):
        for part in (key, rows[key]):
            made.update(len(part).to_bytes(_LENGTH, "big"))
            made.update(part)
    return made.hexdigest()


def overall(digests: Mapping[int, str]) -> str:
    """One digest of all shards, by number."""
    return digest({b"%d" % number: one.encode() for number, one in digests.items()})


def differences(kept: Mapping[bytes, bytes], replayed: Mapping[bytes, bytes]) -> list[Difference]:
    """The entities on which two sets of rows, as `replayable` gives them, disagree, in the order of their keys."""
    return [
        Difference(key[1:].decode(errors="replace"), _entity(kept.get(key)), _entity(replayed.get(key)))
        for key in sorted(kept.keys() | replayed.keys())
        if kept.get(key) != replayed.get(key)
    ]


def _entity(row: bytes | None) -> Entity | None:
    return None if row is None else Entity.unpack(row)
