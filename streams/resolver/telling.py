"""What the resolver says of its decisions: records of schemas/avro/decision.avsc.

They are written by hand, not by the Avro library: nearly every event of several accounts makes one, and most of it is
the same in many of them. A property test holds them equal, byte for byte, to what the codec writes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from schemas.avrobytes import END, NO_BYTES, array, blob, long, text
from schemas.codec import Codec
from schemas.entities import EntityType, Op
from streams.core.entity import Contribution
from streams.core.resolve import Resolution, does_not_stick
from streams.resolver.merging import GroupWinner
from streams.resolver.outputs import drifted
from streams.resolver.routes import Routes

_version = struct.Struct(">QBQI8s").unpack  # see schemas.headers
_FINGERPRINT = long(8)  # its size
_OPS = {Op.UPSERT: text("upsert"), Op.DELETE: text("delete")}
_REMEMBERED = 1_024  # texts and group winners that are kept encoded


class Source(NamedTuple):
    """Where the event that was decided on stands."""

    topic: str
    partition: int
    offset: int
    event_id: bytes
    account: bytes


class Decisions:
    """Writes decisions. The first one asks the schema registry."""

    def __init__(self, routes: Routes, codec: Codec) -> None:
        self._routes = routes
        self._codec = codec
        self._types = {kind.code: text(kind.value) for kind in EntityType}
        self._rules = {code: text(policy.kind.value) for code, policy in routes.policies.items()}
        self._revision = long(routes.rules.revision)
        self._names: dict[bytes, bytes] = {}
        self._text: Callable[[str], bytes] = lru_cache(_REMEMBERED)(text)
        self._group: Callable[[GroupWinner], bytes] = lru_cache(_REMEMBERED)(self._encode_group)

    def record(
        self, code: int, key: bytes, verdict: Resolution, source: Source, asked: Sequence[bytes], now: int,
        groups: Sequence[GroupWinner] = (),
    ) -> bytes:  # fmt: skip
        """A decision, encoded. `groups`: who won the field groups, of a type that has them; `now`: microseconds UTC.
        Raises Unencodable for a number that does not fit its field."""
        entity, event_id = verdict.entity, blob(source.event_id)
        ambiguous, stuck, losers, winner = list[bytes](), list[bytes](), list[bytes](), b""
        for c in entity.contributions:
            encoded = self._contribution(c, event_id if c.account == source.account else NO_BYTES)
            if c.account == entity.winner:
                winner = encoded
            else:
                losers.append(encoded)
            if c.ambiguous:
                ambiguous.append(self._name(c.account))
            if does_not_stick(c):
                stuck.append(self._name(c.account))
        assert winner
        drifting = drifted(self._routes, code, key, entity)
        parts = (
            self._codec.frame("decision"),
            blob(key),
            self._types[code],
            long(now),
            long(entity.golden_version),
            self._text(verdict.outcome),
            self._rules[code],
            self._text(verdict.because),
            self._revision,
            event_id,
            self._name(source.account),
            winner,
            array(losers),
            self._text(source.topic),
            long(source.partition),
            long(source.offset),
            array([self._name(account) for account in asked]) if asked else END,
            array([self._group(one) for one in groups]) if groups else END,
            array(ambiguous) if ambiguous else END,
            array(stuck) if stuck else END,
            array([self._name(account) for account in drifting]) if drifting else END,
        )
        return b"".join(parts)

    def _contribution(self, c: Contribution, event_id: bytes) -> bytes:
        """What one account says now; the (encoded) event id is known for the one that was just decided on."""
        clock, rank, sequence, mapping_revision, fingerprint = _version(c.version)
        at = long(clock)
        parts = (
            self._name(c.account),
            event_id,
            _OPS[c.op],
            at,
            long(rank),
            long(sequence),
            long(mapping_revision),
            _FINGERPRINT,
            fingerprint,
            at if c.corrected == clock else long(c.corrected),
        )
        return b"".join(parts)

    def _encode_group(self, one: GroupWinner) -> bytes:
        return text(one.group) + text(one.rule) + self._name(one.account) + text(one.because)

    def _name(self, account: bytes) -> bytes:
        """The account, or the hex of its hash when the configuration does not know it."""
        name = self._names.get(account)
        if name is None:
            member = self._routes.members.get(account)
            name = self._names[account] = text(member.account if member else account.hex())
        return name
