"""Shards that restore side by side: each opens when it is ready, waits when it cannot read, and goes when it must."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar, NoReturn, cast

import pytest
from confluent_kafka import KafkaError, KafkaException
from structlog.testing import capture_logs

from connectors.kit import backoff
from streams.shard import restoring
from streams.shard.api import Processor
from streams.shard.offsets import Offsets
from streams.shard.plan import Plan, Silent
from streams.shard.restore import Abandoned, Progress
from streams.shard.restoring import Restoring

LONG = 10.0  # seconds; nothing here takes a tenth of one


class Fatal(Exception):
    """What would have ended the process."""


def _nobody() -> Processor:
    raise AssertionError("nothing is opened for real here")


class FakeRestore:
    """A restore of which every step is told what to do. `sizes`, `troubles`: by shard, shared by all."""

    sizes: ClassVar[Mapping[int, int]] = {}
    troubles: ClassVar[Mapping[int, list[Exception]]] = {}
    fenced: ClassVar[list[int]] = []
    ahead: ClassVar[list[int]] = []
    ran: ClassVar[list[int]] = []
    closed: ClassVar[list[int]] = []
    gates: ClassVar[dict[int, threading.Event]] = {}

    def __init__(self, plan: Plan, number: int, offsets: Any) -> None:
        self.number = number
        self.progress = Progress()
        self._abandoned = threading.Event()

        self.final = False
        self.busy = False
        self._fenced = False

    def fence(self) -> None:
        self.fenced.append(self.number)
        self._fenced = True

    def measure(self) -> int:
        self.final = self._fenced
        self.progress.to_go = self.sizes.get(self.number, 0)
        return self.progress.to_go

    def run(self) -> None:
        if not self.final:
            self.ahead.append(self.number)
            return
        self.ran.append(self.number)
        if self.troubles.get(self.number):
            raise self.troubles[self.number].pop(0)
        gate = self.gates.get(self.number)
        self.busy = True
        while gate is not None and not gate.wait(0.001):
            if self._abandoned.is_set():
                gate.wait(0.05)
                self.busy = False
                raise Abandoned
        self.busy = False
        self.progress.to_go = 0

    def abandon(self) -> None:
        self._abandoned.set()

    def close(self) -> None:
        assert not self.busy, "its store is still written to"
        self.closed.append(self.number)


class Told(Silent):
    """A Recorder that keeps what it is told of restores."""

    def __init__(self) -> None:
        self.to_go: list[Mapping[int, int]] = []
        self.failures: list[int] = []

    def restoring(self, to_go: Mapping[int, int]) -> None:
        self.to_go.append(dict(to_go))

    def unreadable(self, shard: int) -> None:
        self.failures.append(shard)


class Bed:
    """A Restoring over fakes, and what came out of it."""

    def __init__(self, prepare: Callable[[], Awaitable[None]] | None, at_once: int) -> None:
        self.opened: list[int] = []
        self.deaths: list[str] = []
        self.told = Told()
        plan = Plan(
            "g", "p.", (), "changelog", "", Path(), {}, _nobody, restores=at_once, recorder=self.told, prepare=prepare
        )
        self.restoring = Restoring(plan, lambda restore: self.opened.append(restore.number), self._fatal)

    def _fatal(self, why: str) -> NoReturn:
        self.deaths.append(why)
        raise Fatal(why)

    async def start(self, *numbers: int) -> None:
        await self.restoring.start(numbers, cast(Offsets, None))

    async def until(self, condition: Callable[[], Any]) -> None:
        deadline = asyncio.get_running_loop().time() + LONG
        while not condition():
            assert asyncio.get_running_loop().time() < deadline, "it never came"
            await asyncio.sleep(0.001)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> type[FakeRestore]:
    class World(FakeRestore):
        fenced: ClassVar[list[int]] = []
        ahead: ClassVar[list[int]] = []
        ran: ClassVar[list[int]] = []
        closed: ClassVar[list[int]] = []

    monkeypatch.setattr(restoring, "Restore", World)
    monkeypatch.setattr(backoff, "delay", lambda *given, **more: -0.099)
    return World


@asynccontextmanager
async def bed(prepare: Callable[[], Awaitable[None]] | None = None, at_once: int = 4) -> AsyncIterator[Bed]:
    made = Bed(prepare, at_once)
    made.restoring.release()
    try:
        yield made
    finally:
        await made.restoring.close()


async def test_a_shard_opens_when_it_is_ready_whatever_the_others_do(world: type[FakeRestore]) -> None:
    world.gates = {0: threading.Event(), 1: threading.Event()}
    async with bed() as shards:
        await shards.start(0, 1, 2)
        await shards.until(lambda: shards.opened == [2])
        assert shards.restoring.numbers == {0, 1}
        world.gates[1].set()
        await shards.until(lambda: shards.opened == [2, 1])
        world.gates[0].set()
        await shards.restoring.done()
        assert shards.opened == [2, 1, 0]


async def test_the_shard_with_the_least_to_read_is_first_and_all_are_fenced_before_anything_else(
    world: type[FakeRestore],
) -> None:
    world.sizes = {0: 900, 1: 5, 2: 70}
    async with bed(at_once=1) as shards:
        await shards.start(0, 1, 2)
        assert sorted(world.fenced) == [0, 1, 2]
        assert shards.opened == []
        await shards.restoring.done()
        assert world.ran == [1, 2, 0]


async def test_what_is_committed_is_read_beside_the_fence_and_the_rest_behind_it(
    world: type[FakeRestore], monkeypatch: pytest.MonkeyPatch
) -> None:
    fence, order = threading.Event(), list[str]()

    def fenced(self: FakeRestore) -> None:
        fence.wait(LONG)
        order.append(f"fenced after {len(world.ahead)} and {len(world.ran)} reads")
        self._fenced = True

    monkeypatch.setattr(world, "fence", fenced)
    async with bed() as shards:
        starting = asyncio.create_task(shards.start(0))
        await shards.until(lambda: world.ahead == [0])
        fence.set()
        await starting
        await shards.restoring.done()
    assert order == ["fenced after 1 and 0 reads"]
    assert (world.ran, shards.opened) == ([0], [0])


def _no_leader() -> KafkaException:
    return KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))


async def test_what_cannot_be_read_is_asked_for_again_until_it_can_and_ends_nothing(world: type[FakeRestore]) -> None:
    world.troubles = {1: [_no_leader(), TimeoutError("stands at 3 of 9"), *(_no_leader() for _ in range(20))]}
    async with bed(at_once=1) as shards:
        with capture_logs() as logs:
            await shards.start(0, 1)
            await shards.restoring.done()
        assert (sorted(shards.opened), shards.deaths) == ([0, 1], [])
        assert shards.told.failures == [1] * 22
        said = [entry for entry in logs if "cannot be read" in entry["event"]]
        assert said[1]["error"] == "stands at 3 of 9"
        assert said[1]["log_level"] == "error"


async def test_a_shard_that_waits_says_why_and_keeps_nobody_from_its_turn(
    world: type[FakeRestore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "delay", lambda *given, **more: LONG)
    world.troubles = {0: [_no_leader()]}
    async with bed(at_once=1) as shards:
        await shards.start(0, 1)
        await shards.until(lambda: shards.opened == [1] and shards.restoring.troubles())
        assert "shard 0 waits: " in shards.restoring.troubles()[0]
        assert "LEADER_NOT_AVAILABLE" in shards.restoring.troubles()[0]


async def test_records_that_are_gone_end_the_process_instead_of_being_asked_for_again(world: type[FakeRestore]) -> None:
    world.troubles = {0: [LookupError("deleted unread")]}
    async with bed() as shards:
        await shards.start(0)
        with pytest.raises(Fatal, match="deleted unread"):
            await shards.restoring.done()
        assert shards.opened == []


async def test_nothing_opens_while_the_group_changes_and_what_stays_opens_after_it(world: type[FakeRestore]) -> None:
    async with bed() as shards:
        shards.restoring.hold()
        await shards.start(0, 1)
        await shards.until(lambda: sorted(world.ran) == [0, 1])
        await asyncio.sleep(0.01)
        assert shards.opened == []
        await shards.restoring.abandon({1})
        shards.restoring.release()
        await shards.restoring.done()
        assert shards.opened == [0]
        assert world.closed == [1]


async def test_an_abandoned_shard_ends_before_its_store_is_closed_and_never_opens(world: type[FakeRestore]) -> None:
    world.gates = {0: threading.Event()}
    async with bed() as shards:
        await shards.start(0)
        await shards.until(lambda: world.ran == [0])
        await shards.restoring.abandon({0, 7})
        assert (world.closed, shards.restoring.numbers) == ([0], set())
        await shards.start(0)
        world.gates[0].set()
        await shards.restoring.done()
        assert shards.opened == [0]


async def test_a_shard_that_is_abandoned_while_it_waits_to_ask_again_is_gone_at_once(
    world: type[FakeRestore], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backoff, "delay", lambda *given, **more: 3_600.0)
    world.troubles = {0: [_no_leader()]}
    async with bed() as shards:
        await shards.start(0)
        await shards.until(shards.restoring.troubles)
        await asyncio.wait_for(shards.restoring.abandon({0}), LONG)
        assert (world.closed, shards.opened) == ([0], [])


async def test_what_a_role_needs_beforehand_is_waited_for_once_and_behind_the_reading(world: type[FakeRestore]) -> None:
    prepared: list[int] = []
    go = asyncio.Event()

    async def prepare() -> None:
        prepared.append(1)
        await go.wait()

    async with bed(prepare) as shards:
        await shards.start(0, 1)
        await shards.until(lambda: prepared and len(world.ran) == 2)
        await asyncio.sleep(0.01)
        assert shards.opened == []
        go.set()
        await shards.restoring.done()
        await shards.start(2)
        await shards.restoring.done()
        assert (sorted(shards.opened), prepared) == ([0, 1, 2], [1])


async def test_a_role_that_cannot_be_prepared_ends_the_process(world: type[FakeRestore]) -> None:
    async def prepare() -> None:
        raise RuntimeError("no links")

    async with bed(prepare) as shards:
        await shards.start(0)
        with pytest.raises(Fatal, match="no links"):
            await shards.restoring.done()
        assert shards.opened == []


async def test_progress_is_reported_until_there_is_none_and_logged_every_few_seconds(
    world: type[FakeRestore], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.sizes, world.gates = {0: 40, 1: 7}, {0: threading.Event()}
    monkeypatch.setattr(restoring, "REPORT", 0.0)
    async with bed() as shards:
        await shards.start(0, 1)
        await shards.until(lambda: shards.opened == [1] and world.ran)
        with capture_logs() as logs:
            shards.restoring.report()
        assert shards.told.to_go[-1] == {0: 40}
        assert logs[0]["event"] == "shard restores"
        assert (logs[0]["shard"], logs[0]["to_go"], logs[0]["rows_read"]) == (0, 40, 0)
        world.gates[0].set()
        await shards.restoring.done()
        assert shards.told.to_go[-1] == {}
        monkeypatch.setattr(restoring, "REPORT", LONG)
        with capture_logs() as logs:
            shards.restoring.report()
        assert logs == []
