"""The brokers as administration tools reach them: with the TLS and SASL settings of the process."""

from __future__ import annotations

from confluent_kafka.admin import AdminClient

from schemas import admin
from streams.runtime.settings import Settings


def open_admin(settings: Settings) -> AdminClient:
    """An admin client of the process's brokers. Contacts nothing yet."""
    config = {key.replace(".", "_"): value for key, value in settings.librdkafka().items()}
    return admin.open_admin(str(config.pop("bootstrap_servers")), **config)
