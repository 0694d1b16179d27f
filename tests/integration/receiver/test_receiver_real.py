"""The receiver on a real broker: what 200 and 503 are worth."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from schemas import identity
from streams.receiver.role import serve
from streams.runtime.raw import from_record
from streams.stack.layout import StackOptions
from streams.stack.stack import LocalStack
from streams.testing.broker import Endpoints
from tests.integration.receiver.front import CODEC, RAW, post, ready, running, until
from tests.integration.support import Bench, eventually

pytestmark = pytest.mark.broker


@pytest.fixture
def bench(endpoints: Endpoints) -> Bench:
    return Bench(endpoints.bootstrap, partitions=3).create([RAW])


def stored(bench: Bench) -> dict[str, bytes]:
    envelopes = [from_record(CODEC.decode(message.value())).envelope for message in bench.read(RAW)]
    return {envelope.delivery_id: envelope.body for envelope in envelopes}


async def until_ready(client: aiohttp.ClientSession, port: int, wanted: bool = True) -> None:
    async def as_wanted() -> bool:
        return await ready(client, port) is wanted

    await until(as_wanted, f"ready is {wanted}")


async def test_what_was_answered_with_200_is_in_kafka_byte_for_byte(bench: Bench) -> None:
    bodies = {f"d-{n}": os.urandom(n * 7 % 3_000) for n in range(300)}
    async with running(bench.kafka, bench.prefix) as receiver, aiohttp.ClientSession() as client:
        statuses = await asyncio.gather(*(post(client, receiver.port, name, body) for name, body in bodies.items()))
    assert statuses == [200] * 300
    assert stored(bench) == bodies


async def test_a_delivery_stands_in_the_partition_of_its_key(bench: Bench) -> None:
    async with running(bench.kafka, bench.prefix) as receiver, aiohttp.ClientSession() as client:
        for n in range(20):
            assert await post(client, receiver.port, f"d-{n}", b"{}") == 200
    messages = bench.read(RAW)
    assert [identity.partition(message.key(), 3) for message in messages] == [m.partition() for m in messages]
    assert len({message.partition() for message in messages}) == 3
    assert all(dict(m.headers())["ce_specversion"] == b"1.0" for m in messages)


async def test_the_receiver_is_ready_once_the_broker_answers(bench: Bench) -> None:
    async with running(bench.kafka, bench.prefix) as receiver, aiohttp.ClientSession() as client:
        await until_ready(client, receiver.port)
        await post(client, receiver.port, "d-1", b"{}")
        async with client.get(f"http://127.0.0.1:{receiver.port}/metrics") as reply:
            assert 'outcome="accepted",platform="shopify"} 1.0' in await reply.text()


async def test_a_stop_drains_what_is_open_and_loses_nothing_it_acknowledged(bench: Bench) -> None:
    receiver, stop = running(bench.kafka, bench.prefix), asyncio.Event()
    serving = asyncio.create_task(serve(receiver, stop))
    async with aiohttp.ClientSession() as client, asyncio.timeout(30):
        await eventually(lambda: receiver.port, "the receiver listens")
        assert await post(client, receiver.port, "first", b"{}") == 200
        posts = {f"d-{n}": asyncio.create_task(post(client, receiver.port, f"d-{n}", b"{}")) for n in range(200)}
        await asyncio.sleep(0.02)
        stop.set()
        began = time.monotonic()
        await serving
        assert time.monotonic() - began < 10
        answered = {name for name, task in posts.items() if await task == 200}
    assert answered
    assert {"first", *answered} <= stored(bench).keys()
    assert {await task for task in posts.values()} <= {0, 200}


@pytest.fixture
def silent_port() -> Iterator[int]:
    """What a frozen broker looks like to a client that has not met it yet: connections open, nothing answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("port", ["silent", "closed"])
async def test_a_broker_that_never_answered_is_said_within_four_seconds(port: str, silent_port: int) -> None:
    address = f"127.0.0.1:{silent_port if port == 'silent' else 1}"
    async with running({"bootstrap.servers": address}, "t.", flush=0.2) as receiver, aiohttp.ClientSession() as client:
        began = time.monotonic()
        assert await post(client, receiver.port, "d-1", b"{}") == 503
        assert time.monotonic() - began < 4.0
        assert not await ready(client, receiver.port)


async def test_a_frozen_broker_is_said_within_four_seconds_and_forgotten_when_it_thaws(tmp_path: Path) -> None:
    options = StackOptions(directory=tmp_path, kafka_port=0, registry_port=0, stop_timeout=5.0)
    stack = LocalStack(options)
    endpoints = await asyncio.to_thread(stack.up)
    pid = next(server.pid for server in stack.status().servers if server.name.startswith("kafka"))
    assert pid is not None
    try:
        bench = Bench(endpoints.bootstrap, partitions=3).create([RAW])
        async with running(bench.kafka, bench.prefix) as receiver, aiohttp.ClientSession() as client:
            assert await post(client, receiver.port, "before", b"{}") == 200
            await until_ready(client, receiver.port)
            os.kill(pid, signal.SIGSTOP)
            began = time.monotonic()
            frozen = await asyncio.gather(*(post(client, receiver.port, f"frozen-{n}", b"{}") for n in range(20)))
            assert time.monotonic() - began < 4.0
            assert frozen == [503] * 20
            await until_ready(client, receiver.port, wanted=False)
            os.kill(pid, signal.SIGCONT)
            await until_ready(client, receiver.port)

            async def stored_again() -> bool:
                return await post(client, receiver.port, "after", b"{}") == 200

            await until(stored_again, "deliveries are stored again")
        assert {"before", "after"} <= stored(bench).keys()
    finally:
        os.kill(pid, signal.SIGCONT)
        await asyncio.to_thread(stack.reset)
