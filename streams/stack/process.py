"""Detached processes, remembered by pid and start time so that a recycled pid is never taken for ours."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from streams.stack.errors import StackError
from streams.stack.state import write_json

# In seconds. The start time of a process moves a little when the system's clock is set.
START_TIME_TOLERANCE = 2.0

# The shell ends at once and leaves the server to init: nobody here has to wait for it and it never becomes our zombie.
_DETACH = 'log=$1; shift; exec "$@" </dev/null >"$log" 2>&1 & echo $!'


@dataclass(frozen=True, slots=True)
class Record:
    """The content of a pid file."""

    pid: int
    started: float
    mark: str
    """An argument of the command line that only this process of this stack has."""


def mark(root: Path, name: str) -> str:
    """A Java system property that names the process: Java ignores it, we recognise it."""
    return f"-Dsluice.stack={root}:{name}"


def spawn(argv: list[str], *, cwd: Path, log: Path, pid_file: Path, mark: str) -> Record:
    """Start `argv` in a session of its own, its output in `log`, and write the pid file."""
    if log.exists():
        log.replace(log.with_name(log.name + ".1"))  # the log of the former run is often the interesting one
    done = subprocess.run(
        ["/bin/sh", "-c", _DETACH, "sh", str(log), *argv],
        cwd=cwd,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    pid = int(done.stdout)
    try:
        started = psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        started = 0.0  # gone already; `find` says so and the caller shows the log
    record = Record(pid, started, mark)
    write_json(pid_file, asdict(record))
    return record


def find(pid_file: Path) -> psutil.Process | None:
    """The living process a pid file speaks of; None if it ended, even when its pid is in use by another."""
    try:
        raw = json.loads(pid_file.read_text(encoding="utf-8"))
        record = Record(int(raw["pid"]), float(raw["started"]), str(raw["mark"]))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StackError(
            f"{pid_file} cannot be read ({error!r}); look for a left-over `java` and delete it."
        ) from error
    try:
        process = psutil.Process(record.pid)
        alive = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        ours = abs(process.create_time() - record.started) <= START_TIME_TOLERANCE and _carries(process, record.mark)
    except psutil.Error:
        return None
    return process if alive and ours else None


def _carries(process: psutil.Process, mark: str) -> bool:
    """Whether `mark` is on the command line. Before exec that is still the shell's, which carries it too."""
    return mark in process.cmdline()


def stop(processes: dict[Path, psutil.Process], *, timeout: float) -> list[Path]:
    """SIGTERM to all, SIGKILL to those that remain after `timeout` seconds. Returns the pid files of the killed."""
    for process in processes.values():
        _send(process, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    left = dict(processes)
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {path: process for path, process in left.items() if not _gone(process)}
    for process in left.values():
        _send(process, signal.SIGKILL)
    for path, process in processes.items():
        _wait_gone(process)
        path.unlink(missing_ok=True)
    return list(left)


def kill(pid_file: Path) -> bool:
    """SIGKILL, and wait until it is gone. False when there was nobody to kill."""
    process = find(pid_file)
    if process is None:
        return False
    _send(process, signal.SIGKILL)
    _wait_gone(process)
    pid_file.unlink(missing_ok=True)
    return True


def _gone(process: psutil.Process) -> bool:
    """Whether the process holds no port any more.

    A zombie counts only when its last thread has ended: the first thread of a killed Java is a zombie while the others
    still close its sockets.
    """
    try:
        return not process.is_running() or (process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1)
    except psutil.NoSuchProcess:  # includes a zombie of which nothing can be read
        return True


def _wait_gone(process: psutil.Process, timeout: float = 10.0) -> None:
    """Wait for the end of a process that was told to end."""
    deadline = time.monotonic() + timeout
    while not _gone(process):
        if time.monotonic() > deadline:
            raise StackError(f"process {process.pid} does not end, not even on SIGKILL")
        time.sleep(0.02)


def _send(process: psutil.Process, number: signal.Signals) -> None:
    """Signal a process that was just verified; psutil checks the start time once more before it sends."""
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def last_words(log: Path, lines: int) -> list[str]:
    """The last `lines` lines of the log of a dead server that say something: without stack frames and empty lines."""
    frames = ("\tat ", "\t... ", "at ")
    return [line for line in tail(log, 1000) if line.strip() and not line.startswith(frames)][-lines:]


def tail(log: Path, lines: int) -> list[str]:
    """The last `lines` lines of a log, reading no more than its last 256 KiB."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 262_144))
            text = file.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    return text.splitlines()[-lines:] if lines > 0 else []
