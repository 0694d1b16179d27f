"""The oversell guard: what a channel may sell of a stock that open orders will take from. Pure.

    may sell = available at the stock's owner - reservations it does not know of yet - the channel's safety stock

A reservation is an open order line. The owner's figure contains it once the owner was read later than the order was
placed, and long enough after for it to have learnt of it.

    per reservation: id 8 | quantity in millionths 8 | corrected time 8
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

_ENTRY = struct.Struct(">8sqQ")
_MILLION = 1_000_000
ID_SIZE = 8


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
    """An open order line. `quantity`: millionths of a unit; `corrected`: microseconds UTC."""

    id: bytes
    quantity: int
    corrected: int


def with_one(row: bytes | None, one: Reservation) -> bytes:
    """The row with this reservation in it, instead of what it held of the same id; without it when nothing is open."""
    others = [known for known in unpack(row) if known.id != one.id]
    kept = [*others, one] if one.quantity > 0 else others
    return b"".join(_ENTRY.pack(r.id, r.quantity, r.corrected) for r in sorted(kept, key=lambda r: r.id))


def unpack(row: bytes | None) -> list[Reservation]:
    """The reservations of a row. Raises struct.error for a row that is cut off."""
    return [Reservation(*entry) for entry in _ENTRY.iter_unpack(row or b"")]


def millionths(quantity: Decimal) -> int:
    """A quantity as it stands in a row."""
    return int(quantity * _MILLION)


def unknown_to(owner_time: int, reservations: Iterable[Reservation], guard: Guard) -> Decimal:
    """Units in reservations that the owner's figure of that time (microseconds UTC) does not contain."""
    lag = int(guard.learns_within * _MILLION)
    taken = sum(one.quantity for one in reservations if one.corrected + lag > owner_time)
    return Decimal(taken) / _MILLION


def sellable(available: Decimal, taken: Decimal, kept_back: Decimal) -> Decimal:
    """What a channel may be told; never below nothing."""
    return max(Decimal(0), available - taken - kept_back)
