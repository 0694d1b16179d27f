"""The local stack with one broker: it serves, survives a crash, and says what is wrong when it cannot start."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient

from streams.stack import Endpoints, LocalStack, StackOptions
from streams.stack.errors import ProcessDied, StackError
from streams.stack.stack import StackStatus

from .helpers import consume, create_topic, produce, registry_call

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, jar_cache: Path) -> Iterator[LocalStack]:
    options = StackOptions(directory=tmp_path_factory.mktemp("stack"), kafka_port=0, registry_port=0)
    stack = LocalStack(options, cache=jar_cache)
    stack.up()
    yield stack
    stack.reset()


@pytest.fixture
def where(stack: LocalStack) -> Endpoints:
    return stack.endpoints()


def pids(status: StackStatus) -> dict[str, int | None]:
    return {server.name: server.pid for server in status.servers}


def test_status_shows_both_servers_ready_with_their_pids_and_memory(stack: LocalStack) -> None:
    now = stack.status()

    assert now.ready
    assert [server.name for server in now.servers] == ["kafka-1", "registry"]
    for server in now.servers:
        assert server.pid
        assert server.rss_bytes
        assert server.rss_bytes > 50 * 2**20
        assert server.uptime_seconds is not None


def test_a_record_of_8_mib_goes_in_and_comes_out(where: Endpoints) -> None:
    record = os.urandom(8 * 2**20)
    create_topic(where.bootstrap, "large")
    produce(where.bootstrap, "large", record)

    assert consume(where.bootstrap, "large", 1) == [record]


def test_the_registry_takes_a_schema_and_refuses_an_incompatible_one(where: Endpoints) -> None:
    before = '{"type": "record", "name": "R", "fields": [{"name": "a", "type": "string"}]}'
    after = '{"type": "record", "name": "R", "fields": [{"name": "b", "type": "string"}]}'
    status, made = registry_call(where.registry, "POST", "/subjects/orders-value/versions", {"schema": before})
    assert status == 200
    assert json.loads(registry_call(where.registry, "GET", f"/schemas/ids/{made['id']}")[1]["schema"]) == json.loads(
        before
    )

    registry_call(where.registry, "PUT", "/config/orders-value", {"compatibility": "FULL_TRANSITIVE"})
    status, _ = registry_call(where.registry, "POST", "/subjects/orders-value/versions", {"schema": after})
    assert status == 409


def test_a_topic_nobody_made_does_not_come_into_being(where: Endpoints) -> None:
    admin = AdminClient({"bootstrap.servers": where.bootstrap})
    with pytest.raises(KafkaException):
        produce_to_unknown_topic(where.bootstrap)

    assert "misspelt" not in admin.list_topics(timeout=10).topics


def produce_to_unknown_topic(bootstrap: str) -> None:
    errors: list[KafkaException] = []
    producer = Producer({"bootstrap.servers": bootstrap, "message.timeout.ms": 3000})
    producer.produce("misspelt", b"", on_delivery=lambda error, _: errors.append(KafkaException(error)))
    producer.flush(30)
    raise errors[0]


def test_up_leaves_alone_what_runs_whatever_ports_it_is_told(stack: LocalStack, jar_cache: Path) -> None:
    said: list[str] = []
    before = pids(stack.status())
    again = LocalStack(StackOptions(directory=stack.options.directory, kafka_port=19_999), report=said.append)

    assert again.up() == stack.endpoints()
    assert said == ["already running: kafka-1, registry"]
    assert pids(again.status()) == before


def test_a_killed_broker_comes_back_with_its_records(stack: LocalStack, where: Endpoints) -> None:
    create_topic(where.bootstrap, "kept")
    produce(where.bootstrap, "kept", b"before")

    stack.kill_broker(1)
    down = {server.name: server.ready for server in stack.status().servers}
    with pytest.raises(StackError, match="kafka-1 does not run"):
        stack.kill_broker(1)
    stack.start_broker(1)
    produce(where.bootstrap, "kept", b"after")

    assert down == {"kafka-1": False, "registry": True}
    assert consume(where.bootstrap, "kept", 2) == [b"before", b"after"]
    assert stack.status().ready


def test_up_starts_only_what_is_missing_and_the_registry_begins_empty(stack: LocalStack, where: Endpoints) -> None:
    before = pids(stack.status())
    registry_call(where.registry, "POST", "/subjects/forgotten-value/versions", {"schema": '"string"'})
    stack.kill_registry()

    assert stack.up() == where
    assert registry_call(where.registry, "GET", "/subjects") == (200, [])

    after = pids(stack.status())
    assert after["kafka-1"] == before["kafka-1"]
    assert after["registry"] != before["registry"]


def test_a_broker_that_does_not_exist_is_refused_by_name(stack: LocalStack) -> None:
    with pytest.raises(StackError, match="no kafka-2 in this stack, only kafka-1, registry"):
        stack.kill_broker(2)


def test_a_server_that_dies_at_start_is_reported_in_its_own_words_and_leaves_nothing_running(
    tmp_path: Path, jar_cache: Path
) -> None:
    options = StackOptions(directory=tmp_path, kafka_port=0, registry_port=0, kafka_heap_mib=1)
    stack = LocalStack(options, cache=jar_cache)

    with pytest.raises(ProcessDied, match=r"(?s)kafka-1 died while starting.*server\.log:\n.*heap"):
        stack.up()
    assert [server.pid for server in stack.status().servers] == [None, None]
