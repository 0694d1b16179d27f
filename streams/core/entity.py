"""The resolver's row of one entity: what each account last said of it. Pure.

    header (26 bytes):  format 1 | flags 1 | golden version 8 | winner's account 8 | winner's fingerprint 8
    per account (70):   account 8 | version 29 | corrected time 8 | op 1 | released clock 8
                        | pushed fingerprint 8 | pushed time 8

One `bytes` value is at once the memory form, the local store's and the changelog's; big-endian parts compare as
numbers.
`released clock` is the clock value of the newest version released to `events`. `pushed ...` say what this account was
last asked to hold, and as of which winner's time.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from schemas.entities import Op

FORMAT = 1
_HEAD = struct.Struct(">BBQ8s8s")
_ENTRY = struct.Struct(">8s29sQBQ8sQ")
HEAD_SIZE = _HEAD.size
ENTRY_SIZE = _ENTRY.size
NOTHING = bytes(8)


@dataclass(frozen=True, slots=True)
class Contribution:
    """One account's newest observation. Times in microseconds UTC; `version` is packed (29 bytes)."""

    account: bytes
    version: bytes
    corrected: int
    op: Op
    released: int = 0
    pushed: bytes = NOTHING
    pushed_time: int = 0

    @property
    def fingerprint(self) -> bytes:
        """Content hash of the observation."""
        return self.version[21:29]


@dataclass(frozen=True, slots=True)
class Entity:
    """A row, unpacked. `golden_version` counts changes of the winning content."""

    golden_version: int
    winner: bytes
    fingerprint: bytes
    contributions: tuple[Contribution, ...]

    def of(self, account: bytes) -> Contribution | None:
        """The account's contribution."""
        return next((c for c in self.contributions if c.account == account), None)

    def having(self, contribution: Contribution) -> Entity:
        """With this account's contribution replaced or added; accounts stay sorted so that rows do not depend on
        the order of arrival."""
        others = [c for c in self.contributions if c.account != contribution.account]
        return replace(self, contributions=tuple(sorted([*others, contribution], key=lambda c: c.account)))

    def pack(self) -> bytes:
        """The row."""
        head = _HEAD.pack(FORMAT, 0, self.golden_version, self.winner, self.fingerprint)
        return head + b"".join(
            _ENTRY.pack(c.account, c.version, c.corrected, c.op, c.released, c.pushed, c.pushed_time)
            for c in self.contributions
        )

    @classmethod
    def unpack(cls, row: bytes) -> Entity:
        """Raises ValueError for a row of another format or length."""
        if row[0] != FORMAT or (len(row) - HEAD_SIZE) % ENTRY_SIZE:
            raise ValueError(f"not an entity row of format {FORMAT}: {len(row)} bytes, format {row[0]}")
        _, _, golden_version, winner, fingerprint = _HEAD.unpack_from(row)
        return cls(golden_version, winner, fingerprint, tuple(_entries(row)))


def _entries(row: bytes) -> list[Contribution]:
    return [
        Contribution(account, version, corrected, Op(op), released, pushed, pushed_time)
        for account, version, corrected, op, released, pushed, pushed_time in _ENTRY.iter_unpack(row[HEAD_SIZE:])
    ]


EMPTY = Entity(0, NOTHING, NOTHING, ())
