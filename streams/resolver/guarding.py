"""The oversell guard within a shard: reservations of a stock level, and the record that each channel is to hold.

A reservation's golden id begins with that of its level, so both are in one shard. Row `O` + golden key of the level
holds its open reservations.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.kit import golden
from schemas import identity
from schemas.codec import Codec
from schemas.entities import EntityType, Op
from streams.core import stock
from streams.core.entity import Contribution
from streams.core.stock import Guard, Reservation
from streams.resolver.routes import Member
from streams.runtime.raw import micros
from streams.shard.api import Rows

LEVEL = EntityType.INVENTORY_LEVEL
RESERVED = EntityType.RESERVATION
_KIND = b"O"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one account is to hold: the content's fingerprint and the encoded record."""

    content: bytes
    value: bytes


def level_of(reservation: bytes) -> bytes:
    """The golden key of the level that a reservation (golden key) takes from. Raises ValueError for another shape."""
    tenant, _, name = reservation.decode().split("|")
    parts = name.split("~")
    if len(parts) < 3:
        raise ValueError(f"{reservation!r} does not name a level and an order line")
    return f"{tenant}|{LEVEL.value}|{parts[0]}~{parts[1]}".encode()


def reserve(rows: Rows, codec: Codec, key: bytes, value: bytes, account: bytes, received: int) -> bytes:
    """Take in the newest word on a reservation; that of a closed one has a value too. `received`: the time of one that
    does not say when it was placed, microseconds UTC. Returns the golden key of its level. Raises CodecError."""
    level, record = level_of(key), codec.decode(value)
    left = stock.millionths(record["quantity"])
    units = left + stock.millionths(record["fulfilled"])
    placed = received if record["placed_at"] is None else micros(record["placed_at"])
    row = stock.with_one(rows.get(_KIND + level), Reservation(identity.fingerprint(key), account, units, left, placed))
    _keep(rows, level, row)
    return level


def forget_shipped(rows: Rows, level: bytes, owner_time: int, lag: float) -> None:
    """Drop what no later figure of the owner needs."""
    row = rows.get(_KIND + level)
    if row is not None:
        needed = stock.pack(stock.still_needed(stock.unpack(row), owner_time, lag))
        if needed != row:
            _keep(rows, level, needed)


def _keep(rows: Rows, level: bytes, row: bytes) -> None:
    if row:
        rows.put(_KIND + level, row)
    else:
        rows.delete(_KIND + level)


def guarded(
    rows: Rows, codec: Codec, guard: Guard, key: bytes, value: bytes, owner: Contribution, to: Mapping[bytes, Member]
) -> dict[bytes, Wanted]:
    """What each account is to hold of a level. A level that is not counted is passed on as it is. Raises CodecError."""
    record: dict[str, Any] = codec.decode(value)
    available = record["available"]
    taken = stock.unknown_to(owner.account, owner.corrected, stock.unpack(rows.get(_KIND + key)), guard)
    made: dict[bytes, Wanted] = {}
    for account, member in to.items():
        units = None if available is None else stock.sellable(available, taken, guard.kept_back(member.account))
        content = golden.content_fingerprint(Op.UPSERT, golden.comparable_inventory_level(units))
        made[account] = Wanted(content, codec.encode(LEVEL.value, {**record, "available": units}))
    return made


def plain(content: bytes, value: bytes, to: Iterable[bytes]) -> dict[bytes, Wanted]:
    """Everybody is to hold the winner."""
    return dict.fromkeys(to, Wanted(content, value))
