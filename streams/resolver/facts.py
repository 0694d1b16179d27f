"""What the resolver reads of packed headers, keys and rows without unpacking them. Pure."""

from __future__ import annotations

from schemas import headers
from schemas.entities import Op, Rank
from schemas.headers import Header, InvalidHeader
from streams.core.entity import ENTRY_SIZE, HEAD_SIZE, Entity
from streams.shard.api import Incoming

SINGLE_SIZE = HEAD_SIZE + ENTRY_SIZE  # of the row of an entity of which one account has spoken
# What the fast path must be able to trust is checked as bytes; everything else of a header is only passed on.
_OPS = frozenset(Op)
LAST_RANK = max(Rank)
_LAST_TIME = (253_402_300_799_999_999).to_bytes(8, "big")  # the end of the year 9999, microseconds


def fact_of(record: Incoming) -> bytes:
    """The packed header, checked for its shape only. Raises InvalidHeader."""
    fact = headers.find(record.headers)
    if len(fact) < headers.FIXED_SIZE or fact[69] != headers.FORMAT:
        Header.unpack(fact)
        raise InvalidHeader("not a header of a known format")
    if fact[71] not in _OPS or fact[24] > LAST_RANK or fact[61:69] > _LAST_TIME or fact[45:53] > _LAST_TIME:
        raise InvalidHeader(f"op {fact[71]}, rank {fact[24]} or one of its times is not a possible one")
    return fact


def key_of(record: Incoming) -> bytes:
    """A golden key as bytes: three encoded parts. Raises InvalidHeader."""
    key = record.key
    if key is None or not is_plain(key):
        raise InvalidHeader(f"the record's key is not a golden key: {key!r}")
    return key


def is_plain(key: bytes) -> bool:
    """Whether a key has the shape of a golden key."""
    return key.count(b"|") == 2 and key.isascii()


def released_clock(row: bytes | None, account: bytes) -> int:
    """The clock of the newest version of an account that was released to `events`; 0 for none."""
    said = Entity.unpack(row).of(account) if row else None
    return said.released if said else 0
