"""The two kinds of server in a stack, each knowing its ports, its command and what "ready" means for it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from streams.stack import kafka, probe, registry
from streams.stack.errors import ProcessDied
from streams.stack.jars import Jars
from streams.stack.layout import REGISTRY, Layout, StackOptions, broker_name
from streams.stack.process import mark
from streams.stack.state import State


@dataclass(frozen=True, slots=True)
class PortUse:
    """A port, what for, and how a user chooses another."""

    port: int
    role: str
    option: str
    variable: str


class Server(Protocol):
    """One process of the stack. `prepare` is called before each start and may block for seconds; `ready` is polled."""

    @property
    def name(self) -> str: ...

    def ports(self) -> list[PortUse]: ...

    def prepare(self, java: Path, jars: Jars) -> None: ...

    def command(self, java: Path, jars: Jars) -> list[str]: ...

    def workdir(self, jars: Jars) -> Path: ...

    def ready(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Broker:
    """A combined broker and controller."""

    node: int
    layout: Layout
    state: State
    options: StackOptions

    @property
    def name(self) -> str:
        return broker_name(self.node)

    def ports(self) -> list[PortUse]:
        """Its client port and its controller port."""
        choice = ("--kafka-port", "SLUICE_STACK_KAFKA_PORT")
        return [
            PortUse(self.state.ports.kafka[self.node - 1], f"clients of {self.name}", *choice),
            PortUse(self.state.ports.controllers[self.node - 1], f"controller of {self.name}", *choice),
        ]

    def prepare(self, java: Path, jars: Jars) -> None:
        """Write the configuration anew and format the data folder if it is empty."""
        home, data = self.layout.home(self.name), self.layout.data(self.name)
        home.mkdir(parents=True, exist_ok=True)
        properties = kafka.server_properties(self.node, self.state.ports, data)
        (home / "server.properties").write_text(properties, encoding="utf-8")
        (home / "log4j2.xml").write_text(kafka.template("log4j2.xml"), encoding="utf-8")
        if (data / "meta.properties").exists():
            return
        command = kafka.format_command(java, jars.kafka, home, self.state.cluster_id)
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode != 0:
            self.layout.log(self.name).write_text(done.stdout, encoding="utf-8")
            raise ProcessDied(
                f"formatting the data of {self.name}", self.layout.log(self.name), done.stdout.splitlines()[-15:]
            )

    def command(self, java: Path, jars: Jars) -> list[str]:
        return kafka.start_command(
            java,
            jars.kafka,
            self.layout.home(self.name),
            heap_mib=self.options.kafka_heap_mib,
            log_level=self.options.log_level,
            mark=mark(self.layout.root, self.name),
        )

    def workdir(self, jars: Jars) -> Path:
        return self.layout.home(self.name)

    def ready(self) -> bool:
        """It answers with metadata in which it is itself in service (a broker that still recovers is not)."""
        return self.node in probe.nodes_seen_by(self.state.ports.kafka[self.node - 1])


@dataclass(frozen=True, slots=True)
class Registry:
    """The schema registry, in memory."""

    layout: Layout
    state: State
    options: StackOptions

    @property
    def name(self) -> str:
        return REGISTRY

    def ports(self) -> list[PortUse]:
        return [PortUse(self.state.ports.registry, "registry", "--registry-port", "SLUICE_STACK_REGISTRY_PORT")]

    def prepare(self, java: Path, jars: Jars) -> None:
        self.layout.home(self.name).mkdir(parents=True, exist_ok=True)

    def command(self, java: Path, jars: Jars) -> list[str]:
        return registry.start_command(
            java,
            port=self.state.ports.registry,
            heap_mib=self.options.registry_heap_mib,
            log_level=self.options.log_level,
            mark=mark(self.layout.root, self.name),
        )

    def workdir(self, jars: Jars) -> Path:
        """The unpacked folder: Quarkus finds its libraries relative to it."""
        return jars.registry

    def ready(self) -> bool:
        return registry.answers(self.state.ports.registry)


def servers(layout: Layout, state: State, options: StackOptions) -> list[Server]:
    """All servers of a stack, brokers first."""
    brokers: list[Server] = [Broker(node, layout, state, options) for node in range(1, state.brokers + 1)]
    return [*brokers, Registry(layout, state, options)]
