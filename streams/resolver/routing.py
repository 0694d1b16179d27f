"""What the flows make of an entity: who is asked to hold the winner or to delete it, and the commands that are due."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from schemas.codec import Codec, CodecError
from schemas.topics import Profile
from streams.core.entity import NOTHING, Entity
from streams.core.ledger import Book, LedgerBuffer, day_of
from streams.core.policy import OnDelete, OnDrift
from streams.core.resolve import GONE, to_delete, to_push
from streams.resolver import guarding, moving
from streams.resolver.merging import Merged, Merger
from streams.resolver.outputs import Times, push
from streams.resolver.routes import Route, Routes
from streams.resolver.unfit import Unfit
from streams.shard.api import Shard

_U64 = struct.Struct(">Q")


class Routing:
    """Moves the entities of one shard by the flows. `merger`: of the entities put together from parts; `now`:
    microseconds UTC; `lag`: seconds within which every guard learns
    of what was shipped."""

    def __init__(
        self,
        routes: Routes,
        codec: Codec,
        profile: Profile,
        ledger: LedgerBuffer,
        merger: Merger,
        now: Callable[[], int],
        lag: float,
    ) -> None:
        self._routes = routes
        self._codec = codec
        self._profile = profile
        self._ledger = ledger
        self._merger = merger
        self._now = now
        self._lag = lag

    def route(
        self, shard: Shard, code: int, key: bytes, entity: Entity, fact: bytes, *, changed: bool, anew: bool = False
    ) -> tuple[Entity, list[bytes]]:
        """Ask the accounts of the type's flows to hold the winner, and give the commands that are due. A repair of a
        drift is a new golden version, or the destination would take it for what it has already applied. `anew`: the
        flows are new, so what an account holds is no drift yet."""
        if code not in self._routes.routed_types:
            return entity, []
        found = self._routes.routes(_tenant(key), code)
        if entity.fingerprint == NOTHING:
            return self._route_gone(shard, found, key, entity, fact)
        held = moving.Winner(self._codec, shard.rows.get(value_key(key, entity.winner)))
        everybody: list[bytes] = []
        for route in found:
            wanted = self._wanted(shard, route, key, entity, held)
            after, asked = to_push(entity, {account: one.content for account, one in wanted.items()})
            if not asked or not (changed or anew or route.flow.on_drift is OnDrift.REPAIR):
                continue
            if not changed and not everybody:
                after = after._replace(golden_version=after.golden_version + 1)
            entity = after
            everybody += asked
            for account in asked:
                self._push(shard, route, account, key, entity, wanted[account], fact, told=True)
        return entity, everybody + self._command(shard, found, key, entity, held, fact)

    def _route_gone(
        self, shard: Shard, found: Sequence[Route], key: bytes, entity: Entity, fact: bytes
    ) -> tuple[Entity, list[bytes]]:
        """Ask accounts to delete what the winner has deleted, where their flow says so."""
        everybody: list[bytes] = []
        for route in (one for one in found if one.flow.deletes is OnDelete.DELETE and one.takes(entity.winner)):
            entity, asked = to_delete(entity, route.to)
            everybody += asked
            for account in asked:
                self._push(shard, route, account, key, entity, guarding.Wanted(GONE, b""), fact, told=True)
        return entity, everybody

    def _wanted(
        self, shard: Shard, route: Route, key: bytes, entity: Entity, held: moving.Winner
    ) -> Mapping[bytes, guarding.Wanted]:
        """What each account of a flow of sets is to hold."""
        winner = entity.of(entity.winner)
        if route.is_command or winner is None or not route.takes(entity.winner):
            return {}
        try:
            if not held.meets(route):
                return {}
            return moving.wanted(shard.rows, self._codec, route, key, entity, held, winner, self._lag)
        except CodecError as error:
            raise Unfit("undecodable", f"{key.decode()}: {error}") from error

    def _command(
        self, shard: Shard, found: Sequence[Route], key: bytes, entity: Entity, held: moving.Winner, fact: bytes
    ) -> list[bytes]:
        """Give the commands that are due, each once for ever. Returns the accounts that got one."""
        accounts: list[bytes] = []
        for route in (one for one in found if one.is_command and one.takes(entity.winner)):
            try:
                members = moving.due(shard.rows, route, key, entity, held)
            except CodecError as error:
                raise Unfit("undecodable", f"{key.decode()}: {error}") from error
            for member in members:
                wanted = guarding.Wanted(entity.fingerprint, held.value or b"")
                operation_id = moving.give(shard.rows, route, key, member)
                self._push(shard, route, member.hash, key, entity, wanted, fact, told=False, operation_id=operation_id)
                accounts.append(member.hash)
        return accounts

    def _push(
        self, shard: Shard, route: Route, account: bytes, key: bytes, entity: Entity, wanted: guarding.Wanted,
        fact: bytes, *, told: bool, operation_id: str | None = None,
    ) -> None:  # fmt: skip
        """`told`: the task says which contents it may overwrite. Those of merged records are not comparable."""
        now, member = self._now(), route.to[account]
        policy = self._routes.policies[route.flow.entity.code] if told else None
        times = Times(now, _U64.unpack_from(fact, 61)[0], _U64.unpack_from(fact, 45)[0])
        task = push(member, route, key, entity, wanted, times, policy, operation_id)
        topic, partition, task_key = task.place(self._profile)
        shard.emit(topic, partition, task_key, self._codec.encode("push_task", task.record))
        self._ledger.count(Book.TASKS, member.label, day_of(now), routed=1)

    def route_merged(
        self, shard: Shard, code: int, key: bytes, merged: Merged, fact: bytes, *, changed: bool
    ) -> tuple[Entity, list[bytes]]:
        """The same for an entity put together from parts."""
        if code not in self._routes.routed_types:
            return merged.verdict.entity, []
        merging, found = self._routes.merging[code], self._routes.routes(_tenant(key), code)
        if merged.value is None or not found:
            return self._route_gone(shard, found, key, merged.verdict.entity, fact)
        sets = [route for route in found if not route.is_command]
        entity, asked = self._merger.to_push(merging, merged, {account for route in sets for account in route.to})
        if asked and not changed:
            entity = entity._replace(golden_version=entity.golden_version + 1)
        for route in sets:
            for account in asked:
                if account in route.to:
                    wanted = guarding.Wanted(entity.fingerprint, merged.value)
                    self._push(shard, route, account, key, entity, wanted, fact, told=False)
        held = moving.Winner(self._codec, merged.value)
        return entity, asked + self._command(shard, found, key, entity, held, fact)


def value_key(key: bytes, account: bytes) -> bytes:
    """Where what an account said of an entity is kept."""
    return b"V" + key + account


def _tenant(key: bytes) -> str:
    return key.split(b"|", 1)[0].decode()
