"""What a client of Kafka and of the registry does, in one line each."""

from __future__ import annotations

import http.client
import json
import time
from typing import Any
from urllib.parse import urlsplit

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

TIMEOUT = 60.0  # In seconds


def create_topic(bootstrap: str, name: str, *, replicas: int = 1) -> None:
    """One partition, with `replicas` copies."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for made in admin.create_topics([NewTopic(name, 1, replicas)]).values():
        made.result(TIMEOUT)


def produce(bootstrap: str, topic: str, value: bytes) -> None:
    """Write one record; returns when it is acknowledged by all replicas in sync."""
    failures: list[object] = []
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "message.max.bytes": 9_000_000})
    producer.produce(topic, value, on_delivery=lambda error, message: failures.append(error) if error else None)
    assert producer.flush(TIMEOUT) == 0
    assert failures == []


def consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    """The first `count` records."""
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": f"{topic}-{time.time_ns()}", "auto.offset.reset": "earliest"}
    )
    try:
        consumer.subscribe([topic])
        found: list[bytes] = []
        deadline = time.monotonic() + TIMEOUT
        while len(found) < count and time.monotonic() < deadline:
            message = consumer.poll(1.0)
            if message is not None and message.error() is None:
                found.append(message.value())
        return found
    finally:
        consumer.close()


def registry_call(url: str, method: str, path: str, body: object = None) -> tuple[int, Any]:
    """One call of the Confluent API: the status and the decoded answer."""
    address = urlsplit(url)
    assert address.hostname
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=TIMEOUT)
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    try:
        connection.request(method, address.path + path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()
