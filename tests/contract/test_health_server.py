"""The three paths every role serves, over a real socket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from connectors.kit.clock import ManualClock
from connectors.kit.health import Health, Server, State, routes, serve
from connectors.kit.metrics import RECEIVER_REQUESTS, Metrics


class World:
    def __init__(self) -> None:
        self.clock = ManualClock()
        self.health = Health(self.clock, patience=30)
        self.metrics = Metrics()
        self.server: Server

    async def get(self, path: str) -> tuple[int, str]:
        url = f"http://127.0.0.1:{self.server.port}{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as reply:
            return reply.status, await reply.text()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    made.server = await serve("127.0.0.1", 0, routes(made.health, made.metrics))
    yield made
    await made.server.close()


async def test_readiness_follows_the_state_and_says_why_not(world: World) -> None:
    assert await world.get("/readyz") == (503, "starting\n")
    world.health.to(State.READY)
    assert await world.get("/readyz") == (200, "ready\n")
    world.health.to(State.DRAINING, "SIGTERM")
    assert await world.get("/readyz") == (503, "draining: SIGTERM\n")


async def test_liveness_follows_progress_and_not_readiness(world: World) -> None:
    assert (await world.get("/healthz"))[0] == 200
    world.clock.advance(31)
    assert await world.get("/healthz") == (503, "starting, last progress 31.0 s ago\n")


async def test_metrics_are_exposed_as_prometheus_reads_them(world: World) -> None:
    world.metrics.counter(RECEIVER_REQUESTS, "shopify", "accepted").inc()
    status, text = await world.get("/metrics")
    assert status == 200
    assert 'sluice_receiver_requests_total{outcome="accepted",platform="shopify"} 1.0' in text


async def test_a_port_that_is_taken_is_an_error_and_leaks_nothing(world: World) -> None:
    with pytest.raises(OSError, match="in use"):
        await serve("127.0.0.1", world.server.port, [])
