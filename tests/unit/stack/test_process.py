"""Processes are detached, recognised, and never taken for another that inherited their pid."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from streams.stack import process
from streams.stack.errors import ProcessDied, StackError
from streams.stack.follow import Tail

MARK = "-Dsluice.stack=/somewhere:kafka-1"

Spawn = Callable[[str], Path]


@pytest.fixture
def spawn(tmp_path: Path) -> Iterator[Spawn]:
    """Runs a line of shell as a server of the stack and returns its pid file; ends what is left."""
    pid_files: list[Path] = []

    def start(script: str) -> Path:
        pid_file = tmp_path / f"process-{len(pid_files)}.json"
        log = tmp_path / "server.log"
        process.spawn(["/bin/sh", "-c", script, MARK], cwd=tmp_path, log=log, pid_file=pid_file, mark=MARK)
        pid_files.append(pid_file)
        return pid_file

    yield start
    for pid_file in pid_files:
        process.kill(pid_file)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def running(pid_file: Path) -> psutil.Process:
    found = process.find(pid_file)
    assert found is not None
    return found


def test_a_server_lives_in_a_session_of_its_own_and_is_nobodys_child_here(spawn: Spawn) -> None:
    server = running(spawn("sleep 60; :"))

    assert os.getsid(server.pid) != os.getsid(0)
    assert server.pid not in {child.pid for child in psutil.Process().children()}


def test_output_goes_to_the_log_and_the_former_log_is_kept(spawn: Spawn, tmp_path: Path) -> None:
    first = spawn("echo one")
    until(lambda: process.find(first) is None)
    second = spawn("echo two >&2")
    until(lambda: process.find(second) is None)

    assert (tmp_path / "server.log").read_text(encoding="utf-8") == "two\n"
    assert (tmp_path / "server.log.1").read_text(encoding="utf-8") == "one\n"


def test_stop_lets_a_server_end_by_itself(spawn: Spawn, tmp_path: Path) -> None:
    pid_file = spawn("trap 'echo bye; exit 0' TERM; echo on; while :; do sleep 0.02; done")
    until(lambda: process.tail(tmp_path / "server.log", 1) == ["on"])

    killed = process.stop({pid_file: running(pid_file)}, timeout=10)

    assert killed == []
    assert process.tail(tmp_path / "server.log", 1) == ["bye"]
    assert not pid_file.exists()


def test_stop_kills_a_server_that_does_not_end(spawn: Spawn, tmp_path: Path) -> None:
    pid_file = spawn("trap '' TERM; echo on; while :; do sleep 0.02; done")
    until(lambda: process.tail(tmp_path / "server.log", 1) == ["on"])

    assert process.stop({pid_file: running(pid_file)}, timeout=0.2) == [pid_file]
    assert process.find(pid_file) is None


@pytest.mark.parametrize(
    "forged",
    [
        {"started": 1000.0},
        {"mark": "-Dsluice.stack=/elsewhere:kafka-1"},
    ],
    ids=["another start time", "another command line"],
)
def test_a_recycled_pid_is_neither_found_nor_killed(spawn: Spawn, tmp_path: Path, forged: dict[str, object]) -> None:
    bystander = spawn("sleep 60; :")
    stale = tmp_path / "stale.json"
    stale.write_text(json.dumps(json.loads(bystander.read_text(encoding="utf-8")) | forged), encoding="utf-8")

    assert process.find(stale) is None
    assert process.kill(stale) is False
    assert process.find(bystander) is not None


def test_an_ended_process_is_not_found(spawn: Spawn) -> None:
    pid_file = spawn("exit 0")

    until(lambda: process.find(pid_file) is None)


def test_a_missing_pid_file_means_nothing_runs(tmp_path: Path) -> None:
    assert process.find(tmp_path / "none.json") is None


def test_a_damaged_pid_file_is_reported_and_not_guessed_at(tmp_path: Path) -> None:
    pid_file = tmp_path / "process.json"
    pid_file.write_text("{}", encoding="utf-8")

    with pytest.raises(StackError, match=r"process\.json cannot be read"):
        process.find(pid_file)


def test_the_last_words_of_a_dead_server_leave_out_stack_frames(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("first\n\njava.net.BindException: in use\n\tat a.b.C\n\t... 4 more\n", encoding="utf-8")

    words = process.last_words(log, 15)

    assert words == ["first", "java.net.BindException: in use"]
    assert "in use" in str(ProcessDied("kafka-1", log, words))


@pytest.mark.parametrize(("lines", "expected"), [(0, []), (2, ["b", "c"]), (9, ["a", "b", "c"])])
def test_tail_gives_the_last_lines(tmp_path: Path, lines: int, expected: list[str]) -> None:
    log = tmp_path / "server.log"
    log.write_text("a\nb\nc\n", encoding="utf-8")

    assert process.tail(log, lines) == expected
    assert process.tail(tmp_path / "none.log", lines) == []


def test_following_a_log_goes_on_in_the_file_of_the_restarted_server(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("old\n", encoding="utf-8")
    tail = Tail(log)

    with log.open("a", encoding="utf-8") as file:
        file.write("whole\nhalf")
    assert tail.lines() == ["whole"]
    assert tail.lines() == []
    log.rename(tmp_path / "server.log.1")
    assert tail.lines() == []
    log.write_text("restarted\n", encoding="utf-8")
    assert tail.lines() == ["restarted"]
