"""The one packed header `sluice` of internal records, and the CloudEvents headers for outsiders. Pure.

Layout of the packed header, format 1 (big-endian, so versions compare as bytes as they compare as numbers):

    offset size
         0   16  event id
        16   29  version: clock value 8 | rank 1 | sequence 8 | mapping revision 4 | content fingerprint 8
        45    8  corrected source time, microseconds UTC
        53    8  account hash
        61    8  received at, microseconds UTC
        69    1  format (1)
        70    1  entity type code
        71    1  op
        72    1  flags: bits 0-1 completeness, bits 2-4 channel, bit 5 answer to a write of ours
        73    -  trace context (W3C traceparent text), optional

The id comes first and the version second because they are all that the hot path reads of most records.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from schemas.entities import Channel, Completeness, EntityType, Op, Rank

NAME = "sluice"
FORMAT = 1
VERSION_SIZE = 29
FIXED_SIZE = 73
ID_SIZE = 16
ACCOUNT_SIZE = 8
FINGERPRINT_SIZE = 8
ANSWER = 1 << 5  # flag of an observation that is what an account said to a write of ours

_LAYOUT = struct.Struct(">16s29sQ8sQBBBB")
_VERSION = struct.Struct(">QBQI8s")
_CHANNELS = tuple(Channel)
MAX_CLOCK = (1 << 64) - 1


class InvalidHeader(ValueError):
    """A record without a readable `sluice` header."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """What decides between two observations of one record; compares lexicographically, never by arrival.

    `clock`: vendor sequence or microseconds, one kind per (account, type). `sequence`: read or trigger sequence.
    """

    clock: int
    rank: Rank
    sequence: int
    mapping_revision: int
    fingerprint: bytes

    def pack(self) -> bytes:
        """29 bytes that compare as the version does. Raises InvalidHeader for a part out of range."""
        if len(self.fingerprint) != FINGERPRINT_SIZE:  # struct would pad or cut it
            raise InvalidHeader(f"a fingerprint has {FINGERPRINT_SIZE} bytes: {self!r}")
        try:
            return _VERSION.pack(self.clock, self.rank, self.sequence, self.mapping_revision, self.fingerprint)
        except struct.error as error:
            raise InvalidHeader(f"a version part is out of range: {self!r}: {error}") from error

    @classmethod
    def unpack(cls, data: bytes) -> Version:
        """Raises InvalidHeader when the bytes are not a version."""
        try:
            clock, rank, sequence, mapping_revision, content = _VERSION.unpack(data)
            return cls(clock, Rank(rank), sequence, mapping_revision, content)
        except (struct.error, ValueError) as error:
            raise InvalidHeader(f"not a packed version: {data.hex()}: {error}") from error


@dataclass(frozen=True, slots=True)
class Header:
    """The facts of one canonical event; the same stand in the record's `meta`. `answer`: see ANSWER."""

    event_id: bytes
    version: Version
    corrected_time: int
    account: bytes
    received_at: int
    type: EntityType
    op: Op
    completeness: Completeness
    channel: Channel
    traceparent: str = ""
    answer: bool = False

    def pack(self) -> bytes:
        """Raises InvalidHeader for a part out of range."""
        if len(self.event_id) != ID_SIZE or len(self.account) != ACCOUNT_SIZE:  # struct would pad or cut them
            raise InvalidHeader(f"an event id has {ID_SIZE} bytes and an account hash {ACCOUNT_SIZE}: {self!r}")
        flags = self.completeness | _CHANNELS.index(self.channel) << 2 | self.answer * ANSWER
        fixed = (self.event_id, self.version.pack(), self.corrected_time, self.account, self.received_at)
        try:
            return _LAYOUT.pack(*fixed, FORMAT, self.type.code, self.op, flags) + self.traceparent.encode()
        except (struct.error, UnicodeEncodeError) as error:
            raise InvalidHeader(f"a header part is out of range: {error}") from error

    @classmethod
    def unpack(cls, data: bytes) -> Header:
        """Raises InvalidHeader when the bytes are not a packed header of a known format."""
        if len(data) < FIXED_SIZE or data[69] != FORMAT:
            raise InvalidHeader(f"not a format {FORMAT} header: {len(data)} bytes, {data[:80].hex()}")
        event_id, version, corrected, account, received, _, code, op, flags = _LAYOUT.unpack(data[:FIXED_SIZE])
        try:
            return cls(
                event_id,
                Version.unpack(version),
                corrected,
                account,
                received,
                EntityType.from_code(code),
                Op(op),
                Completeness(flags & 3),
                _CHANNELS[flags >> 2 & 7],
                data[FIXED_SIZE:].decode(),
                bool(flags & ANSWER),
            )
        except (KeyError, ValueError, IndexError) as error:
            raise InvalidHeader(f"unknown value in a header: {error}") from error


_EVENT_FACTS = struct.Struct(">BQ16sB")


pack_event_facts = partial(_EVENT_FACTS.pack, FORMAT)  # shard sequence, event id, late (1) + unchanged (2)


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What only the resolver knows of a record in `events.*`: its one header there.

    `shard_seq` increases by one per record of a partition of one events topic family; `late` means it came after
    its account's watermark had passed it and a newer version was known; `unchanged` that its content equals the
    version before it.
    """

    shard_seq: int
    event_id: bytes
    late: bool
    unchanged: bool = False

    def pack(self) -> bytes:
        """26 bytes. Raises InvalidHeader for a part out of range."""
        if len(self.event_id) != ID_SIZE:
            raise InvalidHeader(f"an event id has {ID_SIZE} bytes: {self!r}")
        try:
            return pack_event_facts(self.shard_seq, self.event_id, self.late | self.unchanged << 1)
        except struct.error as error:
            raise InvalidHeader(f"a part of an event's header is out of range: {error}") from error

    @classmethod
    def unpack(cls, data: bytes) -> EventFacts:
        """Raises InvalidHeader when the bytes are not event facts."""
        try:
            kind, shard_seq, event_id, flags = _EVENT_FACTS.unpack(data)
        except struct.error as error:
            raise InvalidHeader(f"not the header of an event: {data.hex()}") from error
        if kind != FORMAT:
            raise InvalidHeader(f"unknown format {kind} of an event's header")
        return cls(shard_seq, event_id, bool(flags & 1), bool(flags & 2))


def find(headers: Sequence[tuple[str, bytes | None]] | None) -> bytes:
    """The packed header of a record. Raises InvalidHeader when it has none."""
    for name, value in headers or ():
        if name == NAME and value is not None:
            return value
    raise InvalidHeader(f"no {NAME!r} header among {[name for name, _ in headers or ()]}")


def cloud_event(
    *, id: str, source: str, type: str, time: str, subject: str, schema: str, content_type: str = "application/avro"
) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 attributes in the binary mode of its Kafka binding (`ce_` headers plus `content-type`).

    Source: CloudEvents Kafka Protocol Binding 1.0.2, section 3.2.
    """
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": id,
        "ce_source": source,
        "ce_type": type,
        "ce_time": time,
        "ce_subject": subject,
        "ce_dataschema": schema,
        "content-type": content_type,
    }
    return [(name, value.encode()) for name, value in attributes.items()]
