"""Entities that are put together from parts: field groups with policies of their own, and events with some fields only.

Each account's events are kept as layers (row `V`), so any order of them gives the same record. A golden record is the
record of the account that wins by the type's policy, with the fields of every group taken from the account that wins
the group: only an account that has said all fields of a group can win it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import orjson

from connectors.kit.golden import decimal_text
from schemas import identity
from schemas.codec import Codec
from schemas.entities import EntityType, Op
from streams.core import layers as parts
from streams.core.entity import NOTHING, Contribution, Entity
from streams.core.layers import ALL, Layer, Layers
from streams.core.policy import FieldGroup, Policy
from streams.core.resolve import Observation, Outcome, Resolution, Standing, choose, does_not_stick, turned

Record = dict[str, Any]
Decode = Callable[[bytes], Record]
MOST_DECODED = 2_048  # records kept decoded, for events in bursts
META = "meta"
REST = "*"  # the group of all fields that are in no other
UNKNOWN = "value_not_kept"  # why an entity is left as it was: what the account that wins said before was not kept


@dataclass(frozen=True, slots=True)
class Group:
    """A field group of a type, indexed: its fields as bits, and every account's standing in it."""

    rule: FieldGroup
    bits: int
    standings: Mapping[bytes, Standing]


@dataclass(frozen=True, slots=True)
class Merging:
    """What merging needs of a type. `places`: field name -> bit; `routed`: account -> fields that flows give it."""

    kind: EntityType
    policy: Policy
    standings: Mapping[bytes, Standing]
    groups: Sequence[Group]
    places: Mapping[str, int]
    routed: Mapping[bytes, frozenset[str]]


class GroupWinner(NamedTuple):
    """Who gave a group's fields, and which part of its rule chose it."""

    group: str
    rule: str
    account: bytes
    because: str


@dataclass(frozen=True, slots=True)
class Merged:
    """What an event did. `value`: the encoded golden record, None for a deleted one and for one of which no account has
    said all; `mine`: what its account says now; `records`: the accounts' records; `golden`: that of `value`."""

    verdict: Resolution
    mine: Layers
    value: bytes | None
    groups: Sequence[GroupWinner] = ()
    records: Records | None = None
    golden: Mapping[str, Any] = field(default_factory=dict)


def fields_said(record: Record | None, places: Mapping[str, int]) -> int:
    """The bits of the fields a partial record carries; those the schema does not have say nothing."""
    names = record[META]["fields"] if record is not None else ()
    return parts.bits([name for name in names if name in places], places)


def assemble(said: Layers, decode: Decode, places: Mapping[str, int]) -> Record:
    """The account's record: every field from the newest layer that says it, `meta` from the newest of all."""
    if len(said) == 1:
        return decode(said[0].value)
    record: Record = {}
    for layer in reversed(said):
        values = decode(layer.value)
        record |= {name: values[name] for name, bit in places.items() if layer.fields >> bit & 1 and name in values}
        record[META] = values[META]
    return record


def content_of(record: Mapping[str, Any], fields: Iterable[str]) -> bytes:
    """8 bytes that are equal where these fields are."""
    chosen = {name: record[name] for name in sorted(fields) if name in record}
    return identity.fingerprint(orjson.dumps(chosen, default=_text, option=orjson.OPT_SORT_KEYS))


def _text(value: Any) -> str:
    return decimal_text(value) if isinstance(value, Decimal) else str(value)


class Records:
    """The accounts' records, put together when they are asked for. Nobody changes them."""

    def __init__(self, said: Mapping[bytes, Layers], decode: Decode, places: Mapping[str, int]) -> None:
        self._said = said
        self._decode = decode
        self._places = places
        self._made: dict[bytes, Record] = {}

    def of(self, account: bytes) -> Record | None:
        """What an account says; None when it has not got the entity, or nobody knows. Raises CodecError."""
        record = self._made.get(account)
        if record is None and self.has(account):
            record = self._made[account] = assemble(self._said[account], self._decode, self._places)
        return record

    def has(self, account: bytes) -> bool:
        """Whether an account is known to have the entity."""
        said = self._said.get(account)
        return said is not None and not parts.deleted(said)

    def as_it_came(self, account: bytes) -> bytes | None:
        """The account's record as bytes, where it said all of it at once."""
        said = self._said[account]
        return said[0].value if len(said) == 1 and said[0].fields == ALL else None


