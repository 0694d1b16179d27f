"""One event of an entity of which several accounts have spoken, or which is put together from parts: the whole way.

Says what became of it: `state`, the rows E (who said what) and V (what each account said), a decision, push tasks.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from schemas import headers, topics
from schemas.codec import Codec, CodecError
from schemas.entities import Completeness, Op
from schemas.topics import Profile
from streams.core import layers as parts
from streams.core.entity import EMPTY, NOTHING, Entity
from streams.core.layers import ALL, Layer, Layers
from streams.core.ledger import LedgerBuffer
from streams.core.massdelete import Window, admit
from streams.core.resolve import Observation, Outcome, Resolution, does_not_stick, resolve
from streams.core.stock import NEVER, Guard
from streams.resolver import graves, guarding
from streams.resolver.fetches import TIE, fetch
from streams.resolver.merging import GroupWinner, Merged, Merger, Merging, fields_said
from streams.resolver.refold import Refolded, Refolder
from streams.resolver.routes import Routes
from streams.resolver.routing import Routing, value_key
from streams.resolver.telling import Decisions, Source
from streams.resolver.unfit import Unfit
from streams.shard.api import Incoming, Shard

_U64 = struct.Struct(">Q")
_LEVEL, _RESERVED = guarding.LEVEL.code, guarding.RESERVED.code
_OPS = {int(op): op for op in Op}
_SAMPLED = 15  # of 256 first bytes of event ids: how many decisions are told in which nothing differed
Values = Mapping[int, dict[bytes, bytes | None]]


class Decider:
    """Decides within one shard. `states`: where new states of a type are gathered; `now`: microseconds UTC."""

    def __init__(
        self,
        routes: Routes,
        codec: Codec,
        profile: Profile,
        ledger: LedgerBuffer,
        states: Values,
        now: Callable[[], int],
    ) -> None:
        self._routes = routes
        self._codec = codec
        self._profile = profile
        self._states = states
        self._now = now
        self._decisions = Decisions(routes, codec)
        self._merger = Merger(codec)
        self._refolder = Refolder(routes, codec)
        self.stale: frozenset[int] = frozenset()  # type codes of which entities may stand by older policies
        lags = [flow.guard.learns_within for flow in routes.rules.flows if flow.guard is not None]
        self._lag = max(lags, default=Guard().learns_within)  # the longest of the guards
        self._decoded = frozenset((_LEVEL, _RESERVED) if lags else (_RESERVED,))
        self._routing = Routing(routes, codec, profile, ledger, self._merger, now, self._lag)
        self._limit = routes.rules.mass_delete.share(profile.shard)

    def decide(
        self, shard: Shard, topic: str, record: Incoming, fact: bytes, key: bytes, row: bytes
    ) -> tuple[Outcome, bytes]:
        """Fold the event into its entity. Returns what became of it and the row after it. Raises Unfit."""
        code = fact[70]
        if row and code in self.stale:
            row = self.refold(shard, code, key, row).row
        merging = self._routes.merging.get(code)
        before = Entity.unpack(row) if row else EMPTY._replace(layered=merging is not None)
        corrected, answer = _U64.unpack_from(fact, 45)[0], fact[72] & headers.ANSWER != 0
        said = Observation(fact[53:61], fact[16:45], corrected, _OPS[fact[71]], answer)
        completeness = fact[72] & 3
        if completeness == Completeness.HINT:
            raise Unfit("hint", f"a hint of {key.decode()} must become a fetch, not an event; its mapping is wrong")
        if code in self._decoded and (said.op is Op.UPSERT or code == _RESERVED):
            self._check(code, key, record.value)
        if merging is not None:
            merged = self._merge(shard, merging, before, said, key, record.value, completeness)
            verdict, groups = merged.verdict, merged.groups
        elif completeness == Completeness.PARTIAL:
            raise Unfit("partial", f"{key.decode()} came with some fields only; set `partial: true` in its policy")
        else:
            merged, groups = None, ()
            policy, standings = self._routes.policies[code], self._routes.standings[code]
            verdict = resolve(before, said, policy, standings)
        if verdict.entity is before:
            return verdict.outcome, row
        if said.op is Op.DELETE and code != _RESERVED:  # order lines are closed all day
            self._brake(shard, code, key, fact)
        if verdict.tie:
            self._fetch(shard, record.value)
        entity, asked = self._apply(shard, code, key, before, verdict, merged, record.value, fact)
        if code == _RESERVED and verdict.outcome is not Outcome.SUPERSEDED:
            self._reserve(shard, key, record.value or b"", fact)
        if entity.fingerprint == NOTHING:
            graves.bury(shard.rows, key, self._now())
        packed = entity.pack()
        shard.rows.put(b"E" + key, packed)
        moved = entity.winner != before.winner
        if asked or _is_told(verdict, entity, fact, always=moved):
            source = Source(topic, shard.number, record.offset, fact[:16], said.account)
            self._tell(shard, code, key, verdict._replace(entity=entity), source, asked, groups)
        return verdict.outcome, packed

    def _apply(
        self, shard: Shard, code: int, key: bytes, before: Entity, verdict: Resolution, merged: Merged | None,
        value: bytes | None, fact: bytes,
    ) -> tuple[Entity, list[bytes]]:  # fmt: skip
        """Keep what was said, make the new state, ask accounts to hold it."""
        account, entity = fact[53:61], verdict.entity
        changed = entity.golden_version != before.golden_version
        if merged is not None:
            shard.rows.put(value_key(key, account), parts.pack(merged.mine))
            if changed:
                self._states[code][key] = merged.value
            return self._routing.route_merged(shard, code, key, merged, fact, changed=changed)
        value = None if fact[71] == Op.DELETE else value
        if fact[16:45] == _version(entity, account):  # it is the newest that its account has said
            self.keep(shard, code, key, account, value)
        if verdict.outcome in (Outcome.WON, Outcome.UNCHANGED):
            self._states[code][key] = value
        elif verdict.promoted or changed:
            promoted, winner = shard.rows.get(value_key(key, entity.winner)), entity.of(entity.winner)
            if promoted is not None or (winner is not None and winner.op is Op.DELETE):  # else it was not kept then
                self._states[code][key] = promoted
        return self._routing.route(shard, code, key, entity, fact, changed=changed)

    def keep(self, shard: Shard, code: int, key: bytes, account: bytes, value: bytes | None) -> None:
        """Keep what an account said, where another account's word may make it the winner, or flows push it."""
        if code not in self._routes.kept_types:
            return
        if value is None:
            shard.rows.delete(value_key(key, account))
        else:
            shard.rows.put(value_key(key, account), value)

    def _brake(self, shard: Shard, code: int, key: bytes, fact: bytes) -> None:
        """Count a delete. Raises Unfit when its source deletes too much at once."""
        counted = b"B" + fact[53:61] + bytes((code,))
        window, admitted = admit(Window.unpack(shard.rows.get(counted)), _U64.unpack_from(fact, 61)[0], self._limit)
        shard.rows.put(counted, window.pack())
        if not admitted:
            raise Unfit(
                "mass_delete",
                f"{self._routes.label(fact[53:61])} deletes more than {self._limit.most} entities of a type in a shard "
                f"within {self._limit.within:g} s; {key.decode()} is kept. If the deletes are right, raise mass_delete "
                "in sluice.yaml and send the dead letters again",
            )

    def _check(self, code: int, key: bytes, value: bytes | None) -> None:
        """Refuse what cannot be read before anything is made of it."""
        try:
            self._codec.decode(value or b"")
            if code == _RESERVED:
                guarding.level_of(key)
        except ValueError as error:
            raise Unfit("undecodable", f"{key.decode()}: {error}") from error

    def _fetch(self, shard: Shard, value: bytes | None) -> None:
        """What an account said twice and differently is read once more. A value that cannot be read asks nothing."""
        with suppress(CodecError):
            fetch(shard, self._codec, self._profile, self._codec.decode(value or b"")["meta"], TIE, self._now())

    # -- put together

    def _merge(
        self, shard: Shard, merging: Merging, before: Entity, said: Observation, key: bytes, value: bytes | None,
        completeness: int,
    ) -> Merged:  # fmt: skip
        known: dict[bytes, Layers] = {}
        for c in before.contributions:
            kept = shard.rows.get(value_key(key, c.account))
            if kept:
                known[c.account] = parts.unpack(kept)
        mine = before.of(said.account)
        if mine is not None and mine.op is Op.UPSERT and said.account not in known:  # what it said was not kept then
            if said.version < mine.version:
                return Merged(Resolution(before, Outcome.SUPERSEDED, "version"), (), None)
            if completeness == Completeness.PARTIAL:
                raise Unfit("partial", f"of {key.decode()} some fields came, and what its account said of the others "
                            "was not kept before the policies changed; have the record read again")  # fmt: skip
        try:
            fields = ALL
            if completeness == Completeness.PARTIAL and said.op is Op.UPSERT:
                fields = fields_said(self._codec.decode(value or b""), merging.places)
            deleted = said.op is Op.DELETE
            layer = Layer(said.version, said.corrected, said.op, fields, b"" if deleted else value or b"")
            return self._merger.fold(merging, before, known, said, layer)
        except CodecError as error:
            raise Unfit("undecodable", f"{key.decode()}: {error}") from error

    # -- reservations

    def _reserve(self, shard: Shard, key: bytes, value: bytes, fact: bytes) -> None:
        """An order line was opened, changed or closed: what its level's channels may sell has changed."""
        try:
            received = _U64.unpack_from(fact, 61)[0]
            level = guarding.reserve(shard.rows, self._codec, key, value, fact[53:61], received)
        except (CodecError, ValueError) as error:
            raise Unfit("undecodable", f"{key.decode()}: {error}") from error
        row = shard.rows.get(b"E" + level)
        before = Entity.unpack(row) if row else EMPTY
        owner = before.of(before.winner)
        guarding.forget_shipped(shard.rows, level, owner.corrected if owner else NEVER, self._lag)
        after, asked = self._routing.route(shard, _LEVEL, level, before, fact, changed=False)
        if asked:
            shard.rows.put(b"E" + level, after.pack())

    # -- other flows

    def move(self, shard: Shard, code: int, key: bytes, row: bytes) -> bool:
        """Move a stored entity by the flows as they are now. Returns whether anybody was asked for anything."""
        entity = Entity.unpack(row)
        values = {c.account: shard.rows.get(value_key(key, c.account)) for c in entity.contributions}
        kept = {account: value for account, value in values.items() if value is not None}
        merged = self._refolder.refold(code, entity, kept).merged
        winner = entity.of(entity.winner)
        fact = self._fact_anew(code, winner.corrected if winner else 0)
        if merged is not None:
            after, asked = self._routing.route_merged(shard, code, key, merged, fact, changed=False)
        else:
            after, asked = self._routing.route(shard, code, key, entity, fact, changed=False, anew=True)
        if asked:
            shard.rows.put(b"E" + key, after.pack())
            verdict = Resolution(after, Outcome.UNCHANGED, "flows_revision")
            self._tell(shard, code, key, verdict, Source("", shard.number, -1, b"", b""), asked, ())
        return bool(asked)

    # -- other policies

    def refold(self, shard: Shard, code: int, key: bytes, row: bytes) -> Refolded:
        """Fold a stored entity anew, by the policies as they are now, and say what that changes."""
        entity = Entity.unpack(row)
        values = {c.account: shard.rows.get(value_key(key, c.account)) for c in entity.contributions}
        kept = {account: value for account, value in values.items() if value is not None}
        folded = self._refolder.refold(code, entity, kept)
        for account, value in values.items():
            now = folded.values.get(account)
            if code not in self._routes.kept_types or now is None:
                shard.rows.delete(value_key(key, account))
            elif now != value:
                shard.rows.put(value_key(key, account), now)
        if folded.told:
            folded = self._told_anew(shard, code, key, folded)
        if folded.row and folded.row != row:
            shard.rows.put(b"E" + key, folded.row)
        elif not folded.row:
            shard.rows.delete(b"E" + key)
        return folded

    def _told_anew(self, shard: Shard, code: int, key: bytes, folded: Refolded) -> Refolded:
        """As for an event, whose place is taken by what the winner said last."""
        entity, asked = folded.verdict.entity, list[bytes]()
        winner, changed = entity.of(entity.winner), entity.golden_version != folded.before.golden_version
        time = winner.corrected if winner else 0
        fact = self._fact_anew(code, time)
        self._states[code][key] = folded.value
        with suppress(Unfit):  # a value that cannot be read asks nobody
            if folded.merged is not None:
                entity, asked = self._routing.route_merged(shard, code, key, folded.merged, fact, changed=changed)
            else:
                entity, asked = self._routing.route(shard, code, key, entity, fact, changed=changed)
        if entity.fingerprint == NOTHING:
            graves.bury(shard.rows, key, self._now())
        verdict = folded.verdict._replace(entity=entity)
        if winner is not None:
            nowhere = Source("", shard.number, -1, b"", b"")
            self._tell(shard, code, key, verdict, nowhere, asked, folded.groups)
        return replace(folded, verdict=verdict)

    def _fact_anew(self, code: int, time: int) -> bytes:
        """Takes the place of an event's facts where none is the reason. `time`: of the winner, microseconds UTC."""
        return bytes(45) + _U64.pack(time) + bytes(8) + _U64.pack(self._now()) + bytes((headers.FORMAT, code, 0, 0))

    # -- decisions

    def _tell(
        self, shard: Shard, code: int, key: bytes, verdict: Resolution, source: Source, asked: Sequence[bytes],
        groups: Sequence[GroupWinner],
    ) -> None:  # fmt: skip
        told = self._decisions.record(code, key, verdict, source, asked, self._now(), groups)
        shard.emit(topics.DECISIONS, shard.number, key, told)


def _is_told(verdict: Resolution, entity: Entity, fact: bytes, *, always: bool) -> bool:
    """Decisions of one account's own entity say nothing; those in which nothing differed are sampled. `always`: of
    several accounts at least."""
    if entity.of(entity.winner) is None:
        return False
    if verdict.tie:
        return True
    if len(entity.contributions) < 2:
        return False
    if always or verdict.outcome is not Outcome.UNCHANGED or fact[0] < _SAMPLED:
        return True
    return any(does_not_stick(c) for c in entity.contributions)


def _version(entity: Entity, account: bytes) -> bytes:
    said = entity.of(account)
    return said.version if said else b""
