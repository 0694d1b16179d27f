"""Faust's consumer logs in to the brokers as every other client does."""

from __future__ import annotations

import ssl
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import aiokafka
import pytest

from connectors.kit.errors import Misconfigured
from connectors.kit.metrics import Metrics
from schemas import topics
from schemas.topics import Role
from streams.runtime import hosting
from streams.runtime.credentials import credentials
from streams.runtime.settings import Settings, load
from streams.shard.host import Host
from streams.worker.app import Membership, make_app
from streams.worker.transport import ConsumerThread

TLS = Path(__file__).parents[2] / "data" / "tls"
MUTUAL = {
    "broker_ca_file": TLS / "ca.pem",
    "broker_certificate_file": TLS / "client.pem",
    "broker_key_file": TLS / "client.key",
}
LOGIN = {"broker_username": "sluice", "broker_password": "hunter2"}


def subjects(context: ssl.SSLContext) -> list[str]:
    """Common names of the authorities that are trusted."""
    pairs = [dict(part[0] for part in cast(Any, one["subject"])) for one in context.get_ca_certs()]
    return [pair["commonName"] for pair in pairs]


def checks_the_broker(context: ssl.SSLContext) -> bool:
    """Its certificate and its name."""
    return context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname


def test_without_tls_and_login_there_is_nothing_to_show() -> None:
    assert credentials(load()) is None


def test_mutual_tls_trusts_the_given_authority_alone_and_checks_the_brokers_name() -> None:
    found = credentials(load(broker_protocol="SSL", **MUTUAL))
    assert found.protocol.value == "SSL"
    assert subjects(found.context) == ["Sluice test authority"]
    assert checks_the_broker(found.context)


def test_tls_shows_our_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[tuple[Path, Path]] = []
    monkeypatch.setattr(ssl.SSLContext, "load_cert_chain", lambda self, *files: shown.append(files))
    credentials(load(broker_protocol="SSL", **MUTUAL))
    credentials(load(broker_protocol="SSL", broker_ca_file=TLS / "ca.pem"))
    assert shown == [(TLS / "client.pem", TLS / "client.key")]


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_login_over_tls_has_user_mechanism_and_a_checked_broker(mechanism: str) -> None:
    settings = load(broker_protocol="SASL_SSL", broker_sasl_mechanism=mechanism, **LOGIN, **MUTUAL)
    found = credentials(settings)
    assert (found.protocol.value, found.mechanism.value) == ("SASL_SSL", mechanism)
    assert (found.username, found.password) == ("sluice", "hunter2")
    assert checks_the_broker(found.ssl_context)
    assert "hunter2" not in repr(found)


def test_a_login_without_tls_has_no_context() -> None:
    found = credentials(load(broker_protocol="SASL_PLAINTEXT", **LOGIN))
    assert (found.protocol.value, found.ssl_context) == ("SASL_PLAINTEXT", None)


@pytest.mark.parametrize(
    "files",
    [
        {"broker_ca_file": TLS / "missing.pem"},
        {"broker_ca_file": TLS / "client.key"},
        MUTUAL | {"broker_key_file": TLS / "ca.pem"},
    ],
)
def test_a_file_that_is_missing_or_another_is_named(files: dict[str, Path]) -> None:
    with pytest.raises(Misconfigured, match=r"SLUICE_BROKER_CA_FILE=.*tls/.*mounted"):
        credentials(load(broker_protocol="SSL", **files))


class Consumers:
    """Stands for aiokafka.AIOKafkaConsumer and remembers what it was made with."""

    made: dict[str, Any]

    def __call__(self, **options: Any) -> None:
        self.made = options


@pytest.fixture
def consumers(monkeypatch: pytest.MonkeyPatch) -> Consumers:
    found = Consumers()
    monkeypatch.setattr(aiokafka, "AIOKafkaConsumer", found)
    return found


async def make_consumer(settings: Settings) -> None:
    """Make the app of a role, and its consumer as the transport does."""
    host = cast(Host, SimpleNamespace(tick=None))
    app = make_app(Membership("broker:1", "g", "i"), ("t",), host, credentials=credentials(settings))
    thread = cast(Any, SimpleNamespace(app=app))
    ConsumerThread._create_worker_consumer(thread, cast(Any, app.transport))


async def test_the_transport_hands_a_login_to_the_consumer(consumers: Consumers) -> None:
    await make_consumer(load(broker_protocol="SASL_SSL", **LOGIN, **MUTUAL))
    made = consumers.made
    assert (made["security_protocol"], made["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (made["sasl_plain_username"], made["sasl_plain_password"]) == ("sluice", "hunter2")
    assert subjects(made["ssl_context"]) == ["Sluice test authority"]


async def test_the_transport_hands_certificates_to_the_consumer(consumers: Consumers) -> None:
    await make_consumer(load(broker_protocol="SSL", **MUTUAL))
    assert consumers.made["security_protocol"] == "SSL"
    assert subjects(consumers.made["ssl_context"]) == ["Sluice test authority"]


async def test_a_plain_consumer_is_made_without_credentials(consumers: Consumers) -> None:
    await make_consumer(load())
    assert consumers.made["security_protocol"] == "PLAINTEXT"
    assert "ssl_context" not in consumers.made


def test_a_hosted_role_logs_in_with_the_credentials_of_its_settings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made: dict[str, Any] = {}
    monkeypatch.setattr(hosting, "verify_partitions", lambda *_: None)
    monkeypatch.setattr(hosting, "make_app", lambda *_, **options: made.update(options))
    monkeypatch.setattr(hosting, "run", lambda app, **_: None)
    settings = load(broker_protocol="SASL_SSL", state_dir=tmp_path, **LOGIN, **MUTUAL)
    role = hosting.Hosted(Role.RESOLVER, (topics.INBOUND,), topics.RESOLVE_CHANGELOG, cast(Any, None))
    hosting.host(settings, role, Metrics())
    assert (made["credentials"].username, made["credentials"].protocol.value) == ("sluice", "SASL_SSL")