class Merger:
    """Folds events of merging types. Keeps nothing but decoded values."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._decoded: dict[bytes, Record] = {}

    def fold(
        self, merging: Merging, entity: Entity, said: Mapping[bytes, Layers], seen: Observation, new: Layer
    ) -> Merged:
        """One event of an entity. `said`: the layers of every account that has spoken; `new.fields` as it came."""
        before, known = entity.of(seen.account), said.get(seen.account, ())
        mine = parts.lay(known, new)
        if mine == known:
            same = any(layer.version == new.version for layer in known)
            outcome = Outcome.DUPLICATE if same else Outcome.SUPERSEDED
            return Merged(Resolution(entity, outcome, "version"), known, None)
        records = Records({**said, seen.account: mine}, self._decode, merging.places)
        mine, contribution = self._contribution(merging, before, seen, mine, records.of(seen.account))
        after = entity.having(contribution)
        return self._golden(merging, entity, after, {**said, seen.account: mine}, records, seen)

    def again(self, merging: Merging, entity: Entity, said: Mapping[bytes, Layers]) -> Merged:
        """The entity as it stands, put together anew. Raises CodecError."""
        nobody = Observation(NOTHING, b"", 0, Op.UPSERT)
        return self._golden(merging, entity, entity, said, Records(said, self._decode, merging.places), nobody)

    def _decode(self, value: bytes) -> Record:
        record = self._decoded.get(value)
        if record is None:
            if len(self._decoded) >= MOST_DECODED:
                self._decoded.clear()
            record = self._decoded[value] = self._codec.decode(value)
        return record

    def _contribution(
        self, merging: Merging, before: Contribution | None, seen: Observation, mine: Layers, record: Record | None
    ) -> tuple[Layers, Contribution]:
        """What the account says now. An echo of what we asked for inherits the time of what was asked for."""
        newest = parts.newest(mine)
        op = Op.DELETE if parts.deleted(mine) else Op.UPSERT
        fresh = Contribution(seen.account, newest.version, newest.corrected, op)
        if before is None:
            return mine, fresh
        fresh = fresh._replace(released=before.released, tries=before.tries, asked=before.asked)
        if record is None or not before.asked or newest.version != seen.version:
            return mine, fresh
        held = content_of(record, merging.routed.get(seen.account, ()))
        for at in reversed(range(len(before.asked))):
            content, time = before.asked[at]
            if content == held or (seen.answer and at == len(before.asked) - 1):
                corrected = time if content == held else time - 1
                mine = parts.retime(mine, newest.version, corrected)
                return mine, fresh._replace(corrected=corrected, asked=before.asked[at:])
        return mine, fresh._replace(asked=())

    def _golden(
        self, merging: Merging, entity: Entity, after: Entity, said: Mapping[bytes, Layers],
        records: Records, seen: Observation,
    ) -> Merged:  # fmt: skip
        mine = said.get(seen.account, ())
        winner, because = choose(after.contributions, merging.policy, merging.standings)
        if winner.op is Op.DELETE:
            verdict = _verdict(entity, after, winner.account, NOTHING, seen.account, (), because)
            return Merged(verdict, mine, None, records=records)
        whole = [c for c in after.contributions if c.op is Op.UPSERT and _has_all(said.get(c.account))]
        if not whole:
            verdict = _verdict(entity, after, NOTHING, NOTHING, seen.account, (), "incomplete")
            return Merged(verdict, mine, None, records=records)
        base = winner
        if len(whole) < len(after.contributions):
            base, because = choose(whole, merging.policy, merging.standings)
        if base.account not in said:
            as_it_was = turned(after, entity.winner, entity.fingerprint, entity)
            return Merged(Resolution(as_it_was, Outcome.SUPERSEDED, UNKNOWN), mine, None, records=records)
        winners = [GroupWinner(REST, str(merging.policy.kind), base.account, because)]
        for group in merging.groups:
            won, why = _choose_group(group, after, said)
            winners.append(GroupWinner(group.rule.name, str(group.rule.kind), won, why))
        golden, value = self._put_together(merging, winners, records)
        content = content_of(golden, (name for name in golden if name != META))
        givers = {winner.account for winner in winners}
        verdict = _verdict(entity, after, base.account, content, seen.account, givers, because)
        return Merged(verdict, mine, value, winners, records, golden)

    def _put_together(
        self, merging: Merging, winners: Sequence[GroupWinner], records: Records
    ) -> tuple[Mapping[str, Any], bytes]:
        """The golden record, and its bytes: as they came, where one account gives everything."""
        base = winners[0].account
        whole, others = records.of(base), [one for one in winners if one.account != base]
        assert whole is not None
        as_it_came = None if others else records.as_it_came(base)
        if as_it_came is not None:
            return whole, as_it_came
        golden = dict(whole)
        for group, winner in zip(merging.groups, winners[1:], strict=True):
            given = records.of(winner.account)
            assert given is not None
            golden |= {name: given[name] for name in group.rule.fields}
        return golden, self._codec.encode(merging.kind.value, golden)

    def to_push(self, merging: Merging, merged: Merged, to: Iterable[bytes]) -> tuple[Entity, list[bytes]]:
        """As streams.core.resolve.to_push, on the fields that flows give an account."""
        entity, asked = merged.verdict.entity, list[bytes]()
        records = merged.records
        assert records is not None
        time = max((c.corrected for c in entity.contributions if records.has(c.account)), default=0)
        for account in to:
            c, record = entity.of(account), records.of(account)
            if c is None or record is None or does_not_stick(c):
                continue
            wanted = content_of(merged.golden, merging.routed[account])
            if wanted in (content_of(record, merging.routed[account]), c.pushed):
                continue
            asked.append(account)
            entity = entity.having(c.asking(wanted, time))
        return entity, asked


def _has_all(said: Layers | None) -> bool:
    """Whether an account has said a whole record; None: it has, and what it said was not kept."""
    return said is None or parts.covers(said, ALL)


def _choose_group(group: Group, after: Entity, said: Mapping[bytes, Layers]) -> tuple[bytes, str]:
    able = [
        c._replace(version=(top := parts.newest(said[c.account], group.bits)).version, corrected=top.corrected)
        for c in after.contributions
        if c.op is Op.UPSERT and parts.covers(said.get(c.account, ()), group.bits)
    ]
    winner, because = choose(able, group.rule, group.standings)
    return winner.account, because


def _verdict(
    entity: Entity, after: Entity, winner: bytes, content: bytes, account: bytes, givers: Iterable[bytes], because: str
) -> Resolution:
    golden = turned(after, winner, content, entity)
    if account != winner and account not in set(givers):
        return Resolution(golden, Outcome.SUPERSEDED, because, winner != entity.winner)
    changed = golden.golden_version != entity.golden_version
    return Resolution(golden, Outcome.WON if changed else Outcome.UNCHANGED, because)
