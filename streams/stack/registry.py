"""The registry's command line and its readiness: Apicurio in memory, spoken to through the Confluent API."""

from __future__ import annotations

import http.client
from pathlib import Path

from streams.stack.layout import CONFLUENT_API, HOST


def start_command(java: Path, *, port: int, heap_mib: int, log_level: str, mark: str) -> list[str]:
    """Run the registry in the foreground, from the unpacked folder. It forgets its schemas when it stops."""
    return [
        str(java),
        f"-Xmx{heap_mib}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # its throughput matters to nobody here, its start does
        "-XX:+ExitOnOutOfMemoryError",
        mark,
        f"-Dquarkus.http.host={HOST}",
        f"-Dquarkus.http.port={port}",
        # Its health and metrics port is 9000 on all interfaces by default: a second stack would die of it.
        f"-Dquarkus.management.host={HOST}",
        "-Dquarkus.management.port=0",
        f"-Dquarkus.log.level={log_level}",
        "-Dquarkus.http.access-log.enabled=false",
        "-Dquarkus.banner.enabled=false",
        "-jar",
        "quarkus-run.jar",
    ]


def url(port: int, host: str = HOST) -> str:
    """The address `SchemaRegistryClient` takes."""
    return f"http://{host}:{port}{CONFLUENT_API}"


def answers(port: int, *, host: str = HOST, timeout: float = 2.0) -> bool:
    """Whether the Confluent API lists its subjects. http.client on purpose: urllib would obey a proxy variable."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", f"{CONFLUENT_API}/subjects")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
