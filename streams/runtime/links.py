"""One link of a remote id, and its bytes: those of its record in the topic, from the golden key on.

A view holds millions of links and reads them all before it serves any, so a record is cut where its key stops being
repeated, and decoded only when it is asked for: that is a quarter of what decoding and packing anew costs. A test holds
the bytes equal to what the codec writes. Source: Avro 1.12, binary encoding; schemas/avro/xref.avsc.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.avrobytes import END, long, text, zigzag
from schemas.codec import FRAME_SIZE
from streams.runtime.raw import micros

KNOWN_AS = "known_as"  # `linked_by` of further ids of a record: they lead to the entity, the entity not back to them
LINKED = "LINKED"
_KEY_FIELDS = range(4)  # tenant, type, account, remote_id: what the record's key says as well
_LINKED, _RETIRED = long(0), long(3)  # XrefStatus
_KNOWN_AS, _OTHERWISE = text(KNOWN_AS), text("")


@dataclass(frozen=True, slots=True)
class StoredLink:
    """What the xref topic says of one remote id. `linked_at`: microseconds UTC."""

    golden_key: str
    aliases: Mapping[str, str] = field(default_factory=dict)
    linked_at: int = 0
    link_revision: int = 1
    primary: bool = True
    linked: bool = True

    def pack(self) -> bytes:
        """The form in which a view holds it."""
        fields = (
            text(self.golden_key),
            _LINKED if self.linked else _RETIRED,
            long(self.link_revision),
            _OTHERWISE if self.primary else _KNOWN_AS,
            long(self.linked_at),
            *((long(len(self.aliases)), *map(text, _flat(self.aliases))) if self.aliases else ()),
            END,
        )
        return b"".join(fields)

    @classmethod
    def unpack(cls, packed: bytes) -> StoredLink:
        """The inverse of `pack`. Raises IndexError or ValueError for bytes that are no link."""
        golden, at = _text(packed, 0)
        linked = packed.startswith(_LINKED, at)
        revision, at = _long(packed, _long(packed, at)[1])
        primary = not packed.startswith(_KNOWN_AS, at)
        linked_at, at = _time(packed, _behind(packed, at))
        return cls(golden, _aliases(packed, at), linked_at, revision, primary, linked)


def stored_link(record: Mapping[str, Any]) -> StoredLink:
    """The link of a decoded Xref record."""
    return StoredLink(
        record["golden_key"],
        record["aliases"],
        micros(record["linked_at"]),
        record["link_revision"],
        record["linked_by"] != KNOWN_AS,
        record["status"] == LINKED,
    )


def packed_link(value: bytes) -> bytes:
    """The packed link of a framed record of the local schema. Raises IndexError where it ends too early."""
    at = FRAME_SIZE
    for _ in _KEY_FIELDS:
        size = value[at]
        at = at + 1 + (size >> 1) if size < 128 else _behind(value, at)
    if value[at] > 127:
        _behind(value, at)
    return value[at:]


def leads_back_from(packed: bytes) -> bytes:
    """The golden key from which a packed link is found, empty when it is not. Raises IndexError."""
    size = packed[0]
    begin, end = (1, 1 + (size >> 1)) if size < 128 else (_long(packed, 0)[1], _behind(packed, 0))
    if not packed.startswith(_LINKED, end):
        return b""
    at = end + 2 if packed[end + 1] < 128 else _long(packed, end + 1)[1]
    return b"" if packed.startswith(_KNOWN_AS, at) else packed[begin:end]


def linked_at(packed: bytes) -> int:
    """When a packed link was made, microseconds UTC. Raises IndexError."""
    at = _long(packed, _long(packed, _behind(packed, 0))[1])[1]
    return _long(packed, _behind(packed, at))[0]


def _flat(aliases: Mapping[str, str]) -> list[str]:
    return [part for entry in aliases.items() for part in entry]


def _long(data: bytes, at: int) -> tuple[int, int]:
    """A zig-zag variable-length integer, and where it ends."""
    rest = data[at]
    if rest < 128:
        return (rest >> 1) ^ -(rest & 1), at + 1
    rest, at = zigzag(data, at)
    return (rest >> 1) ^ -(rest & 1), at


def _time(data: bytes, at: int) -> tuple[int, int]:
    """As `_long`, for what mostly is a time of our century: eight bytes of seven bits, put together in three steps."""
    rest = int.from_bytes(data[at : at + 8], "little")
    if rest & 0x80808080_80808080 != 0x00808080_80808080:
        return _long(data, at)
    rest = rest & 0x007F007F_007F007F | (rest & 0x7F007F00_7F007F00) >> 1
    rest = rest & 0x00003FFF_00003FFF | (rest & 0x3FFF0000_3FFF0000) >> 2
    rest = rest & 0x0FFFFFFF | (rest & 0x0FFFFFFF_00000000) >> 4
    return (rest >> 1) ^ -(rest & 1), at + 8


def _behind(data: bytes, at: int) -> int:
    """Where a text ends."""
    size, begin = _long(data, at)
    return begin + size


def _text(data: bytes, at: int) -> tuple[str, int]:
    size, begin = _long(data, at)
    end = begin + size
    if not begin <= end <= len(data):
        raise ValueError(f"a text of {size} bytes at byte {begin} of {len(data)}")
    return data[begin:end].decode(), end


def _aliases(data: bytes, at: int) -> dict[str, str]:
    """A map in its blocks; a count below 0 is followed by the block's size in bytes."""
    found: dict[str, str] = {}
    while data[at]:
        count, at = _long(data, at)
        if count < 0:
            count, at = -count, _long(data, at)[1]
        for _ in range(count):
            name, at = _text(data, at)
            found[name], at = _text(data, at)
    return found
