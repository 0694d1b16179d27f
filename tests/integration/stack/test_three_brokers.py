"""Three brokers: one may be lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from streams.stack import LocalStack, StackOptions

from .helpers import consume, create_topic, produce

pytestmark = [pytest.mark.broker, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, jar_cache: Path) -> Iterator[LocalStack]:
    options = StackOptions(
        directory=tmp_path_factory.mktemp("three"), brokers=3, kafka_port=0, registry_port=0, kafka_heap_mib=384
    )
    stack = LocalStack(options, cache=jar_cache)
    stack.up()
    yield stack
    stack.reset()


def test_all_three_are_in_the_metadata(stack: LocalStack) -> None:
    admin = AdminClient({"bootstrap.servers": stack.endpoints().bootstrap})

    assert set(admin.list_topics(timeout=10).brokers) == {1, 2, 3}
    assert [server.name for server in stack.status().servers if server.ready] == [
        "kafka-1",
        "kafka-2",
        "kafka-3",
        "registry",
    ]


def test_records_are_written_and_read_while_one_broker_is_dead(stack: LocalStack) -> None:
    bootstrap = stack.endpoints().bootstrap
    create_topic(bootstrap, "replicated", replicas=3)
    produce(bootstrap, "replicated", b"all three")

    stack.kill_broker(2)
    produce(bootstrap, "replicated", b"two of them")
    found = consume(bootstrap, "replicated", 2)
    stack.start_broker(2)

    assert found == [b"all three", b"two of them"]
    assert stack.status().ready
