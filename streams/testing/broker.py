"""The one switch that decides which Kafka and which registry tests run against.

In this order: addresses that were given, containers where a Docker engine answers, else the local stack.
`SLUICE_BROKER` forces one of the three. Which one was taken is said on standard error: a test that fails on one of them
only is a find.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast, get_args

from streams.stack import kafka, probe, registry
from streams.stack.layout import KAFKA_VERSION, REGISTRY_VERSION, Endpoints, StackOptions
from streams.stack.ports import free_ports
from streams.stack.stack import LocalStack
from streams.stack.state import Ports

__all__ = ["BrokerChoiceError", "Endpoints", "Source", "choose", "docker_answers", "endpoints"]

Source = Literal["given", "docker", "local"]

KAFKA_IMAGE = f"apache/kafka:{KAFKA_VERSION}"
REGISTRY_IMAGE = f"apicurio/apicurio-registry:{REGISTRY_VERSION}"
PING = "from testcontainers.core.docker_client import DockerClient; DockerClient().client.ping()"
CONTAINER_TIMEOUT = 120.0  # In seconds, from the start of a container until it serves; pulling its image comes before


class BrokerChoiceError(Exception):
    """The variables contradict each other, or the forced choice is not to be had."""


@contextmanager
def endpoints(environ: Mapping[str, str] = os.environ) -> Iterator[Endpoints]:
    """A Kafka and a registry that serve, for as long as the block lasts. May block for a minute at the first use."""
    source = choose(environ)
    starters = {"given": _given, "docker": _containers, "local": _local}
    with starters[source](environ) as where:
        sys.stderr.write(f"broker: {source}, Kafka {where.bootstrap}, registry {where.registry}\n")
        yield where


def docker_answers() -> bool:
    """Whether testcontainers is installed and reaches a Docker engine.

    Asked in another process: where none answers, the Docker client leaves its socket to the garbage collector, and the
    warning about that would fail whichever test runs then.
    """
    try:
        done = subprocess.run([sys.executable, "-c", PING], capture_output=True, timeout=10.0, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def choose(environ: Mapping[str, str], docker: Callable[[], bool] = docker_answers) -> Source:
    """Which of the three it is. Raises `BrokerChoiceError` rather than taking another one than was meant."""
    given = [name for name in ("SLUICE_BOOTSTRAP", "SLUICE_REGISTRY") if environ.get(name)]
    forced = environ.get("SLUICE_BROKER")
    if forced and forced not in get_args(Source):
        raise BrokerChoiceError(f"SLUICE_BROKER={forced} is none of {', '.join(get_args(Source))}")
    if forced in (None, "", "given") and len(given) == 1:
        raise BrokerChoiceError(f"{given[0]} is set alone; SLUICE_BOOTSTRAP and SLUICE_REGISTRY go together")
    if forced == "given" and not given:
        raise BrokerChoiceError("SLUICE_BROKER=given needs SLUICE_BOOTSTRAP and SLUICE_REGISTRY")
    if forced == "docker" and not docker():
        raise BrokerChoiceError("SLUICE_BROKER=docker, but no Docker engine answers")
    if forced:
        return cast("Source", forced)
    if given:
        return "given"
    return "docker" if docker() else "local"


@contextmanager
def _given(environ: Mapping[str, str]) -> Iterator[Endpoints]:
    yield Endpoints(environ["SLUICE_BOOTSTRAP"], environ["SLUICE_REGISTRY"])


@contextmanager
def _local(environ: Mapping[str, str]) -> Iterator[Endpoints]:
    """A stack of its own on free ports; nothing of it remains."""
    with tempfile.TemporaryDirectory(prefix="sluice-stack-") as folder:
        options = StackOptions(directory=Path(folder), kafka_port=0, registry_port=0, stop_timeout=5.0)
        stack = LocalStack(options, report=lambda message: _say(f"broker: {message}"))
        try:
            yield stack.up()
        finally:
            stack.reset()


def _say(message: str) -> None:
    sys.stderr.write(f"{message}\n")


@contextmanager
def _containers(environ: Mapping[str, str]) -> Iterator[Endpoints]:
    """Both servers in containers that are removed at the end."""
    # Chosen in advance, not by Docker: a broker has to be told the address under which clients reach it.
    port = free_ports(1)[0]
    kafka_container = _container(KAFKA_IMAGE)
    host = str(kafka_container.get_docker_client().host())
    kafka_container.with_envs(**kafka_environment(host, port)).with_bind_ports(port, port)
    registry_container = _container(REGISTRY_IMAGE).with_envs(JAVA_OPTS_APPEND="-Xmx256m").with_exposed_ports(8080)
    with kafka_container, registry_container:
        registry_port = int(registry_container.get_exposed_port(8080))
        _wait(KAFKA_IMAGE, lambda: bool(probe.nodes_seen_by(port, host=host)))
        _wait(REGISTRY_IMAGE, lambda: registry.answers(registry_port, host=host))
        yield Endpoints(f"{host}:{port}", registry.url(registry_port, host))


def kafka_environment(host: str, port: int) -> dict[str, str]:
    """The settings of the local stack, as the image takes them."""
    ports = Ports(kafka=(port,), controllers=(port + 1,), registry=0)
    text = kafka.server_properties(1, ports, Path("/var/lib/kafka/data"), host=host, bind="0.0.0.0")
    settings = kafka.container_environment(kafka.parse_properties(text))
    return {"CLUSTER_ID": kafka.new_cluster_id(), "KAFKA_HEAP_OPTS": "-Xms512m -Xmx512m", **settings}


def _container(image: str) -> Any:
    from testcontainers.core.container import DockerContainer  # only those who run tests have it

    return DockerContainer(image)


def _wait(what: str, ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + CONTAINER_TIMEOUT
    while not ready():
        if time.monotonic() > deadline:
            raise BrokerChoiceError(f"the container of {what} does not serve after {CONTAINER_TIMEOUT:.0f} s")
        time.sleep(0.2)
