"""Settings: where a value comes from, what is refused and how that is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.kit.errors import Misconfigured
from schemas.topics import PLATFORMS, Role
from streams.runtime import settings as catalogue
from streams.runtime import show
from streams.runtime.settings import Settings, load, variable


def test_without_anything_the_local_stack_is_used() -> None:
    settings = load()
    assert settings.bootstrap == "127.0.0.1:19092"
    assert settings.registry == "http://127.0.0.1:18080/apis/ccompat/v7"
    assert settings.topic_prefix == "sluice."
    assert settings.topics().shard == 6


def test_a_variable_wins_over_the_file_and_the_file_over_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("bootstrap: file:1\ntopic_prefix: file.\n")
    monkeypatch.setenv("SLUICE_SETTINGS_FILE", str(file))
    monkeypatch.setenv("SLUICE_BOOTSTRAP", "env:1")
    settings = load()
    assert (settings.bootstrap, settings.topic_prefix, settings.log_level) == ("env:1", "file.", "info")
    sources = {row.name: row.source for row in show.rows(settings)}
    assert (sources["bootstrap"], sources["topic_prefix"], sources["log_level"]) == ("env", "file", "default")


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_TOPIC_PREFIX", "")
    settings = load()
    assert settings.topic_prefix == "sluice."
    assert {row.name: row.source for row in show.rows(settings)}["topic_prefix"] == "default"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("SLUICE_LOG_LEVEL", "loud", "SLUICE_LOG_LEVEL=loud: .* allowed: debug, info, warning, error"),
        ("SLUICE_COMMIT_INTERVAL_MS", "soon", "SLUICE_COMMIT_INTERVAL_MS=soon: .* allowed: integer >= 5"),
        ("SLUICE_RECEIVER_HTTP_PORT", "99999", "SLUICE_RECEIVER_HTTP_PORT=99999: .* allowed: integer >= 0 <= 65535"),
        ("SLUICE_VENDOR_TIMEOUT", "inf", "SLUICE_VENDOR_TIMEOUT=inf: "),
        ("SLUICE_REGISTRY", "registry:8080", "SLUICE_REGISTRY=registry:8080: .* allowed: text matching"),
        ("SLUICE_INSTANCE_ID", "a b", "SLUICE_INSTANCE_ID=a b: "),
    ],
)
def test_a_wrong_value_is_told_with_variable_value_and_what_is_allowed(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Misconfigured, match=told):
        load()


def test_all_wrong_values_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_LOG_LEVEL", "loud")
    monkeypatch.setenv("SLUICE_PROFILE", "staging")
    with pytest.raises(Misconfigured, match=r"SLUICE_PROFILE=staging.*SLUICE_LOG_LEVEL=loud"):
        load()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"receiver_delivery_timeout": 5.0}, "SLUICE_RECEIVER_DELIVERY_TIMEOUT must be below"),
        ({"commit_interval_ms": 30_000}, "SLUICE_COMMIT_INTERVAL_MS must be below half"),
        ({"broker_protocol": "SASL_SSL"}, "SLUICE_BROKER_USERNAME and SLUICE_BROKER_PASSWORD are needed"),
        ({"broker_username": "sluice"}, "set it to SASL_SSL"),
        ({"broker_key_file": "/key"}, "are needed together"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_with_the_fix(given: dict[str, object], told: str) -> None:
    with pytest.raises(Misconfigured, match=told):
        load(**given)


def test_no_message_and_no_table_shows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_BROKER_PASSWORD", "hunter2")
    with pytest.raises(Misconfigured) as caught:
        load()
    assert "hunter2" not in str(caught.value) + repr(caught.value)
    monkeypatch.setenv("SLUICE_BROKER_PROTOCOL", "SASL_SSL")
    monkeypatch.setenv("SLUICE_BROKER_USERNAME", "sluice")
    monkeypatch.setenv("SLUICE_REGISTRY", "https://user:hunter2@registry/apis")
    settings = load()
    assert "hunter2" not in repr(settings) + str(show.rows(settings))
    assert {row.name: row.value for row in show.rows(settings)}["broker_password"] == "********"


def test_a_secret_of_the_wrong_kind_is_refused_without_showing_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("broker_password: [hunter2]\n")
    monkeypatch.setenv("SLUICE_SETTINGS_FILE", str(file))
    with pytest.raises(Misconfigured, match=r"SLUICE_BROKER_PASSWORD=\*+: ") as caught:
        load()
    assert "hunter2" not in str(caught.value)


def test_the_brokers_are_reached_as_librdkafka_wants_it() -> None:
    assert load().librdkafka() == {"bootstrap.servers": "127.0.0.1:19092", "security.protocol": "PLAINTEXT"}
    secured = load(
        broker_protocol="SASL_SSL", broker_username="sluice", broker_password="hunter2", broker_ca_file="/ca.pem"
    )
    assert secured.librdkafka() == {
        "bootstrap.servers": "127.0.0.1:19092",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "sluice",
        "sasl.password": "hunter2",
        "ssl.ca.location": "/ca.pem",
    }


def test_all_roles_fit_on_one_host() -> None:
    settings = load()
    ports = [settings.http_port(role) for role in (Role.RECEIVER, Role.MAPPER, Role.RESOLVER, Role.CONSOLE)]
    ports += [settings.http_port(Role.COURIER, platform) for platform in PLATFORMS]
    assert len(set(ports)) == len(ports)
    anywhere = load(health_port_base=0, receiver_http_port=0)
    assert {anywhere.http_port(Role.RECEIVER), anywhere.http_port(Role.COURIER, "shopify")} == {0}


def test_the_instance_is_the_pod_or_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAME", "resolver-2")
    assert load().instance_id == "resolver-2"
    monkeypatch.delenv("POD_NAME")
    assert load().instance_id


@pytest.mark.parametrize(
    ("text", "told"),
    [("bootsrap: a:1\n", "bootsrap in the settings file is not a setting"), ("- a\n", "not a YAML mapping")],
)
def test_a_settings_file_with_other_things_in_it_is_refused(
    text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    monkeypatch.setenv("SLUICE_SETTINGS_FILE", str(file))
    with pytest.raises(Misconfigured, match=told):
        load()


def test_a_settings_file_that_is_missing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_SETTINGS_FILE", "/nowhere.yaml")
    with pytest.raises(Misconfigured, match=r"SLUICE_SETTINGS_FILE=/nowhere.yaml: there is no such file"):
        load()


def test_a_misspelt_variable_is_found_with_what_was_meant() -> None:
    environ = {
        "SLUICE_BOOTSTRP": "a:1",
        "SLUICE_STACK_DIR": "x",
        "SLUICE_SETTINGS_FILE": "x",
        "SLUICE_LOG_LEVEL": "info",
    }
    assert show.unknown(environ) == ["SLUICE_BOOTSTRP is not a setting; did you mean SLUICE_BOOTSTRAP?"]


@pytest.mark.parametrize("name", list(Settings.model_fields))
def test_every_setting_says_what_it_is_and_can_be_set_by_its_variable(name: str) -> None:
    field = Settings.model_fields[name]
    assert field.description
    assert field.description.endswith(".")
    assert catalogue.allowed(field)
    assert variable(name) == f"SLUICE_{name.upper()}"
