"""Configuration text and command lines of the local stack."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from streams.stack import jars, kafka, registry
from streams.stack.layout import KAFKA_VERSION, LOG4J_VERSION, cache_folder
from streams.stack.state import Ports

ONE = Ports(kafka=(19092,), controllers=(19093,), registry=18080)
THREE = Ports(kafka=(19092, 19094, 19096), controllers=(19093, 19095, 19097), registry=18080)


def settings(node: int, ports: Ports) -> dict[str, str]:
    return kafka.parse_properties(kafka.server_properties(node, ports, Path("/data/here")))


def test_one_broker_keeps_one_copy_of_its_internal_topics() -> None:
    one = settings(1, ONE)

    assert one["offsets.topic.replication.factor"] == "1"
    assert one["transaction.state.log.min.isr"] == "1"
    assert one["controller.quorum.voters"] == "1@127.0.0.1:19093"
    assert one["listeners"] == "PLAINTEXT://127.0.0.1:19092,CONTROLLER://127.0.0.1:19093"
    assert one["log.dirs"] == "/data/here"


def test_three_brokers_keep_three_copies_and_may_lose_one() -> None:
    second = settings(2, THREE)

    assert second["node.id"] == "2"
    for name in ("offsets.topic", "transaction.state.log", "share.coordinator.state.topic"):
        assert second[f"{name}.replication.factor"] == "3"
    assert second["transaction.state.log.min.isr"] == "2"
    assert second["share.coordinator.state.topic.min.isr"] == "2"
    assert second["min.insync.replicas"] == "2"
    assert second["advertised.listeners"] == "PLAINTEXT://127.0.0.1:19094"


def test_all_brokers_agree_on_the_voters() -> None:
    voters = {settings(node, THREE)["controller.quorum.voters"] for node in (1, 2, 3)}

    assert voters == {"1@127.0.0.1:19093,2@127.0.0.1:19095,3@127.0.0.1:19097"}


def test_topics_are_never_created_by_accident_and_records_of_8_mib_fit() -> None:
    one = settings(1, ONE)

    assert one["auto.create.topics.enable"] == "false"
    assert int(one["message.max.bytes"]) > 8 * 2**20
    assert int(one["replica.fetch.max.bytes"]) >= int(one["message.max.bytes"])


def test_settings_become_variables_of_the_container_image() -> None:
    assert kafka.container_environment({"log.dirs": "/x", "node.id": "1"}) == {
        "KAFKA_LOG_DIRS": "/x",
        "KAFKA_NODE_ID": "1",
    }


def test_cluster_ids_have_22_characters_and_are_never_taken_for_an_option() -> None:
    for _ in range(500):
        identifier = kafka.new_cluster_id()
        assert len(identifier) == 22
        assert not identifier.startswith("-")


def test_heap_level_and_mark_reach_the_command_line_of_kafka() -> None:
    command = kafka.start_command(Path("/java"), Path("/jars"), Path("/c"), heap_mib=300, log_level="WARN", mark="-Dm")

    assert {"-Xms300m", "-Xmx300m", "-Dm", "-Dsluice.log.level=WARN"} <= set(command)
    assert command[0] == "/java"
    assert command[-2:] == ["kafka.Kafka", "/c/server.properties"]


def test_the_registry_listens_on_its_port_and_on_no_fixed_one_besides() -> None:
    command = registry.start_command(Path("/java"), port=18080, heap_mib=200, log_level="INFO", mark="-Dm")

    assert {"-Xmx200m", "-Dquarkus.http.port=18080", "-Dquarkus.http.host=127.0.0.1", "-Dm"} <= set(command)
    assert "-Dquarkus.management.port=0" in command


def test_the_pom_names_the_versions_and_is_well_formed() -> None:
    text = jars.pom()
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    found = {
        (entry.findtext("m:artifactId", "", space), entry.findtext("m:version", "", space))
        for entry in ET.fromstring(text).iterfind("m:dependencies/m:dependency", space)
    }

    assert ("kafka_2.13", KAFKA_VERSION) in found
    assert ("log4j-slf4j-impl", LOG4J_VERSION) in found
    assert "${" not in text


def test_the_log_configuration_is_shipped_and_well_formed() -> None:
    assert ET.fromstring(kafka.template("log4j2.xml")).tag == "Configuration"


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"SLUICE_CACHE": "/a/b", "XDG_CACHE_HOME": "/c"}, Path("/a/b")),
        ({"XDG_CACHE_HOME": "/c"}, Path("/c/sluice")),
        ({}, Path.home() / ".cache/sluice"),
    ],
)
def test_the_cache_is_where_the_variables_say(environ: dict[str, str], folder: Path) -> None:
    assert cache_folder(environ) == folder
