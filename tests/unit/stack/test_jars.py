"""The cache of jars: filled once, whole or not at all."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streams.stack import jars
from streams.stack.errors import FetchFailed, MavenMissing


def fill(folder: Path) -> None:
    (folder / "a.jar").write_text("a", encoding="utf-8")


def fail(folder: Path) -> None:
    fill(folder)
    raise FetchFailed("a.jar", "no route")


def refuse(folder: Path) -> None:
    pytest.fail(f"{folder} was filled although the cache had it")


FILL_SLOWLY = """
import sys, time
from pathlib import Path
from streams.stack import jars

cache, trace = map(Path, sys.argv[1:])

def fill(folder):
    with trace.open("a") as file:
        file.write("filled\\n")
    time.sleep(0.3)
    (folder / "a.jar").touch()

assert (jars.cached(cache, "kafka-1", fill) / "a.jar").exists()
"""


def test_a_folder_is_filled_once(tmp_path: Path) -> None:
    first = jars.cached(tmp_path, "kafka-1", fill)

    assert jars.cached(tmp_path, "kafka-1", refuse) == first
    assert (first / "a.jar").exists()


def test_a_failed_fetch_leaves_nothing_that_looks_complete(tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match="no route"):
        jars.cached(tmp_path, "kafka-1", fail)

    assert [path.name for path in tmp_path.iterdir()] == ["kafka-1.lock"]
    assert jars.cached(tmp_path, "kafka-1", fill).is_dir()


def test_what_a_dead_process_left_half_done_is_swept_away(tmp_path: Path) -> None:
    leftover = tmp_path / ".kafka-1.abc"
    leftover.mkdir()
    fail_partly = leftover / "half.jar"
    fail_partly.write_text("h", encoding="utf-8")

    jars.cached(tmp_path, "kafka-1", fill)

    assert not leftover.exists()


def test_another_version_is_another_folder(tmp_path: Path) -> None:
    assert jars.cached(tmp_path, "kafka-1", fill) != jars.cached(tmp_path, "kafka-2", fill)


def test_two_processes_fill_the_cache_once(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    command = [sys.executable, "-c", FILL_SLOWLY, str(tmp_path / "cache"), str(trace)]
    with subprocess.Popen(command) as first, subprocess.Popen(command) as second:
        assert (first.wait(timeout=30), second.wait(timeout=30)) == (0, 0)

    assert trace.read_text(encoding="utf-8") == "filled\n"


def test_without_maven_the_message_names_it_and_both_ways_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MavenMissing, match="needed once") as caught:
        jars.ensure_jars(tmp_path / "cache", lambda message: None)
    assert "apt-get install maven" in str(caught.value)
    assert "brew install maven" in str(caught.value)


def test_with_the_jars_in_the_cache_maven_is_not_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for key in (jars.KAFKA_KEY, jars.REGISTRY_KEY):
        (tmp_path / key).mkdir()

    found = jars.ensure_jars(tmp_path, pytest.fail)

    assert found.kafka == tmp_path / jars.KAFKA_KEY
    assert found.registry == tmp_path / jars.REGISTRY_KEY


def test_what_maven_said_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\necho 'Could not transfer artifact'\nexit 1\n", encoding="utf-8")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    with pytest.raises(FetchFailed, match="Could not transfer artifact"):
        jars.ensure_jars(tmp_path / "cache", lambda message: None)


def test_a_fetch_that_claims_success_without_the_jar_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    maven = tmp_path / "mvn"
    maven.write_text("#!/bin/sh\nexit 0\n", encoding="utf-8")
    maven.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    with pytest.raises(FetchFailed, match="did not arrive"):
        jars.ensure_jars(tmp_path / "cache", lambda message: None)
    assert not (tmp_path / "cache" / jars.KAFKA_KEY).exists()
