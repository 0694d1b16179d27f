"""deploy/local/compose.yaml is the same stack, in containers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from streams.stack.kafka import container_environment, parse_properties, server_properties
from streams.stack.layout import DEFAULT_KAFKA_PORT, DEFAULT_REGISTRY_PORT
from streams.stack.state import Ports
from streams.testing.broker import KAFKA_IMAGE, REGISTRY_IMAGE

COMPOSE = Path(__file__).parents[3] / "deploy" / "local" / "compose.yaml"
NOT_SETTINGS = {"CLUSTER_ID", "KAFKA_HEAP_OPTS"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    return services


def test_kafka_in_the_container_has_the_settings_of_the_local_stack(services: dict[str, Any]) -> None:
    ports = Ports((DEFAULT_KAFKA_PORT,), (DEFAULT_KAFKA_PORT + 1,), DEFAULT_REGISTRY_PORT)
    text = server_properties(1, ports, Path("/var/lib/kafka/data"), bind="0.0.0.0")
    written = {name: value for name, value in services["kafka"]["environment"].items() if name not in NOT_SETTINGS}

    assert written == container_environment(parse_properties(text))


def test_images_are_of_the_versions_the_local_stack_runs(services: dict[str, Any]) -> None:
    assert services["kafka"]["image"] == KAFKA_IMAGE
    assert services["registry"]["image"] == REGISTRY_IMAGE


def test_ports_are_those_of_the_local_stack_and_open_to_this_computer_only(services: dict[str, Any]) -> None:
    assert services["kafka"]["ports"] == [f"127.0.0.1:{DEFAULT_KAFKA_PORT}:{DEFAULT_KAFKA_PORT}"]
    assert services["registry"]["ports"] == [f"127.0.0.1:{DEFAULT_REGISTRY_PORT}:8080"]
