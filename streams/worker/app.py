"""The Faust application of a role: topics as batches, one agent, shards instead of tables. Nothing at import time."""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
from faust.tables.manager import TableManager
from faust.transport.drivers import TRANSPORTS
from faust.worker import Worker

from streams.shard.host import Host
from streams.worker.transport import BatchSchema

QUEUED_BATCHES = 2  # fetched batches per topic that may wait for the agent; more of them fall out of the CPU cache
# Containers made beyond those freed before the collector looks at the young ones. Fetched records alone, with three
# containers each and no cycles, reach a tenth of it again and again: 5 to 8 % of the CPU of a backlog.
YOUNG = 500_000


@dataclass(frozen=True, slots=True)
class FetchOptions:
    """Small fetches keep records in the CPU cache: 256 KiB costs half of 1 MiB per record."""

    partition_bytes: int = 256 << 10
    max_wait_ms: int = 250


@dataclass(frozen=True, slots=True)
class Membership:
    """How a process belongs to its group. `instance_id` makes it static: a restart within the session timeout gets
    its shards back without anybody else noticing. `session_timeout` (s) must exceed the time that fencing the shards of
    a process takes; restoring them goes on behind the heartbeats."""

    bootstrap: str
    group: str
    instance_id: str
    session_timeout: float = 45.0
    datadir: str = ".sluice/faust"  # Faust makes it and keeps nothing there


class NoTables(TableManager):
    """Stock waits a second at the start, for tables to be declared. There are none."""

    async def on_start(self) -> None:
        await self._update_channels()
        await self.recovery.start()


class ShardWorker(Worker):
    """Stock waits a second at the end, for nothing: everything is gathered before."""

    async def _sentinel_task(self) -> None:
        return


class ShardApp(faust.App):
    """A Faust app whose state, offsets and outputs belong to a shard host."""

    shard_host: Host
    shard_fetch: FetchOptions

    async def on_stop(self) -> None:
        """Commit and close the shards before the consumer leaves the group, so the next owner starts where we end."""
        if self._consumer is not None:
            self._consumer.stop_flow()
        await self.shard_host.stop()
        await super().on_stop()


def make_app(
    member: Membership,
    topics: tuple[str, ...],
    host: Host,
    *,
    fetch: FetchOptions | None = None,
    credentials: Any = None,
    beside: tuple[Callable[[], Awaitable[None]], ...] = (),
) -> ShardApp:
    """The app of one role. `topics` are full names; `beside` are services that run as long as the app does."""
    Path(member.datadir).mkdir(parents=True, exist_ok=True)  # Faust makes the last folder only
    TRANSPORTS.aliases.setdefault("sluice", "streams.worker.transport:Transport")
    app = ShardApp(
        member.group,
        broker=f"sluice://{member.bootstrap}",
        broker_credentials=credentials,
        consumer_group_instance_id=member.instance_id,
        broker_session_timeout=member.session_timeout,
        broker_heartbeat_interval=min(3.0, member.session_timeout / 4),
        broker_request_timeout=max(90.0, member.session_timeout * 2),
        broker_max_poll_interval=600.0,
        key_serializer="raw",
        value_serializer="raw",
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        stream_wait_empty=True,
        agent_supervisor="mode.CrashingSupervisor",
        web_enabled=False,
        autodiscover=False,
        datadir=member.datadir,
        TableManager=NoTables,
    )
    app.shard_host = host
    app.shard_fetch = fetch or FetchOptions()
    channel = app.topic(*topics, schema=BatchSchema(), maxsize=QUEUED_BATCHES)

    async def work(stream: Any) -> None:
        stream = stream.noack()
        async for fetched in stream:
            event = stream.current_event
            tp = event.message.tp
            await host.process(tp.topic, tp.partition, fetched)
            event.ack()

    app.agent(channel, name="shards", concurrency=1)(work)
    for service in (host.tick, *beside):
        app.task(service)
    return app


def run(app: ShardApp, *, loglevel: str = "WARNING") -> None:
    """Work until SIGTERM or a crash; returns never (exits 0 or 1, or 70 from a doubtful shard). `loglevel` is Faust's;
    our own logging stays as it was configured."""
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(loglevel)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 50, 100)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    worker = ShardWorker(app, loglevel=loglevel, redirect_stdouts=False, override_logging=False, quiet=True, loop=loop)
    worker.spinner = None  # it writes escape codes into logs
    worker.execute_from_commandline()
