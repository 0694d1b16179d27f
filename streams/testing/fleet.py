"""Several processes of one role that come and go: for rebalance storms and rolling restarts."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from streams.runtime.supervise import Child, Supervisor


class Fleet:
    """Members by name. Each has an instance id and a disk of its own, which stay when it leaves; who comes back under
    its name finds them. `arguments`: those of `sluice run`; `environment`: SLUICE_* that all members share."""

    def __init__(self, place: Path, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        self._tree = Supervisor(place / "logs")
        self._arguments = arguments
        self._environment = {**environment, "SLUICE_STATE_DIR": str(place / "state")}
        self._leaving: set[str] = set()
        self.exits: list[tuple[str, int]] = []  # of those that were asked to leave
        self.ended: list[tuple[str, int]] = []  # of those that ended on their own; they are started again

    def join(self, name: str) -> None:
        """Start a member that does not run."""
        command = [sys.executable, "-m", "streams.cli.main", "run", *self._arguments]
        self._tree.start(name, command, {**self._environment, "SLUICE_INSTANCE_ID": name})

    def leave(self, name: str) -> None:
        """SIGTERM; `watch` notes its end."""
        self._leaving.add(name)
        self._send(name, signal.SIGTERM)

    def kill(self, name: str) -> None:
        """SIGKILL; it is gone."""
        self._send(name, signal.SIGKILL)
        self._tree.end([name])

    def watch(self) -> None:
        """Note who has ended, and start again who was not meant to. Call it often."""
        for name, child in list(self._tree.children.items()):
            if child.alive or child.process is None:
                continue
            code = child.process.wait()
            self._tree.end([name])
            if name in self._leaving:
                self._leaving.remove(name)
                self.exits.append((name, code))
            else:
                self.ended.append((name, code))
                self.join(name)

    def stop(self, grace: float = 30.0) -> None:
        """SIGTERM to all, SIGKILL after `grace` seconds; their exit codes are noted."""
        self.watch()
        self.exits += self._tree.stop(grace).items()
        self._leaving.clear()

    @property
    def working(self) -> list[str]:
        """Members that run and were not asked to leave."""
        return [name for name in self._tree.children if name not in self._leaving]

    @property
    def leaving(self) -> frozenset[str]:
        """Members that were asked to leave and have not ended yet."""
        return frozenset(self._leaving)

    def child(self, name: str) -> Child:
        """The process of a member that runs. Raises KeyError."""
        return self._tree.children[name]

    def _send(self, name: str, number: signal.Signals) -> None:
        process = self.child(name).process
        if process is not None:
            process.send_signal(number)
