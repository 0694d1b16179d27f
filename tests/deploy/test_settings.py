"""What the manifests put into the environment and the files is what the processes read."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from connectors.catalog import NAMES
from schemas.manifests import PREFIX
from schemas.topics import Role
from streams.runtime import config
from streams.runtime.settings import Settings, load, variable
from tests.deploy.manifests import (
    APPLICATIONS,
    WORKLOADS,
    Manifest,
    containers,
    environment,
    name_of,
    of_kind,
    pod_templates,
)

application = pytest.mark.parametrize("folder", APPLICATIONS)
PROFILE_OF = {"overlays/local": "development", "overlays/production": "production"}


def settings(monkeypatch: pytest.MonkeyPatch, folder: str, container: Manifest) -> Settings:
    """The settings of a process in this container."""
    for name in [name for name in os.environ if name.startswith("SLUICE_")]:
        monkeypatch.delenv(name)
    for name, value in environment(folder, container).items():
        monkeypatch.setenv(name, value or "pod-0")  # empty: the pod's own name
    return load()


def workloads(folder: str) -> list[tuple[str, Manifest, Manifest]]:
    """(kind/name, pod template, container) of what runs for ever."""
    templates = [(name_of(m), m["spec"]["template"]) for m in of_kind(folder, *WORKLOADS)]
    return [(name, template, containers(template)[0]) for name, template in templates]


def files(template: Manifest, container: Manifest) -> tuple[set[str], set[str]]:
    """(paths of single files that are mounted, folders that can be written to)."""
    volumes = {volume["name"]: volume for volume in template["spec"]["volumes"]}
    present, writable = set(), set()
    for mount in container["volumeMounts"]:
        volume = volumes[mount["name"]]
        if "emptyDir" in volume:
            writable.add(mount["mountPath"])
        for source in volume.get("projected", {}).get("sources", []):
            present |= {f"{mount['mountPath']}/{item['path']}" for item in source["secret"].get("items", [])}
        if "configMap" in volume:
            present.add(f"{mount['mountPath']}/sluice.yaml")
    return present, writable


@application
def test_every_variable_is_a_setting(folder: str) -> None:
    known = {variable(name) for name in Settings.model_fields}
    for name, template in pod_templates(folder):
        for container in containers(template):
            assert environment(folder, container).keys() <= known, name


@application
def test_every_process_accepts_its_settings_and_finds_the_files_they_name(
    monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    for name, template, container in workloads(folder):
        found = settings(monkeypatch, folder, container)
        present, writable = files(template, container)
        assert found.profile == PROFILE_OF[folder]
        assert found.topic_prefix == PREFIX
        assert found.broker_protocol == "SSL", "the listener of the brokers asks for a certificate"
        named = (found.config_file, found.broker_ca_file, found.broker_certificate_file, found.broker_key_file)
        assert {str(path) for path in named} <= present, name
        for folder_used in (found.state_dir, found.schema_cache):
            assert any(PurePosixPath(path) in PurePosixPath(folder_used).parents for path in writable), name


@application
def test_every_process_listens_where_its_probes_and_its_monitor_ask(
    monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    for name, _, container in workloads(folder):
        _, role, *rest = container["args"]
        port = settings(monkeypatch, folder, container).http_port(Role(role), rest[-1] if rest else "")
        assert container["ports"] == [{"name": "http", "containerPort": port}], name


@application
def test_a_session_outlives_a_restart_with_the_whole_grace_period(monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """So a pod that is replaced gets its shards back and nobody else is disturbed."""
    restart = 30
    for name, template, container in workloads(folder):
        if name.startswith("StatefulSet"):
            session = settings(monkeypatch, folder, container).session_timeout_ms / 1000
            assert session >= template["spec"]["terminationGracePeriodSeconds"] + restart, name


def test_settings_of_production_are_those_of_the_base(monkeypatch: pytest.MonkeyPatch) -> None:
    for (_, _, base), (_, _, production) in zip(workloads("base"), workloads("overlays/production"), strict=True):
        assert environment("base", base) == environment("overlays/production", production)


def config_file(folder: str, to: Path) -> dict[str, Any]:
    (found,) = (m["data"]["sluice.yaml"] for m in of_kind(folder, "ConfigMap") if "sluice.yaml" in m["data"])
    to.write_text(found, encoding="utf-8")
    loaded: dict[str, Any] = yaml.safe_load(found)
    return loaded


@pytest.mark.parametrize("folder", ["base", *APPLICATIONS])
def test_the_configuration_file_is_accepted(folder: str, tmp_path: Path) -> None:
    path = tmp_path / "sluice.yaml"
    config_file(folder, path)
    assert config.load(path, NAMES, with_secrets=False).accounts


@application
def test_a_secret_is_a_file_where_the_secrets_are_mounted(folder: str, tmp_path: Path) -> None:
    for tenant in config_file(folder, tmp_path / "sluice.yaml")["tenants"].values():
        for account, settings_of in tenant["accounts"].items():
            for secret, reference in settings_of["secrets"].items():
                assert reference == f"file:/etc/sluice/secrets/{account}.{secret}"


def test_the_local_placeholders_are_the_secrets_of_the_local_accounts(tmp_path: Path) -> None:
    accounts = config_file("overlays/local", tmp_path / "sluice.yaml")["tenants"]["demo"]["accounts"]
    wanted = {(a["platform"], f"{name}.{secret}") for name, a in accounts.items() for secret in a["secrets"]}
    generated = {
        (m["metadata"]["name"].split("-")[1], key) for m in of_kind("overlays/local", "Secret") for key in m["data"]
    }
    assert generated == wanted
