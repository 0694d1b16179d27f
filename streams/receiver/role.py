"""The receiver as a process: listen, drain on SIGTERM, flush, end."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
import uvloop

from connectors import catalog
from connectors.kit.contract import Account, Platform
from connectors.kit.errors import Misconfigured
from connectors.kit.health import Health, State, routes
from connectors.kit.metrics import Metrics
from schemas.codec import Codec
from schemas.registry import open_codec
from schemas.topics import Role
from streams.receiver.envelope import RawRecords
from streams.receiver.intake import Intake, Limits
from streams.receiver.measure import Measures
from streams.receiver.producer import KafkaProducer, Pace
from streams.receiver.server import HttpServer
from streams.runtime.config import Config
from streams.runtime.settings import Settings

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """`kafka`: librdkafka client settings; `prefix` stands before topic names; `port` 0 takes a free one.

    `drain`: seconds that open deliveries are waited for at the end; with the flush it stays below 10.
    """

    kafka: Mapping[str, Any]
    prefix: str = "sluice."
    host: str = "0.0.0.0"
    port: int = 8080
    limits: Limits = field(default_factory=Limits)
    pace: Pace = field(default_factory=Pace)
    probe_interval: float = 2.0
    drain: float = 5.0
    flush: float = 3.0


class Reachability:
    """Whether the broker answers, asked every `interval` seconds in a thread; it does not until it first did."""

    def __init__(self, producer: KafkaProducer, interval: float) -> None:
        self._producer = producer
        self._interval = interval
        self._answers = False

    def problem(self) -> str | None:
        """What is wrong, as a check of readiness."""
        return None if self._answers else "no broker answers; see bootstrap.servers and the broker's log"

    async def watch(self, each: Callable[[], None]) -> None:
        """Ask for ever; `each` is called in between, on the loop."""
        while True:
            answers = await asyncio.to_thread(self._producer.reachable)
            if answers != self._answers:
                log.info("the broker answers" if answers else "the broker is away")
            self._answers = answers
            each()
            await asyncio.sleep(self._interval)


class RunningReceiver:
    """A receiver that serves: `async with RunningReceiver(...) as running: running.port`."""

    def __init__(
        self,
        settings: ReceiverSettings,
        accounts: Mapping[tuple[str, str], Account],
        platforms: Mapping[str, Platform],
        codec: Codec,
        *,
        metrics: Metrics | None = None,
        health: Health | None = None,
    ) -> None:
        metrics = metrics or Metrics()
        self.health = health or Health()
        self._measures = Measures(metrics)
        self._settings = settings
        self._producer = KafkaProducer(settings.kafka, settings.prefix, settings.pace)
        self._reachability = Reachability(self._producer, settings.probe_interval)
        self.health.check("broker", self._reachability.problem)
        self._records = RawRecords(codec)
        to = (self._records, self._producer)
        self.intake = Intake(accounts, platforms, *to, limits=settings.limits, measures=self._measures)
        self._server = HttpServer(self.intake, routes(self.health, metrics), settings.drain)
        self._watch: asyncio.Task[None] | None = None
        self.port = 0

    async def __aenter__(self) -> RunningReceiver:
        """Listen. Raises what the codec raises when it cannot find the envelope's schema."""
        await asyncio.to_thread(self._records.open)  # asks the registry, which must not happen on the loop
        listener = self._listen()
        self.port = int(listener.getsockname()[1])
        self._producer.start()
        self._watch = asyncio.create_task(self._reachability.watch(self._beat), name="broker-reachability")
        await self._server.start(listener)
        self.health.to(State.READY)
        log.info("receiver listens", host=self._settings.host, port=self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.health.to(State.DRAINING, "the process was told to stop")
        await self._server.stop()  # stops accepting, then waits for open deliveries
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
        left = await self._producer.close(self._settings.flush)
        if left:
            log.warning("records without a report at the end; their deliveries were answered with 503", records=left)

    def _listen(self) -> socket.socket:
        host, port = self._settings.host, self._settings.port
        try:
            return socket.create_server((host, port), backlog=1024)
        except OSError as error:
            raise Misconfigured(
                f"the receiver cannot listen on {host}:{port}: {error.strerror}",
                hint="another process has the port, or the address is not this machine's; choose another",
            ) from error

    def _beat(self) -> None:
        self.health.beat()
        self._measures.queued(self.intake.in_flight)


def _quieten_gc() -> None:
    """Requests make no cycles worth looking for, so the collector looks seldom and never at what is there from the
    start; about 2 % of the CPU per delivery (measured)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


async def serve(running: RunningReceiver, stop: asyncio.Event | None = None) -> None:
    """Serve until SIGTERM, SIGINT or `stop`, then drain."""
    stopping = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with running:
        await stopping.wait()


def run(
    settings: ReceiverSettings,
    accounts: Mapping[tuple[str, str], Account],
    platforms: Mapping[str, Platform],
    codec: Codec,
    *,
    metrics: Metrics | None = None,
    health: Health | None = None,
) -> None:
    """The process: blocks until it is told to stop."""

    async def main() -> None:
        _quieten_gc()
        await serve(RunningReceiver(settings, accounts, platforms, codec, metrics=metrics, health=health))

    uvloop.run(main())


def start(settings: Settings, config: Config) -> None:
    """The role as `sluice run receiver` starts it."""
    run(
        ReceiverSettings(
            kafka=settings.librdkafka(),
            prefix=settings.topic_prefix,
            host=settings.http_host,
            port=settings.http_port(Role.RECEIVER),
            limits=Limits(in_flight=settings.receiver_queue_limit, largest_body=settings.receiver_max_body_bytes),
            pace=Pace(
                linger_ms=settings.receiver_linger_ms,
                delivery=settings.receiver_delivery_timeout,
                request=settings.receiver_request_timeout,
            ),
        ),
        config.accounts,
        catalog.platforms(),
        open_codec(settings.registry, settings.schema_cache),
    )
