"""`sluice stack` as a user runs it: real processes, one after the other, beside another stack."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from streams.testing.broker import Endpoints

pytestmark = pytest.mark.broker


def sluice(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from streams.cli.main import main; main()", "stack", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


def status(folder: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(sluice("status", "--dir", folder, "--json").stdout)
    return answer


def test_up_status_logs_down_up_reset(endpoints: Endpoints, tmp_path: Path, jar_cache: Path) -> None:
    folder = tmp_path / "stack"
    try:
        first = sluice("up", "--dir", folder, "--ports", "auto", "--cache", jar_cache)
        assert first.returncode == 0, first.stderr
        assert "ready after" in first.stderr
        exports = dict(line.removeprefix("export ").split("=", 1) for line in first.stdout.splitlines())
        assert exports["SLUICE_BOOTSTRAP"] != endpoints.bootstrap

        again = sluice("up", "--dir", folder, "--cache", jar_cache)
        assert (again.returncode, again.stdout) == (0, first.stdout)
        assert "already running: kafka-1, registry" in again.stderr

        up = status(folder)
        assert up["ready"] is True
        assert up["endpoints"] == {"bootstrap": exports["SLUICE_BOOTSTRAP"], "registry": exports["SLUICE_REGISTRY"]}
        table = sluice("status", "--dir", folder)
        assert table.returncode == 0
        assert "kafka-1" in table.stdout
        assert "Kafka Server started" in sluice("logs", "kafka", "--dir", folder).stdout

        assert sluice("down", "--dir", folder).stdout == "stopped: kafka-1, registry\n"
        assert sluice("status", "--dir", folder).returncode == 1
        assert not any(psutil.pid_exists(server["pid"]) and alive(server["pid"]) for server in up["servers"])

        assert sluice("up", "--dir", folder, "--cache", jar_cache).stdout == first.stdout
    finally:
        reset = sluice("reset", "--dir", folder)
    assert f"deleted {folder.resolve() / 'kafka-1'}" in reset.stdout
    assert [path.name for path in folder.iterdir()] == ["lock"]


def alive(pid: int) -> bool:
    return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
