"""Laws of intents: a crash at any commit, replies lost before or after the fact, requests that land late, refusals of
every kind. No entity ever has two open intents, nothing is sent without one, a command takes effect once and after
those before it, a set never goes back, and the book closes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit.contract import Account, Flow, Request, Write, Written
from connectors.kit.operations import Batch, InDoubt, Operation
from schemas.entities import EntityType, Op
from streams.core import courier_rows as rows
from streams.core.intents import resolution
from streams.shard.memory import MemoryShard
from tests.unit.courier.shop import ScriptedPlatform, Shop, check
from tests.unit.courier.test_trouble import Dying, dies_after
from tests.unit.courier.world import World, command, key, task

DAY = 86_400.0
SAME_KEY = Operation(InDoubt.SAME_KEY, key_life=DAY, forgotten=InDoubt.VERIFY)
ENTITIES = ("A", "B")


class Vendor(Shop):
    """A shop that carries a command out once per idempotency key, if it knows keys at all."""

    knows_keys = True

    def carry_out(self, request: Request) -> tuple[int, dict[str, str], bytes]:
        if not request.writes:
            return 200, {}, b""
        for said in map(orjson.loads, request.body.split(b"\n")):
            if not said["command"]:
                self.log.append((said["key"], said["version"]))
            elif not (self.knows_keys and request.key in self.op_ids):
                self.op_ids.append(said["op_id"])
        return 200, {}, b""


class Platform(ScriptedPlatform):
    """Sets and commands; what is in doubt is resolved as declared."""

    declared: Operation | None = SAME_KEY

    def operation(self, type: EntityType, op: Op) -> Operation | None:
        return self.declared if self.command else Operation(InDoubt.REPEAT)

    command = True

    def write(self, account: Account, write: Write) -> Flow:
        check((yield Request("POST", "set", "set", "/set", body=_body(write), writes=True, key=write.op_id)))
        return Written()

    def batch(self, account: Account, write: Write) -> Batch | None:
        return Batch("sets", 2)

    def write_all(self, account: Account, writes: Sequence[Write]) -> Flow:
        body = b"\n".join(_body(write) for write in writes)
        check((yield Request("POST", "set", "set", "/set", body=body, writes=True, key="batch")))
        return [Written() for _ in writes]

    def verify(self, account: Account, write: Write) -> Flow:
        check((yield Request("GET", "ops", "verify", "/ops")))
        return Written() if write.op_id in self.shop.op_ids else None


def _body(write: Write) -> bytes:
    is_command = write.op_id.startswith("ship")
    said = {"key": write.golden_key, "version": write.golden_version, "op_id": write.op_id, "command": is_command}
    return orjson.dumps(said)


@dataclass
class Run:
    """A world, what it was asked for, and what must hold at every moment."""

    declared: Operation | None
    asked: list[bytes] = field(default_factory=list)
    versions: Counter[str] = field(default_factory=Counter)
    commands: int = 0
    entity_of: dict[str, str] = field(default_factory=dict)
    stray: set[str] = field(default_factory=set)

    async def begin(self) -> Run:
        self.world = World(max_in_flight=8)
        shop = Vendor(self.world.clock)
        shop.knows_keys = self.declared is not None and self.declared.in_doubt is InDoubt.SAME_KEY
        send = shop.send

        async def watched(*args: Any) -> Any:
            self.nothing_leaves_without_an_intent(args[1])
            return await send(*args)

        shop.send = watched  # type: ignore[method-assign]
        platform = Platform(shop, max_in_flight=8)
        platform.declared = self.declared
        self.world.shop, self.world.vendor = shop, platform
        await self.world.start()
        return self

    async def take(self, step: tuple[str, Any]) -> None:
        world, (what, value) = self.world, step
        if what == "set":
            self.versions[value] += 1
            self.push(task(value, self.versions[value]))
        elif what == "command":
            self.commands += 1
            self.entity_of[f"ship-{self.commands}"] = value
            self.push(command(value, f"ship-{self.commands}", self.commands))
        elif what == "wait":
            await world.advance(value)
        elif what == "crash":
            await self.crash()
        elif what == "die":
            await world.restart_on(dies_after(world, commits=value))
        else:
            _FATES[what](world.shop, value)
        self.one_open_intent_per_entity()

    def push(self, value: bytes) -> None:
        self.asked.append(value)
        self.world.push(value)

    async def crash(self) -> None:
        await self.world.restart()
        committed = self.world.ledger().get("received", 0)
        self.world.push(*self.asked[committed:])  # what was consumed and not committed is read again

    async def end(self) -> None:
        """All faults are over; the world goes on until nothing is left to do."""
        await self.crash()
        self.world.shop.script.clear()
        for _ in range(4):
            await self.world.advance(400)
            self.one_open_intent_per_entity()

    # -- what must hold

    def committed(self) -> MemoryShard:
        return self.world.shard.crashed()

    def one_open_intent_per_entity(self) -> None:
        assert not self.stray, "sent without a committed intent"
        shard, held = self.committed(), Counter[str]()
        for row_key, data in shard.rows.scan(rows.INTENT):
            if rows.unpack_intent(data).open:
                work = shard.rows.get(rows.TASK + row_key[1:])
                assert work is not None, "an intent without its row"
                held[rows.unpack_task(work).wanted.subject] += 1
        assert all(count == 1 for count in held.values()), held

    def nothing_leaves_without_an_intent(self, request: Request) -> None:
        if request.writes:
            said = {orjson.loads(one)["op_id"] for one in request.body.split(b"\n")}
            known = [rows.unpack_intent(data) for _, data in self.committed().rows.scan(rows.INTENT)]
            self.stray |= said - {one.op_id for one in known if one.open}  # an assertion would be taken for a defect


_FATES: dict[str, Callable[[Shop, Any], None]] = {
    "lost": lambda shop, _: shop.lose_reply(),
    "late": lambda shop, seconds: shop.lose_reply_and_land_after(seconds),
    "never": lambda shop, _: shop.lose_reply_and_land_after(1e12),
    "status": lambda shop, code: shop.status(code),
    "away": lambda shop, times: shop.away(times),
}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from(ENTITIES)),
        st.tuples(st.just("command"), st.sampled_from(ENTITIES)),
        st.tuples(st.just("wait"), st.sampled_from([0.1, 1.0, 20.0, 36.0, 100.0])),
        st.tuples(st.sampled_from(["lost", "never"]), st.none()),
        st.tuples(st.just("late"), st.floats(0.5, 30.0)),
        st.tuples(st.just("status"), st.sampled_from([401, 429, 503])),
        st.tuples(st.just("away"), st.integers(1, 3)),
        st.tuples(st.just("crash"), st.none()),
        st.tuples(st.just("die"), st.integers(0, 4)),
    ),
    min_size=2,
    max_size=40,
)


async def live(declared: Operation | None, steps: list[tuple[str, Any]]) -> Run:
    run = await Run(declared).begin()
    try:
        for step in steps:
            await run.take(step)
        await run.end()
    finally:
        await run.world.stop()
    return run


def sets_never_went_back_and_arrived(run: Run) -> None:
    for entity in ENTITIES:
        versions = [version for subject, version in run.world.shop.log if subject == key(entity)]
        assert versions == sorted(versions)
        assert versions[-1:] == [run.versions[entity]][: run.versions[entity]]


def commands_of_an_entity_keep_their_order(run: Run) -> None:
    for entity in ENTITIES:
        mine = [int(name.removeprefix("ship-")) for name in run.world.shop.op_ids if run.entity_of[name] == entity]
        assert mine == sorted(mine)


def the_book_closes(run: Run) -> None:
    book = run.world.ledger()
    assert book.get("received", 0) == len(run.asked)
    assert sum(count for name, count in book.items() if name != "received") == len(run.asked)


@pytest.mark.parametrize("declared", [SAME_KEY, Operation(InDoubt.VERIFY), None], ids=["same key", "verify", "default"])
@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_commands_take_effect_exactly_once_and_sets_never_go_back(
    declared: Operation | None, steps: list[tuple[str, Any]]
) -> None:
    run = asyncio.run(live(declared, steps))
    sets_never_went_back_and_arrived(run)
    commands_of_an_entity_keep_their_order(run)
    the_book_closes(run)
    assert Counter(run.world.shop.op_ids) == Counter({f"ship-{n + 1}": 1 for n in range(run.commands)})
    assert list(run.world.shard.rows.scan(rows.TASK)) == []
    assert list(run.world.shard.rows.scan(rows.INTENT)) == []


@settings(max_examples=200, deadline=None)
@given(steps=STEPS)
def test_a_command_that_nobody_can_look_up_takes_effect_at_most_once_and_waits_for_a_person_if_it_is_in_doubt(
    steps: list[tuple[str, Any]],
) -> None:
    run = asyncio.run(live(Operation(InDoubt.PERSON), steps))
    the_book_closes_but_for_what_waits(run)
    assert max(Counter(run.world.shop.op_ids).values(), default=0) <= 1


def the_book_closes_but_for_what_waits(run: Run) -> None:
    """What waits behind a command that is parked is still open."""
    book = run.world.ledger()
    settled = sum(count for name, count in book.items() if name != "received")
    assert settled <= book.get("received", 0)
    if not book.get("parked"):
        the_book_closes(run)


# ------------------------------------------------------------------------------------------------ resolution

OPERATIONS = st.one_of(
    st.builds(Operation, st.sampled_from([InDoubt.REPEAT, InDoubt.VERIFY, InDoubt.PERSON])),
    st.builds(
        Operation,
        st.just(InDoubt.SAME_KEY),
        key_life=st.floats(1, 1e6),
        forgotten=st.sampled_from([InDoubt.VERIFY, InDoubt.PERSON]),
    ),
)


def intent(vendor_key: str, first_use: float) -> rows.Intent:
    return rows.Intent("row", "op", 1, b"", 1, first_use, vendor_key, first_use)


@given(OPERATIONS, st.booleans(), st.floats(0, 1e6), st.floats(0, 2e6), st.booleans())
def test_nothing_is_sent_again_on_a_key_that_may_be_forgotten_or_after_it_has_expired(
    operation: Operation, has_key: bool, first_use: float, age: float, expired: bool
) -> None:
    sent = intent("k" if has_key else "", first_use)
    found = resolution(operation, sent, now=first_use + age, expired=expired)
    if found is InDoubt.SAME_KEY:
        assert has_key
        assert not expired
        assert age < operation.key_life
    if expired:
        assert found in (InDoubt.VERIFY, InDoubt.PERSON)
    if operation.in_doubt in (InDoubt.VERIFY, InDoubt.PERSON):
        assert found is operation.in_doubt


@pytest.mark.parametrize("wrong", [{"key_life": 0.0}, {"key_life": 5.0, "forgotten": InDoubt.SAME_KEY}])
def test_a_key_that_is_not_said_to_be_remembered_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="key"):
        Operation(InDoubt.SAME_KEY, **wrong)


def test_a_dying_shard_is_what_it_says() -> None:
    shard = Dying()
    shard.rows.put(b"k", b"v")
    shard.flush()
    assert shard.crashed().rows.get(b"k") is None
