"""Processes that end are started again, with a pause that grows while they keep ending."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from streams.runtime.supervise import FIRST_PAUSE, Supervisor

FOREVER = [sys.executable, "-c", "import time; time.sleep(600)"]
AT_ONCE = [sys.executable, "-c", "raise SystemExit(3)"]


class Time:
    """Moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _ended(tree: Supervisor, name: str) -> None:
    process = tree.children[name].process
    assert process is not None
    process.wait(20)


def test_a_process_that_ends_is_started_again_after_a_pause_that_doubles(tmp_path: Path) -> None:
    clock = Time()
    tree = Supervisor(tmp_path, clock)
    child = tree.start("role", AT_ONCE)
    pauses = []
    for _ in range(3):
        _ended(tree, "role")
        tree.watch()
        assert child.due is not None
        pauses.append(round(child.due - clock.now, 6))
        clock.now = child.due
        tree.watch()
    assert pauses == [FIRST_PAUSE * 2, FIRST_PAUSE * 4, FIRST_PAUSE * 8]
    assert (child.restarts, child.exits) == (3, [3, 3, 3])
    _ended(tree, "role")
    tree.stop()


def test_a_killed_process_comes_back_at_once_and_a_stopped_one_does_not(tmp_path: Path) -> None:
    clock = Time()
    tree = Supervisor(tmp_path, clock)
    child = tree.start("role", FOREVER)
    tree.kill("role")
    tree.watch()
    assert child.due == clock.now + FIRST_PAUSE
    clock.now += FIRST_PAUSE
    tree.watch()
    assert child.alive
    assert tree.stop()["role"] < 0
    tree.watch()
    assert not child.alive


def test_a_process_that_ignores_the_signal_is_killed_after_the_grace(tmp_path: Path) -> None:
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    tree = Supervisor(tmp_path)
    child = tree.start("role", [sys.executable, "-c", deaf])
    deadline = time.monotonic() + 20
    while b"up" not in child.log.read_bytes() and time.monotonic() < deadline:
        pass
    assert tree.stop(grace=0.2)["role"] == -9
