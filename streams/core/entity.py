"""The resolver's row of one entity: what each account last said of it. Pure.

    header (26 bytes):  format 1 | layered 1 | golden version 8 | winner's account 8 | winner's fingerprint 8
    per account (55+):  account 8 | version 29 | corrected time 8 | op 1 | released clock 8
                        | tries (4 bits), count of asked (4 bits) 1 | per asked: fingerprint 8, time 8

One `bytes` value is at once the memory form, the local store's and the changelog's; big-endian parts compare as
numbers. `released clock` is the clock value of the newest version released to `events`. `asked` is what this account
was asked to hold, oldest first, and as of which winner's time: from the one it holds now, or the oldest outstanding.
`tries`: how often it was asked to hold the content that is golden now. The highest bit of `op`: the account is
ambiguous, it said two different things with versions that differ in nothing else, and nothing newer since.
`layered`: 1 when the entity is put together from parts, so that its rows of values hold layers.
"""

from __future__ import annotations

import struct
from operator import itemgetter
from typing import NamedTuple

from schemas.entities import Op

FORMAT = 1
_HEAD = struct.Struct(">BBQ8s8s")
_ENTRY = struct.Struct(">8s29sQBQB")
_ASKED = struct.Struct(">8sQ")
HEAD_SIZE = _HEAD.size
ENTRY_SIZE = _ENTRY.size  # of an account that was asked for nothing
MOST_ASKED = 8  # outstanding pushes to one account whose echoes are told from edits
MOST_TRIES = 3  # of making an account hold one content; an account that holds something else again will do so for ever
_AMBIGUOUS = 0x80
_OPS = {int(op): op for op in Op}
_account = itemgetter(0)
NOTHING = bytes(8)


class Contribution(NamedTuple):
    """One account's newest observation. Times in microseconds UTC; `version` is packed (29 bytes)."""

    account: bytes
    version: bytes
    corrected: int
    op: Op
    released: int = 0
    asked: tuple[tuple[bytes, int], ...] = ()
    tries: int = 0
    ambiguous: bool = False

    @property
    def fingerprint(self) -> bytes:
        """Content hash of the observation."""
        return self.version[21:29]

    @property
    def clock(self) -> bytes:
        """The packed clock value."""
        return self.version[:8]

    @property
    def pushed(self) -> bytes:
        """Fingerprint of what it was asked to hold last; 8 zero bytes for nothing."""
        return self.asked[-1][0] if self.asked else NOTHING

    @property
    def settled(self) -> bool:
        """Whether it holds what it was asked for first of `asked`, as it stores it."""
        return bool(self.asked) and self.corrected == self.asked[0][1] - 1

    @property
    def one_outstanding(self) -> bool:
        """Whether it was asked for exactly one content that it is not known to hold."""
        holds_first = self.settled or (self.asked[:1] and self.asked[0][0] == self.fingerprint)
        return len({content for content, _ in self.asked[1 if holds_first else 0 :]}) == 1

    @property
    def expected(self) -> list[bytes]:
        """Fingerprints it may be found with: what it was heard to hold, and what it was asked to hold since."""
        return [self.fingerprint, *(content for content, _ in self.asked)]

    def asking(self, fingerprint: bytes, time: int) -> Contribution:
        """With one more push noted."""
        asked = (*self.asked, (fingerprint, time))[-MOST_ASKED:]
        again = not self.asked or self.pushed == fingerprint  # else something else is asked for than before
        return self._replace(asked=asked, tries=min(self.tries + 1, MOST_TRIES) if again else 1)


class Entity(NamedTuple):
    """A row, unpacked. `golden_version` counts changes of the winning content; `layered`: what the accounts said is
    kept as layers, not as the values that came."""

    golden_version: int
    winner: bytes
    fingerprint: bytes
    contributions: tuple[Contribution, ...]
    layered: bool = False

    def of(self, account: bytes) -> Contribution | None:
        """The account's contribution."""
        for c in self.contributions:
            if c.account == account:
                return c
        return None

    def having(self, contribution: Contribution) -> Entity:
        """With this account's contribution replaced or added; accounts stay sorted so that rows do not depend on
        the order of arrival."""
        all_of_them = [c for c in self.contributions if c.account != contribution.account]
        all_of_them.append(contribution)
        all_of_them.sort(key=_account)
        return Entity(self.golden_version, self.winner, self.fingerprint, tuple(all_of_them), self.layered)

    def pack(self) -> bytes:
        """The row."""
        parts = [_HEAD.pack(FORMAT, self.layered, self.golden_version, self.winner, self.fingerprint)]
        for account, version, corrected, op, released, asked, tries, ambiguous in self.contributions:
            counts = tries << 4 | len(asked)
            parts.append(_ENTRY.pack(account, version, corrected, op | ambiguous * _AMBIGUOUS, released, counts))
            for one in asked:
                parts.append(_ASKED.pack(*one))  # noqa: PERF401 -- mostly there are none
        return b"".join(parts)

    @classmethod
    def unpack(cls, row: bytes) -> Entity:
        """Raises ValueError for a row of another format or length."""
        try:
            form, layered, golden_version, winner, fingerprint = _HEAD.unpack_from(row)
            if form == FORMAT:
                return cls(golden_version, winner, fingerprint, _entries(row), layered != 0)
        except KeyError as error:
            raise ValueError(f"an entity row has an unknown op: {error}") from error
        except struct.error as error:
            raise ValueError(f"an entity row of {len(row)} bytes is cut off: {error}") from error
        raise ValueError(f"not an entity row of format {FORMAT}: format {form}")


def _entries(row: bytes) -> tuple[Contribution, ...]:
    at, size, found = HEAD_SIZE, len(row), []
    while at < size:
        account, version, corrected, op, released, counts = _ENTRY.unpack_from(row, at)
        at += ENTRY_SIZE
        asked: tuple[tuple[bytes, int], ...] = ()
        if counts & 15:
            end = at + (counts & 15) * _ASKED.size
            asked = tuple(_ASKED.unpack_from(row, start) for start in range(at, end, _ASKED.size))
            at = end
        op_of, ambiguous = _OPS[op & ~_AMBIGUOUS], op >= _AMBIGUOUS
        found.append(Contribution(account, version, corrected, op_of, released, asked, counts >> 4, ambiguous))
    return tuple(found)


def version_in(row: bytes, account: bytes) -> bytes:
    """The newest version of an account as a row says it, without unpacking the row; empty where it has not spoken."""
    at = HEAD_SIZE
    while at < len(row):
        if row.startswith(account, at):
            return row[at + 8 : at + 37]
        at += ENTRY_SIZE + (row[at + ENTRY_SIZE - 1] & 15) * _ASKED.size
    return b""


EMPTY = Entity(0, NOTHING, NOTHING, ())
