"""The oversell guard: what a channel may sell of a stock that open orders will take from. Pure.

    may sell = available at the stock's owner - units sold elsewhere that it does not know of yet - the safety stock

A reservation is an order line. Its units count, shipped or not, until the owner's figure contains them: until the owner
was read later than the order was placed, and long enough after for it to have learnt of it. Cancelled units are given
back at once. Orders placed at the owner itself are in its figure.

    per reservation: id 8 | account 8 | units in millionths 8 | open units in millionths 8 | placed at 8
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

_ENTRY = struct.Struct(">8s8sqqQ")
_MILLION = 1_000_000
_MOST = 1 << 62
NEVER = 1 << 62  # the time of a figure that no later one needs anything for: there is no level


@dataclass(frozen=True, slots=True)
class Guard:
    """How a flow guards a stock. `safety`: units kept back from every account, `channels`: from single ones;
    `learns_within`: seconds the owner needs to learn of an order."""

    safety: Decimal = Decimal(0)
    channels: Mapping[str, Decimal] = field(default_factory=dict)
    learns_within: float = 60.0

    def kept_back(self, account: str) -> Decimal:
        """Units an account never gets to sell."""
        return self.channels.get(account, self.safety)


@dataclass(frozen=True, slots=True)
class Reservation:
    """An order line. `account`: hash of where it was placed; `units`: open and shipped ones, in millionths, `open`:
    those not shipped; `placed`: microseconds UTC."""

    id: bytes
    account: bytes
    units: int
    open: int
    placed: int

    def contained(self, owner_time: int, lag: float) -> bool:
        """Whether the owner's figure of that time (microseconds UTC) knows of it; `lag` in seconds."""
        return self.placed + int(lag * _MILLION) <= owner_time


def with_one(row: bytes | None, one: Reservation) -> bytes:
    """The row with this reservation in it, instead of what it held of the same id; without it when it takes nothing."""
    others = [known for known in unpack(row) if known.id != one.id]
    return pack([*others, one] if one.units > 0 else others)


def still_needed(reservations: Iterable[Reservation], owner_time: int, lag: float) -> list[Reservation]:
    """Without those that are shipped and contained in the owner's figure: no later figure needs them."""
    return [one for one in reservations if one.open > 0 or not one.contained(owner_time, lag)]


def pack(reservations: Iterable[Reservation]) -> bytes:
    """The row."""
    ordered = sorted(reservations, key=lambda one: one.id)
    return b"".join(_ENTRY.pack(r.id, r.account, r.units, r.open, r.placed) for r in ordered)


def unpack(row: bytes | None) -> list[Reservation]:
    """The reservations of a row. Raises struct.error for a row that is cut off."""
    return [Reservation(*entry) for entry in _ENTRY.iter_unpack(row or b"")]


def millionths(quantity: Decimal) -> int:
    """A quantity as it stands in a row, or the most that a row can hold."""
    return max(-_MOST, min(int(quantity * _MILLION), _MOST))


def unknown_to(owner: bytes, owner_time: int, reservations: Iterable[Reservation], guard: Guard) -> Decimal:
    """Units that the owner's figure of that time (microseconds UTC) does not contain. `owner`: its account hash."""
    lag = guard.learns_within
    elsewhere = (one for one in reservations if one.account != owner)
    return Decimal(sum(one.units for one in elsewhere if not one.contained(owner_time, lag))) / _MILLION


def sellable(available: Decimal, taken: Decimal, kept_back: Decimal) -> Decimal:
    """What a channel may be told; never below nothing."""
    return max(Decimal(0), available - taken - kept_back)
