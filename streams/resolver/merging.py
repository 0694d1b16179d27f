"""Entities that are put together from parts: field groups with policies of their own, and events with some fields only.

Each account's events are kept as layers (row `V`), so any order of them gives the same record. A golden record is the
record of the account that wins by the type's policy, with the fields of every group taken from the account that wins
the group: only an account that has said all fields of a group can win it. Records are cut, joined and compared as they
are encoded; nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from schemas import identity
from schemas.codec import Codec
from schemas.cutting import Cutter, Fields
from schemas.entities import EntityType, Op
from streams.core import layers as parts
from streams.core.entity import NOTHING, Contribution, Entity
from streams.core.layers import ALL, Layer, Layers
from streams.core.policy import FieldGroup, Policy
from streams.core.resolve import Observation, Outcome, Resolution, Standing, choose, does_not_stick, turned

Cut = Callable[[bytes], Fields]
META = "meta"  # the first field of every entity: whose word it is
REST = "*"  # the group of all fields that are in no other
UNKNOWN = "value_not_kept"  # why an entity is left as it was: what the account that wins said before was not kept
_UPSERT = Op.UPSERT


@dataclass(frozen=True, slots=True)
class Group:
    """A field group of a type, indexed: its fields as bits and as places in a cut record, and every account's standing
    in it."""

    rule: FieldGroup
    bits: int
    slices: tuple[int, ...]
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

    def routed_content(self, fields: Fields, account: bytes) -> bytes:
        """8 bytes that are equal where the fields are that flows give an account."""
        return content_of(fields, slices_of(self.routed.get(account, ()), self.places))


class GroupWinner(NamedTuple):
    """Who gave a group's fields, and which part of its rule chose it."""

    group: str
    rule: str
    account: bytes
    because: str


class Merged(NamedTuple):
    """What an event did. `value`: the encoded golden record, None for a deleted one and for one of which no account has
    said all; `mine`: what its account says now; `records`: the accounts' records; `golden`: the fields of `value`."""

    verdict: Resolution
    mine: Layers
    value: bytes | None
    groups: Sequence[GroupWinner] = ()
    records: Records | None = None
    golden: Fields = ()


def slices_of(names: Iterable[str], places: Mapping[str, int]) -> tuple[int, ...]:
    """The places of fields in a cut record, which begins with META; those the schema does not have are left out."""
    return tuple(sorted(places[name] + 1 for name in names if name in places))


def fields_said(record: Mapping[str, Any] | None, places: Mapping[str, int]) -> int:
    """The bits of the fields a partial record carries; those the schema does not have say nothing."""
    names = record[META]["fields"] if record is not None else ()
    return parts.bits([name for name in names if name in places], places)


def assemble(said: Layers, cut: Cut) -> Fields:
    """The account's record: every field from the newest layer that says it, META from the newest of all. What it never
    said is empty."""
    if len(said) == 1 and said[0].fields == ALL:
        return cut(said[0].value)
    slices = [cut(layer.value) for layer in said]
    record = [slices[0][0]]
    for at in range(1, len(slices[0])):
        said_by = (fields[at] for layer, fields in zip(said, slices, strict=True) if layer.fields >> (at - 1) & 1)
        record.append(next(said_by, b""))
    return tuple(record)


def content_of(fields: Fields, slices: Iterable[int]) -> bytes:
    """8 bytes that are equal where these fields are."""
    return identity.fingerprint(b"".join([fields[at] for at in slices]))


def whole_content(fields: Fields) -> bytes:
    """8 bytes that are equal where all fields but META are."""
    return identity.fingerprint(b"".join(fields[1:]))


