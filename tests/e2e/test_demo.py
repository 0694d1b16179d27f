"""`sluice demo` as a new user runs it, only shorter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streams.stack import Endpoints


@pytest.mark.broker
@pytest.mark.timeout(300)
def test_the_demo_ends_with_a_verdict_without_violations_and_an_explanation(
    endpoints: Endpoints, tmp_path: Path
) -> None:
    environment = {**os.environ, "SLUICE_BOOTSTRAP": endpoints.bootstrap, "SLUICE_REGISTRY": endpoints.registry}
    command = [sys.executable, "-m", "streams.cli.main", "demo", "--seconds", "12", "--skus", "20"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "FAIL" not in done.stdout
    assert "WINNER" in done.stdout
