"""Versions, folders and the choices a caller has. Nothing here touches a process or the network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

KAFKA_VERSION = "4.3.0"
SCALA_VERSION = "2.13"
LOG4J_VERSION = "2.25.2"
REGISTRY_VERSION = "3.3.3"

HOST = "127.0.0.1"
DEFAULT_KAFKA_PORT = 19092
DEFAULT_REGISTRY_PORT = 18080
DEFAULT_DIRECTORY = Path(".sluice/stack")
CONFLUENT_API = "/apis/ccompat/v7"

REGISTRY = "registry"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where clients connect: the two values every command of Sluice takes."""

    bootstrap: str
    """Value of `bootstrap.servers`."""
    registry: str
    """URL of the registry's Confluent API, as `SchemaRegistryClient` takes it."""


@dataclass(frozen=True, slots=True)
class StackOptions:
    """What a caller may choose. None means: as the data folder remembers it, else the default."""

    directory: Path = DEFAULT_DIRECTORY
    brokers: int | None = None
    """Number of combined broker and controller nodes; 3 for fault tests."""
    kafka_port: int | None = None
    """Port of broker 1; broker n listens 2(n-1) higher, its controller one above that. 0: any free ports."""
    registry_port: int | None = None
    """0: any free port."""
    kafka_heap_mib: int = 512
    registry_heap_mib: int = 256
    log_level: str = "INFO"
    ready_timeout: float = 120.0  # In seconds; recovery after SIGKILL takes 40 s with 1,500 partition logs
    stop_timeout: float = 15.0  # In seconds, from SIGTERM to SIGKILL


def broker_name(node: int) -> str:
    """The name of broker `node` (counted from 1) in folders, logs and tables."""
    return f"kafka-{node}"


@dataclass(frozen=True, slots=True)
class Layout:
    """The data folder: one subfolder per process, `state.json` and a lock beside them."""

    root: Path

    @classmethod
    def of(cls, directory: Path) -> Layout:
        """The layout below `directory`, made absolute: servers run with another working directory."""
        return cls(directory.expanduser().resolve())

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def home(self, name: str) -> Path:
        return self.root / name

    def data(self, name: str) -> Path:
        return self.root / name / "data"

    def log(self, name: str) -> Path:
        return self.root / name / "server.log"

    def pid(self, name: str) -> Path:
        return self.root / name / "process.json"

    def names(self) -> list[str]:
        """Processes that have a folder here, brokers first: found on disk, so a broken state file hides none."""
        found = [path.name for path in self.root.glob("kafka-*") if path.is_dir()]
        found.sort(key=lambda name: (len(name), name))
        if self.home(REGISTRY).is_dir():
            found.append(REGISTRY)
        return found


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where jars are kept between runs: SLUICE_CACHE, else below XDG_CACHE_HOME, else ~/.cache."""
    if chosen := environ.get("SLUICE_CACHE"):
        return Path(chosen).expanduser().resolve()
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "sluice"
