"""One agent on one topic, on stock Faust or on our transport, that says what it sees and misbehaves as it is told.

`python -m tests.integration.worker.probe '<json>'`; `kind` is `stock` or `ours`, `scenario` one of the functions here.
Every line it writes to standard error is one thing that happened, in order.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import faust
from faust.transport.drivers import aiokafka as driver
from faust.worker import Worker

from streams.shard.host import Host
from streams.worker import transport
from streams.worker.app import Membership, make_app, run
from tests.integration.support import eventually

BARRIER = 1.0  # seconds that opening takes where a scenario is about it
SEEN: list[bytes] = []


def say(what: str) -> None:
    sys.stderr.write(what + "\n")
    sys.stderr.flush()


def saw(value: bytes) -> None:
    SEEN.append(value)
    say(f"seen {value.decode()}.")


class ProbeHost(Host):
    """Shards without state: what is expected next is what was processed last, and a jump ends the process."""

    def __init__(self, scenario: str) -> None:
        self._scenario = scenario
        self._next: dict[tuple[str, int], int] = {}

    def position(self, topic: str, partition: int) -> int | None:
        return self._next.get((topic, partition), 0)

    async def assigned(self, numbers: set[int], generation: int) -> None:
        say("opening")
        if self._scenario == "barrier":
            await asyncio.sleep(BARRIER)
        say("opened")

    async def revoked(self, numbers: set[int]) -> None:
        say("revoked")

    async def stop(self) -> None:
        say("stopped")

    async def tick(self) -> None:
        await asyncio.Event().wait()

    async def process(self, topic: str, number: int, fetched: Any) -> None:
        assert fetched.start <= self._next.get((topic, number), 0), f"jumped to {fetched.start}"
        fetched.unpack()
        for record in fetched:
            if self._scenario == "raises" and record.value == b"add 0000000000000003":
                raise RuntimeError("in the agent")
            saw(record.value)
        self._next[topic, number] = fetched.next


def drop_first_fetch(consumer: Any) -> None:
    """As `getmany` does when records come in while the flow is stopped: seek, and forget them."""
    original = consumer._wait_next_records
    dropped: list[int] = []

    async def wait(self: Any, seconds: float) -> Any:
        records, active = await original(self, seconds)
        if any(records.values()) and not dropped:
            dropped.append(1)
            await self.perform_seek()
            say("dropped")
            return {}, active
        return records, active

    consumer._wait_next_records = wait


def pause_after_first_fetch(consumer: Any) -> None:
    """Partitions are paused between the fetch and its delivery, and resumed soon after."""
    original = consumer._wait_next_records
    paused: list[int] = []

    async def wait(self: Any, seconds: float) -> Any:
        records, active = await original(self, seconds)
        if any(records.values()) and not paused:
            paused.append(1)
            self.pause_partitions(set(self.assignment()))
            asyncio.get_running_loop().call_later(0.2, self.resume_partitions, set(self.assignment()))
            say("paused")
        return records, active

    consumer._wait_next_records = wait


PATCHES: dict[str, Callable[[Any], None]] = {"drops": drop_first_fetch, "pauses": pause_after_first_fetch}


def ours(asked: dict[str, Any]) -> None:
    if asked["scenario"] in PATCHES:
        PATCHES[asked["scenario"]](transport.Consumer)
    member = Membership(asked["bootstrap"], asked["group"], asked["instance"], 6.0)
    run(make_app(member, (asked["prefix"] + "in.v1",), ProbeHost(asked["scenario"])))


def stock(asked: dict[str, Any]) -> None:
    scenario = asked["scenario"]
    if scenario in PATCHES:
        PATCHES[scenario](driver.Consumer)
    app = faust.App(
        asked["group"],
        broker=f"kafka://{asked['bootstrap']}",
        key_serializer="raw",
        value_serializer="raw",
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        broker_commit_interval=0.2,
        web_enabled=False,
        autodiscover=False,
    )

    async def work(stream: Any) -> None:
        async for value in stream:
            if scenario == "raises" and value == b"add 0000000000000003":
                raise RuntimeError("in the agent")
            if scenario == "hangs" and value == b"add 0000000000000000":
                await asyncio.Event().wait()
            saw(value)

    app.agent(app.topic(asked["prefix"] + "in.v1"), concurrency=2 if scenario == "hangs" else 1)(work)

    async def opening(app: Any, assigned: Any, **_: Any) -> None:
        say("opening")
        if scenario == "barrier":
            await eventually(lambda: SEEN, "a record is processed meanwhile", 10.0)
        say("opened")

    app.on_partitions_assigned.connect(opening)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    Worker(app, loglevel="ERROR", redirect_stdouts=False, quiet=True, loop=loop).execute_from_commandline()


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    {"ours": ours, "stock": stock}[request["kind"]](request)
