"""The role under measurement, as a process of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from streams.runtime.supervise import Supervisor


@contextmanager
def role(name: str, place: Path, environment: Mapping[str, str]) -> Iterator[int]:
    """`sluice run <name>` with these SLUICE_* variables; gives its process id, and its log when SLUICE_BENCH_LOGS is
    set."""
    tree = Supervisor(place / "logs")
    child = tree.start(name, [sys.executable, "-m", "streams.cli.main", "run", name], environment)
    assert child.process is not None
    try:
        yield child.process.pid
    finally:
        tree.stop()
        if os.environ.get("SLUICE_BENCH_LOGS"):
            sys.stderr.write(child.log.read_text())