class Records:
    """The accounts' records, put together when they are asked for."""

    def __init__(self, said: Mapping[bytes, Layers], cut: Cut) -> None:
        self._said = said
        self._cut = cut
        self._made: dict[bytes, Fields] = {}

    def of(self, account: bytes) -> Fields | None:
        """What an account says; None when it has not got the entity, or nobody knows. Raises CodecError."""
        record = self._made.get(account)
        if record is None and self.has(account):
            record = self._made[account] = assemble(self._said[account], self._cut)
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
    """Folds events of merging types. Keeps nothing of them."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._cutters: dict[EntityType, Cutter] = {}

    def cutter(self, kind: EntityType) -> Cutter:
        """What cuts the records of a type."""
        found = self._cutters.get(kind)
        if found is None:
            found = self._cutters[kind] = Cutter(self._codec, kind.value)
        return found

    def fold(
        self, merging: Merging, entity: Entity, said: Mapping[bytes, Layers], seen: Observation, new: Layer
    ) -> Merged:
        """One event of an entity. `said`: the layers of every account that has spoken; `new.fields` as it came."""
        known = said.get(seen.account, ())
        mine = parts.lay(known, new)
        if mine == known:
            same = any(layer.version == new.version for layer in known)
            outcome = Outcome.DUPLICATE if same else Outcome.SUPERSEDED
            return Merged(Resolution(entity, outcome, "version"), known, None)
        now_said = {**said, seen.account: mine}
        records = Records(now_said, self.cutter(merging.kind).cut)
        mine, contribution = self._contribution(merging, entity.of(seen.account), seen, mine, records.of(seen.account))
        now_said[seen.account] = mine
        return self._golden(merging, entity, entity.having(contribution), now_said, records, seen)

    def again(self, merging: Merging, entity: Entity, said: Mapping[bytes, Layers]) -> Merged:
        """The entity as it stands, put together anew. Raises CodecError."""
        nobody = Observation(NOTHING, b"", 0, Op.UPSERT)
        return self._golden(merging, entity, entity, said, Records(said, self.cutter(merging.kind).cut), nobody)

    def _contribution(
        self, merging: Merging, before: Contribution | None, seen: Observation, mine: Layers, record: Fields | None
    ) -> tuple[Layers, Contribution]:
        """What the account says now. An echo of what we asked for inherits the time of what was asked for."""
        newest = mine[0]
        op = Op.DELETE if parts.deleted(mine) else Op.UPSERT
        if before is None:
            return mine, Contribution(seen.account, newest.version, newest.corrected, op)
        fresh = Contribution(
            seen.account, newest.version, newest.corrected, op, before.released, before.asked, before.tries
        )
        if record is None or not before.asked or newest.version != seen.version:
            return mine, fresh
        held = merging.routed_content(record, seen.account)
        for at in reversed(range(len(before.asked))):
            content, time = before.asked[at]
            if content == held or (seen.answer and at == len(before.asked) - 1):
                corrected = time - 1
                mine = parts.retime(mine, newest.version, corrected)
                return mine, fresh._replace(corrected=corrected, asked=before.asked[at:])
        return mine, fresh._replace(asked=())

    def _golden(
        self, merging: Merging, entity: Entity, after: Entity, said: Mapping[bytes, Layers],
        records: Records, seen: Observation,
    ) -> Merged:  # fmt: skip
        mine, spoken = said.get(seen.account, ()), after.contributions
        winner, because = choose(spoken, merging.policy, merging.standings)
        if winner.op is Op.DELETE:
            verdict = _verdict(entity, after, winner.account, NOTHING, seen.account, (), because)
            return Merged(verdict, mine, None, records=records)
        at_once = _said_at_once(spoken, said)
        whole = spoken if at_once else [c for c in spoken if c.op is _UPSERT and _has_all(said.get(c.account))]
        if not whole:
            verdict = _verdict(entity, after, NOTHING, NOTHING, seen.account, (), "incomplete")
            return Merged(verdict, mine, None, records=records)
        base = winner
        if len(whole) < len(spoken):
            base, because = choose(whole, merging.policy, merging.standings)
        if base.account not in said:
            as_it_was = turned(after, entity.winner, entity.fingerprint, entity)
            return Merged(Resolution(as_it_was, Outcome.SUPERSEDED, UNKNOWN), mine, None, records=records)
        winners = [GroupWinner(REST, merging.policy.kind, base.account, because)]
        for group in merging.groups:
            able = spoken if at_once else _able(group, spoken, said)
            won, why = choose(able, group.rule, group.standings)
            winners.append(GroupWinner(group.rule.name, group.rule.kind, won.account, why))
        golden, value = self._put_together(merging, winners, records)
        givers = [one.account for one in winners]
        verdict = _verdict(entity, after, base.account, whole_content(golden), seen.account, givers, because)
        return Merged(verdict, mine, value, winners, records, golden)

    def _put_together(self, merging: Merging, winners: Sequence[GroupWinner], records: Records) -> tuple[Fields, bytes]:
        """The golden record, and its bytes: as they came, where one account gives everything."""
        base = winners[0].account
        whole, others = records.of(base), [one for one in winners if one.account != base]
        assert whole is not None
        as_it_came = None if others else records.as_it_came(base)
        if as_it_came is not None:
            return whole, as_it_came
        golden = list(whole)
        for group, winner in zip(merging.groups, winners[1:], strict=True):
            given = records.of(winner.account)
            assert given is not None
            for at in group.slices:
                golden[at] = given[at]
        return tuple(golden), self.cutter(merging.kind).join(golden)

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
            wanted = merging.routed_content(merged.golden, account)
            if wanted in (merging.routed_content(record, account), c.pushed):
                continue
            asked.append(account)
            entity = entity.having(c.asking(wanted, time))
        return entity, asked


def _has_all(said: Layers | None) -> bool:
    """Whether an account has said a whole record; None: it has, and what it said was not kept."""
    return said is None or parts.covers(said, ALL)


def _said_at_once(spoken: Iterable[Contribution], said: Mapping[bytes, Layers]) -> bool:
    """Whether every account has the entity and said all of it in one event: what it says of it all is then what it
    says of any group."""
    for c in spoken:
        layers = said.get(c.account, ())
        if c.op is not _UPSERT or len(layers) != 1 or layers[0].fields != ALL:
            return False
    return True


def _able(group: Group, spoken: Iterable[Contribution], said: Mapping[bytes, Layers]) -> list[Contribution]:
    """Who has said all of a group, as of the newest event that said any of it."""
    return [
        c._replace(version=(top := parts.newest(said[c.account], group.bits)).version, corrected=top.corrected)
        for c in spoken
        if c.op is _UPSERT and parts.covers(said.get(c.account, ()), group.bits)
    ]


def _verdict(
    entity: Entity, after: Entity, winner: bytes, content: bytes, account: bytes, givers: Iterable[bytes], because: str
) -> Resolution:
    golden = turned(after, winner, content, entity)
    if account != winner and account not in givers:
        return Resolution(golden, Outcome.SUPERSEDED, because, winner != entity.winner)
    changed = golden.golden_version != entity.golden_version
    return Resolution(golden, Outcome.WON if changed else Outcome.UNCHANGED, because)
