"""A host in the test's own process, fed by hand: what Faust would do, one step at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

from streams.shard.host import Host
from streams.worker.records import Fetched
from tests.integration.counter import Counter, plan
from tests.integration.support import DEADLINE, Bench, eventually


class Fatal(Exception):
    """What would have ended the process."""


class Incoming:
    """A record as the transport hands it over."""

    def __init__(self, message: Any) -> None:
        self.offset: int = message.offset()
        self.timestamp: int = message.timestamp()[1]
        self.key: bytes | None = message.key()
        self.value: bytes | None = message.value()
        self.headers: list[tuple[str, bytes]] = message.headers() or []


class Driven:
    """One generation after the other; `deaths` are the reasons it would have ended for."""

    def __init__(self, bench: Bench, folder: Path, **options: Any) -> None:
        self.bench = bench
        self.deaths: list[str] = []
        self.roles: list[Counter] = []
        asked = {"bootstrap": bench.bootstrap, "prefix": bench.prefix, "group": bench.group, "state": str(folder)}
        self.host = Host(plan(asked | options, self._role), self._fatal)

    def _role(self) -> Counter:
        self.roles.append(Counter())
        return self.roles[-1]

    def _fatal(self, why: str) -> NoReturn:
        self.deaths.append(why)
        raise Fatal(why)

    async def assigned(self, numbers: set[int], generation: int) -> None:
        """Assign, and wait until all of them are open."""
        await self.host.assigned(numbers, generation)
        await asyncio.wait_for(self.host.opened(), DEADLINE)

    def shard(self, number: int = 0) -> Any:
        return self.host._open[number].shard

    def fetched(self, topic: str = "in.v1", number: int = 0) -> Fetched:
        """Everything the shard expects next, as one fetch."""
        start = self.host.position(self.bench.prefix + topic, number)
        assert start is not None
        fetched = Fetched(start, self.bench.ends(topic)[number])
        fetched += [
            Incoming(m) for m in self.bench.read(topic) if m.partition() == number and int(m.offset() or 0) >= start
        ]
        fetched.next = fetched.end or 0
        return fetched

    async def feed(self, topic: str = "in.v1", number: int = 0) -> None:
        """Process all there is and wait for its commit."""
        fetched = self.fetched(topic, number)
        if fetched:
            await self.host.process(self.bench.prefix + topic, number, fetched)
        await self.shard(number).commit()


@asynccontextmanager
async def driven(bench: Bench, folder: Path, **options: Any) -> AsyncIterator[Driven]:
    """A host that owns shard 0 and is stopped at the end."""
    running = Driven(bench, folder, **options)
    try:
        await running.assigned({0}, 1)
        yield running
    finally:
        await running.host.stop()


async def idle(running: Driven) -> None:
    """Until nothing is left to commit."""
    await eventually(lambda: not running.shard()._dirty() and not running.shard()._busy, "everything is committed")
