"""Whether a process lives and whether it may be given work, and the three paths every role serves.

Liveness says that the main loop makes progress and depends on nothing outside the process: a broker that is away
must not get pods killed. Readiness says that work can be taken now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum

from aiohttp import web

from connectors.kit.clock import Clock, SystemClock
from connectors.kit.metrics import Metrics

PATIENCE = 30.0  # seconds without a beat after which a process is not alive

Check = Callable[[], str | None]


class State(StrEnum):
    """Where a process is in its life."""

    STARTING = "starting"  # restoring; also again, when shards are reassigned
    READY = "ready"
    DRAINING = "draining"  # SIGTERM came: what is in flight is finished, nothing new is taken
    DEAD = "dead"


_ALLOWED = {
    State.STARTING: {State.READY, State.DRAINING, State.DEAD},
    State.READY: {State.STARTING, State.DRAINING, State.DEAD},
    State.DRAINING: {State.DEAD},
    State.DEAD: frozenset(),
}


class Health:
    """The state machine of one process. `patience`: seconds between beats that are still alive."""

    def __init__(self, clock: Clock | None = None, patience: float = PATIENCE) -> None:
        self._clock = clock or SystemClock()
        self._patience = patience
        self._beat_at = self._clock.monotonic()
        self._checks: dict[str, Check] = {}
        self.state = State.STARTING
        self.reason = ""

    def beat(self) -> None:
        """The main loop (also of a restore) made progress. Cheap; call it once per batch."""
        self._beat_at = self._clock.monotonic()

    def to(self, state: State, reason: str = "") -> None:
        """Move on. Staying is allowed; coming back from draining or dead is not and raises ValueError."""
        if state is not self.state and state not in _ALLOWED[self.state]:
            raise ValueError(f"a process that is {self.state} cannot become {state}")
        self.state, self.reason = state, reason
        self.beat()

    def check(self, name: str, check: Check) -> None:
        """Add a condition of readiness; it returns None when it holds, else what is wrong, and never blocks."""
        self._checks[name] = check

    @property
    def silence(self) -> float:
        """Seconds since the last beat."""
        return self._clock.monotonic() - self._beat_at

    @property
    def live(self) -> bool:
        """False when dead or silent for longer than the patience: restart this process."""
        return self.state is not State.DEAD and self.silence <= self._patience

    def obstacles(self) -> list[str]:
        """Why no work may be given to this process now; empty when it is ready."""
        found = (
            [] if self.state is State.READY else [f"{self.state}: {self.reason}" if self.reason else f"{self.state}"]
        )
        if not self.live:
            found.append(f"no progress for {self.silence:.0f} s")
        for name, check in self._checks.items():
            problem = check()
            if problem is not None:
                found.append(f"{name}: {problem}")
        return found


def routes(health: Health, metrics: Metrics) -> list[web.RouteDef]:
    """/healthz (alive), /readyz (may be given work), /metrics; to be mounted by every role."""

    async def healthz(_: web.Request) -> web.Response:
        text = f"{health.state}, last progress {health.silence:.1f} s ago\n"
        return web.Response(status=200 if health.live else 503, text=text)

    async def readyz(_: web.Request) -> web.Response:
        obstacles = health.obstacles()
        return web.Response(
            status=503 if obstacles else 200, text="".join(f"{one}\n" for one in obstacles or ["ready"])
        )

    async def page(_: web.Request) -> web.Response:
        body, content_type = metrics.page()
        return web.Response(body=body, headers={"content-type": content_type})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", page)]


class Server:
    """A small HTTP server in the running loop. `port` is the one it got when 0 was asked for."""

    def __init__(self, runner: web.AppRunner) -> None:
        self._runner = runner
        self.port: int = runner.addresses[0][1]

    async def close(self) -> None:
        """Stop listening and wait briefly for open requests."""
        await self._runner.cleanup()


async def serve(host: str, port: int, handlers: Sequence[web.RouteDef]) -> Server:
    """Serve `handlers`, e.g. `routes(...)` and a role's own, until closed. Raises OSError when the port is taken."""
    app = web.Application()
    app.add_routes(handlers)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return Server(runner)
