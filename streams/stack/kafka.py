"""Kafka's configuration and command lines: text in, text out."""

from __future__ import annotations

import base64
import uuid
from importlib.resources import files
from pathlib import Path
from string import Template

from streams.stack.layout import HOST
from streams.stack.state import Ports


def template(name: str) -> str:
    """A file shipped in `streams/stack/files`."""
    return (files("streams.stack") / "files" / name).read_text(encoding="utf-8")


def new_cluster_id() -> str:
    """22 characters of URL-safe base64, as Kafka writes its identifiers."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        if not text.startswith("-"):  # StorageTool would take it for an option
            return text


def replication(brokers: int) -> tuple[int, int]:
    """Replication factor and min.insync.replicas: three copies of which one may be lost, given brokers enough."""
    return (3, 2) if brokers >= 3 else (1, 1)


def server_properties(node: int, ports: Ports, data: Path, *, host: str = HOST, bind: str = HOST) -> str:
    """The text of server.properties of broker `node`, counted from 1."""
    factor, min_isr = replication(len(ports.kafka))
    voters = ",".join(f"{index}@{HOST}:{port}" for index, port in enumerate(ports.controllers, start=1))
    return Template(template("server.properties")).substitute(
        node=node,
        voters=voters,
        host=host,
        bind=bind,
        port=ports.kafka[node - 1],
        controller_port=ports.controllers[node - 1],
        data=data.as_posix(),
        replication=factor,
        min_isr=min_isr,
    )


def parse_properties(text: str) -> dict[str, str]:
    """The settings of a properties file without escapes or continuation lines, which ours never has."""
    lines = (line.strip() for line in text.splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def container_environment(settings: dict[str, str]) -> dict[str, str]:
    """The same settings as variables of the image `apache/kafka`: log.dirs becomes KAFKA_LOG_DIRS."""
    return {"KAFKA_" + name.upper().replace(".", "_"): value for name, value in settings.items()}


def format_command(java: Path, jars: Path, config: Path, cluster_id: str) -> list[str]:
    """Prepare an empty data folder. C1 only: the tool lives for a second, optimising it costs more than it gives."""
    return [
        str(java),
        "-Xmx128m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",
        "-Dsluice.log.level=WARN",
        f"-Dlog4j2.configurationFile={config / 'log4j2.xml'}",
        "-cp",
        f"{jars}/*",
        "kafka.tools.StorageTool",
        "format",
        "--cluster-id",
        cluster_id,
        "--config",
        str(config / "server.properties"),
    ]


def start_command(java: Path, jars: Path, config: Path, *, heap_mib: int, log_level: str, mark: str) -> list[str]:
    """Run a broker in the foreground. `mark` lets a later call recognise the process as ours."""
    return [
        str(java),
        f"-Xms{heap_mib}m",
        f"-Xmx{heap_mib}m",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "--sun-misc-unsafe-memory-access=allow",  # else Java warns at each start of what Kafka does by design
        mark,
        f"-Dsluice.log.level={log_level}",
        f"-Dlog4j2.configurationFile={config / 'log4j2.xml'}",
        "-cp",
        f"{jars}/*",
        "kafka.Kafka",
        str(config / "server.properties"),
    ]
