"""A small process tree: start, watch, restart, stop. For `sluice run all`, the demo and the chaos runs.

In production Kubernetes does this; the rule is the same: a role that ends is started again, after a pause that grows
while it keeps ending at once.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

FIRST_PAUSE = 0.3  # seconds before the first restart
LONGEST_PAUSE = 10.0
HEALTHY_AFTER = 20.0  # seconds after which an end is not counted against the process


@dataclass(slots=True)
class Child:
    """One supervised process. `restarts` counts starts after the first."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restarts: int = 0
    pause: float = FIRST_PAUSE
    due: float | None = None
    exits: list[int] = field(default_factory=list)
    output: IO[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether it runs now."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Owns child processes. Call `watch` often (every 100 ms or so); `stop` ends all."""

    def __init__(
        self,
        log_dir: Path,
        monotonic: Callable[[], float] = time.monotonic,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._log_dir = log_dir
        self._monotonic = monotonic
        self._report = report
        self.children: dict[str, Child] = {}
        log_dir.mkdir(parents=True, exist_ok=True)

    def start(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> Child:
        """Start a process under a name; its output is appended to <log dir>/<name>.log."""
        child = Child(name, list(argv), {**os.environ, **(env or {})}, self._log_dir / f"{name}.log")
        self.children[name] = child
        self._spawn(child)
        return child

    def _spawn(self, child: Child) -> None:
        if child.output is not None:
            child.output.close()
        child.output = child.log.open("ab")
        child.process = subprocess.Popen(
            child.argv,
            env=dict(child.env),
            stdin=subprocess.DEVNULL,
            stdout=child.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        child.started_at = self._monotonic()
        child.due = None

    def watch(self) -> None:
        """Restart what has ended and is due."""
        now = self._monotonic()
        for child in self.children.values():
            if child.alive:
                continue
            if child.due is None:
                self._note_end(child, now)
            elif now >= child.due:
                child.restarts += 1
                self._spawn(child)

    def _note_end(self, child: Child, now: float) -> None:
        code = child.process.returncode if child.process else -1
        child.exits.append(code)
        healthy = now - child.started_at > HEALTHY_AFTER
        child.pause = FIRST_PAUSE if healthy else min(LONGEST_PAUSE, child.pause * 2)
        child.due = now + (FIRST_PAUSE if code == -signal.SIGKILL else child.pause)
        self._report(f"{child.name} ended with {code}; restarting")

    def kill(self, name: str) -> None:
        """SIGKILL, as a machine that loses power would."""
        child = self.children[name]
        if child.process is not None and child.alive:
            child.process.kill()
            child.process.wait()

    def stop(self, grace: float = 12.0) -> dict[str, int]:
        """SIGTERM to all, SIGKILL after `grace` seconds. Returns exit codes by name."""
        return self.end(list(self.children), grace)

    def end(self, names: Iterable[str], grace: float = 12.0) -> dict[str, int]:
        """As `stop`, for some; they are no longer watched."""
        ending = {name: self.children.pop(name) for name in names}
        for child in ending.values():
            if child.process is not None and child.alive:
                child.process.terminate()
        deadline = self._monotonic() + grace
        codes = {name: _wait(child, max(0.1, deadline - self._monotonic())) for name, child in ending.items()}
        for child in ending.values():
            if child.output is not None:
                child.output.close()
        return codes


def _wait(child: Child, timeout: float) -> int:
    if child.process is None:
        return 0
    try:
        return child.process.wait(timeout)
    except subprocess.TimeoutExpired:
        child.process.kill()
        return child.process.wait()
