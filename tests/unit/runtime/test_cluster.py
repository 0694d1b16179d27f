"""Administration reaches the brokers as every other client does."""

from __future__ import annotations

from typing import Any

import pytest

from schemas import admin
from streams.runtime.cluster import open_admin
from streams.runtime.settings import load


def test_an_admin_client_logs_in_with_all_broker_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr(admin, "AdminClient", made.update)
    settings = load(
        bootstrap="there:1",
        broker_protocol="SASL_SSL",
        broker_username="sluice",
        broker_password="hunter2",
        broker_ca_file="/ca.pem",
        broker_certificate_file="/c.pem",
        broker_key_file="/k.pem",
    )
    open_admin(settings)
    assert made == {"log_level": 0, **settings.librdkafka()}
