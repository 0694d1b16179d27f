"""A stored entity folded anew, by other rules than those it was folded by. Pure.

Its row says which version of which account stands; its rows of values say what that was. Where the rules put records
together from parts, values become layers of one whole record, and layers become the newest whole record again where
they no longer do: both are what a fold of the log by the new rules would have kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.codec import Codec, CodecError
from schemas.entities import EntityType, Op
from streams.core import layers as parts
from streams.core.entity import NOTHING, Contribution, Entity
from streams.core.layers import ALL, Layer
from streams.core.resolve import Outcome, Resolution, choose, held, turned
from streams.resolver.merging import UNKNOWN, GroupWinner, Merged, Merger, Merging, whole_content
from streams.resolver.routes import Routes

BECAUSE = "policy_revision"
Values = Mapping[bytes, bytes]  # rows V of an entity by account


@dataclass(frozen=True, slots=True)
class Refolded:
    """What became of an entity. `before`: in the form that the rules need, with the winner it had; `values`: its rows
    V in that form; `told`: whether its state changes, to `value` (None: it is deleted, or nobody has said all of it);
    `groups`: who gave which fields, of a type that is put together."""

    before: Entity
    verdict: Resolution
    values: Values
    told: bool = False
    value: bytes | None = None
    merged: Merged | None = None

    @property
    def row(self) -> bytes:
        """The row E after it; empty when nothing is left to keep of the entity."""
        return self.verdict.entity.pack() if self.verdict.entity.contributions else b""

    @property
    def unknown(self) -> bool:
        """Whether the winner's value was never kept, so that the entity is left as it was until an account speaks."""
        return self.verdict.because == UNKNOWN

    @property
    def groups(self) -> Sequence[GroupWinner]:
        return self.merged.groups if self.merged else ()


class Refolder:
    """Folds by one set of rules. Keeps no state."""

    def __init__(self, routes: Routes, codec: Codec) -> None:
        self._routes = routes
        self._codec = codec
        self._merger = Merger(codec)

    def refold(self, code: int, entity: Entity, values: Values) -> Refolded:
        """An entity of a type code. Without contributions after it (accounts that said parts only count for nothing
        where whole records are asked for) there is nothing left to keep of it. Raises ValueError for damaged rows."""
        merging = self._routes.merging.get(code)
        if merging is None:
            entity, values, golden = self._to_values(entity, values)
            return self._chosen(code, entity, values, golden)
        entity, values = self._to_layers(code, entity, values)
        return self._put_together(merging, entity, values)

    # -- whole records

    def _to_values(self, entity: Entity, values: Values) -> tuple[Entity, Values, bytes]:
        """With values as they came. The content of the old golden record is returned beside, as records that are put
        together measure it; empty when it is measured as before."""
        if not entity.layered:
            return entity, values, b""
        rows = {account: parts.unpack(row) for account, row in values.items()}
        wholes = {account: whole for account, row in rows.items() if (whole := parts.whole(row)) is not None}
        left = [c for c in entity.contributions if c.account in wholes or c.account not in rows]
        contributions = tuple(_as_said(c, wholes[c.account]) if c.account in wholes else c for c in left)
        kept = {account: one.value for account, one in wholes.items() if one.op is Op.UPSERT}
        return entity._replace(contributions=contributions, layered=False), kept, entity.fingerprint

    def _chosen(self, code: int, entity: Entity, values: Values, golden: bytes) -> Refolded:
        if not entity.contributions:
            return Refolded(entity, Resolution(entity, Outcome.UNCHANGED, BECAUSE), values)
        winner, _ = choose(entity.contributions, self._routes.policies[code], self._routes.standings[code])
        value = values.get(winner.account)
        moved = winner.account != entity.winner
        if winner.op is Op.UPSERT and value is None and moved:
            return Refolded(entity, Resolution(entity, Outcome.UNCHANGED, UNKNOWN), values)
        before = entity
        if golden and golden == self._measured(code, value):
            before = entity._replace(fingerprint=held(winner))
        after = turned(before, winner.account, held(winner), before)
        changed = after.golden_version != before.golden_version
        return Refolded(before, _verdict(after, changed=changed, moved=moved), values, changed or moved, value)

    # -- records that are put together

    def _to_layers(self, code: int, entity: Entity, values: Values) -> tuple[Entity, Values]:
        if entity.layered:
            return entity, values
        rows = dict(_layers(entity.contributions, values))
        contributions = tuple(c._replace(asked=(), tries=0) for c in entity.contributions)
        golden = self._measured(code, values.get(entity.winner)) if entity.fingerprint != NOTHING else NOTHING
        content = golden or entity.fingerprint
        return entity._replace(contributions=contributions, fingerprint=content, layered=True), rows

    def _put_together(self, merging: Merging, entity: Entity, values: Values) -> Refolded:
        said = {account: parts.unpack(row) for account, row in values.items()}
        try:
            merged = self._merger.again(merging, entity, said)
        except CodecError:
            return Refolded(entity, Resolution(entity, Outcome.UNCHANGED, UNKNOWN), values)
        after = merged.verdict.entity
        changed = after.golden_version != entity.golden_version
        verdict = merged.verdict
        if verdict.because != UNKNOWN:
            verdict = _verdict(after, changed=changed, moved=after.winner != entity.winner)
        return Refolded(entity, verdict, values, changed, merged.value, merged._replace(verdict=verdict))

    def _measured(self, code: int, value: bytes | None) -> bytes:
        """The content of a whole record as records that are put together measure it; empty when it cannot be read."""
        try:
            return whole_content(self._merger.cutter(EntityType.from_code(code)).cut(value or b""))
        except CodecError:
            return b""


def _verdict(after: Entity, *, changed: bool, moved: bool) -> Resolution:
    return Resolution(after, Outcome.WON if changed else Outcome.UNCHANGED, BECAUSE, moved)


def _as_said(c: Contribution, whole: Layer) -> Contribution:
    """What was asked of it is measured in another way from now on, so its echo is not recognised any more."""
    return c._replace(version=whole.version, corrected=whole.corrected, op=whole.op, asked=(), tries=0)


def _layers(contributions: Sequence[Contribution], values: Values) -> Iterator[tuple[bytes, bytes]]:
    for c in contributions:
        value = b"" if c.op is Op.DELETE else values.get(c.account)
        if value is not None:
            yield c.account, parts.pack([Layer(c.version, c.corrected, c.op, ALL, value)])
