"""Which broker tests run against."""

from __future__ import annotations

import pytest

from streams.testing.broker import BrokerChoiceError, Source, choose, endpoints, kafka_environment

GIVEN = {"SLUICE_BOOTSTRAP": "kafka:9092", "SLUICE_REGISTRY": "http://registry"}


@pytest.mark.parametrize(
    ("environ", "docker", "expected"),
    [
        (GIVEN, True, "given"),
        ({}, True, "docker"),
        ({}, False, "local"),
        ({**GIVEN, "SLUICE_BROKER": "local"}, True, "local"),
        ({**GIVEN, "SLUICE_BROKER": "docker"}, True, "docker"),
        ({**GIVEN, "SLUICE_BROKER": "given"}, False, "given"),
    ],
)
def test_given_addresses_come_first_then_docker_then_the_local_stack(
    environ: dict[str, str], docker: bool, expected: Source
) -> None:
    assert choose(environ, docker=lambda: docker) == expected


@pytest.mark.parametrize(
    ("environ", "complaint"),
    [
        ({"SLUICE_BROKER": "cloud"}, "none of given, docker, local"),
        ({"SLUICE_BROKER": "given"}, "needs SLUICE_BOOTSTRAP and SLUICE_REGISTRY"),
        ({"SLUICE_BROKER": "docker"}, "no Docker engine answers"),
        ({"SLUICE_BOOTSTRAP": "kafka:9092"}, "SLUICE_BOOTSTRAP is set alone"),
        ({"SLUICE_REGISTRY": "http://registry"}, "SLUICE_REGISTRY is set alone"),
    ],
)
def test_a_choice_that_cannot_be_meant_is_refused(environ: dict[str, str], complaint: str) -> None:
    with pytest.raises(BrokerChoiceError, match=complaint):
        choose(environ, docker=lambda: False)


def test_given_addresses_are_passed_through_and_named_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    with endpoints(GIVEN) as where:
        assert (where.bootstrap, where.registry) == ("kafka:9092", "http://registry")

    assert capsys.readouterr().err == "broker: given, Kafka kafka:9092, registry http://registry\n"


def test_the_container_advertises_the_address_clients_reach_it_under() -> None:
    environment = kafka_environment("docker.host", 25_000)

    assert environment["KAFKA_ADVERTISED_LISTENERS"] == "PLAINTEXT://docker.host:25000"
    assert environment["KAFKA_LISTENERS"] == "PLAINTEXT://0.0.0.0:25000,CONTROLLER://0.0.0.0:25001"
    assert environment["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
