"""Whether Kafka really serves: asked as a client asks, not guessed from an open port."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams.stack.layout import HOST
from streams.stack.ports import accepts


def nodes_seen_by(port: int, *, host: str = HOST, timeout: float = 3.0) -> frozenset[int]:
    """Ids of the brokers in the metadata that the broker at `port` gives out; empty when it does not answer."""
    if not accepts(port, host=host):  # spares the client's retries and its complaints on stderr
        return frozenset()
    admin = AdminClient({"bootstrap.servers": f"{host}:{port}", "log_level": 0, "socket.timeout.ms": 3000})
    try:
        return frozenset(admin.list_topics(timeout=timeout).brokers)
    except KafkaException:
        return frozenset()
