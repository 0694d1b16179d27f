"""The run's part of RESULTS.md: the table with date, machine, versions and the command."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.peers.catalogue import SLUICE
from benchmarks.peers.table import Row, ratio, replaced, section
from streams.stack.layout import KAFKA_VERSION

RIVAL = "streams-eos"
HOW = (
    "The same input, oracle and machine for all, one after the other. CPU-seconds are user + system of the peer's "
    "process tree, from its first output until its last offset is committed (Bytewax commits none: until its last "
    "snapshot is written); beside it with the start of the process, and for the second half alone, from half of the "
    "outputs on, when a JIT compiler is warm. Sluice is watched by its committed offsets instead of its outputs, as in "
    "W2a. Every peer drops the last 16 ids of a key and keeps the highest version; a wrong answer gets no figures. "
    "Lines of code leave out comments and docstrings and include what the Python peers share; Sluice is configured. "
    "Stock Faust gets 200,000 events: more only takes longer."
)


def ratios(rows: Sequence[Row]) -> dict[str, float | None]:
    """How Sluice's second half compares with that of the strongest peer; None unless both ran and were right."""
    return {"second_half_to_kafka_streams_eos": ratio(rows, SLUICE, RIVAL)}


def write(results: Path, rows: Sequence[Row], options: str) -> None:
    """Replace the generated section of the file. Raises OSError, and ValueError when a marker is missing."""
    part = ratio(rows, SLUICE, RIVAL)
    against = f"Sluice's second half is {part} of that of Kafka Streams, exactly_once_v2." if part else ""
    facts = f"{datetime.now(UTC):%Y-%m-%d}, `python -m benchmarks.run peers {options}`; {machine()}.\n{HOW}"
    text = replaced(results.read_text(encoding="utf-8"), section(rows, facts, [against]))
    results.write_text(text, encoding="utf-8")


def machine() -> str:
    """Processor, system, Python and broker in a few words."""
    cores, system = os.cpu_count(), f"{platform.system()} {platform.machine()}"
    broker = "a given broker" if os.environ.get("SLUICE_BOOTSTRAP") else f"Kafka {KAFKA_VERSION} started for the run"
    return f"{cores} cores of {_processor()}, {system}, CPython {platform.python_version()}, {broker}"


def _processor() -> str:
    """As Linux names it; other systems do not say it in a file."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "an unnamed processor"
    models = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(models, "an unnamed processor")
