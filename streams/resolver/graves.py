"""Graves: a deleted entity's row stays for a while, so that what was said before the delete cannot bring it back.

A row `G` + day + golden key notes the day of each delete; days that are over are looked at once. A grave whose entity
was heard of since is left to its later day.
"""

from __future__ import annotations

from itertools import islice

from streams.core.entity import NOTHING, Entity
from streams.resolver.moving import GIVEN
from streams.shard.api import Rows

DAY_MICROS = 86_400_000_000
AT_ONCE = 500  # graves removed per look
_KIND = b"G"


def bury(rows: Rows, key: bytes, now: int) -> None:
    """Note that the entity was deleted. `now`: microseconds UTC."""
    rows.put(_KIND + _day(now) + key, b"\1")


def clear(rows: Rows, now: int, keep_days: int) -> int:
    """Forget entities that were deleted more than `keep_days` ago and not heard of since. Returns how many graves were
    looked at; AT_ONCE means that there may be more."""
    before = now - keep_days * DAY_MICROS
    last = _KIND + _day(max(0, before))
    old = list(islice((key for key, _ in rows.scan(_KIND) if key[: len(last)] < last), AT_ONCE))
    for grave in old:
        _forget(rows, grave[len(last) :], before)
        rows.delete(grave)
    return len(old)


def _forget(rows: Rows, key: bytes, before: int) -> None:
    row = rows.get(b"E" + key)
    if row is None:
        return
    entity = Entity.unpack(row)
    if entity.fingerprint == NOTHING and all(c.corrected < before for c in entity.contributions):
        rows.delete(b"E" + key)
        rows.delete(GIVEN + key)
        for contribution in entity.contributions:
            rows.delete(b"V" + key + contribution.account)


def _day(micros: int) -> bytes:
    return (micros // DAY_MICROS).to_bytes(4, "big")
