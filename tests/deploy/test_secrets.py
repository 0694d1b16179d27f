"""Secrets are files from Secret objects; their values are in no manifest, no environment and no repository."""

from __future__ import annotations

import base64
import re

import pytest

from schemas.topics import PLATFORMS
from tests.deploy.manifests import (
    APPLICATIONS,
    K8S,
    build,
    containers,
    environment,
    of_kind,
    pod_templates,
    secrets_referred_to,
)

application = pytest.mark.parametrize("folder", APPLICATIONS)
TELLING = re.compile(r"password|secret|token|credential|private", re.IGNORECASE)


@application
def test_no_environment_variable_is_taken_from_a_secret_or_named_like_one(folder: str) -> None:
    for name, template in pod_templates(folder):
        for container in containers(template):
            sources = [*container.get("env", []), *container.get("envFrom", [])]
            assert not [source for source in sources if "secret" in str(source).lower()], name
            values = environment(folder, container)
            # A folder's path may be named after secrets; a value must not be one.
            assert not [key for key, value in values.items() if TELLING.search(key) and not value.startswith("/")], name


def test_production_contains_no_secret_at_all() -> None:
    assert not of_kind("overlays/production", "Secret")
    assert not of_kind("base", "Secret")


def test_what_the_local_overlay_calls_secrets_are_placeholders() -> None:
    for secret in of_kind("overlays/local", "Secret"):
        for value in secret["data"].values():
            assert base64.b64decode(value).startswith(b"PLACEHOLDER")


def test_nothing_that_looks_like_a_key_is_in_the_folder() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in K8S.rglob("*") if path.is_file()}
    assert not [
        path for path, text in texts.items() if re.search(r"BEGIN [A-Z ]*PRIVATE KEY|shp(at|ss)_[0-9a-f]", text)
    ]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_courier_gets_the_secrets_of_its_own_platform_only(platform: str) -> None:
    mine = {secret for who, secret, _ in secrets_referred_to("base") if who == f"StatefulSet/courier-{platform}"}
    assert mine == {"kafka-cluster-ca", f"sluice-courier-{platform}", f"accounts-{platform}"}


def test_mapper_and_resolver_get_no_secret_of_an_account() -> None:
    calling = {who for who, secret, _ in secrets_referred_to("base") if secret.startswith("accounts-")}
    assert calling == {"Deployment/receiver", *(f"StatefulSet/courier-{platform}" for platform in PLATFORMS)}


def test_a_missing_secret_stops_a_pod_unless_its_platform_may_be_unused() -> None:
    optional = {(who, secret) for who, secret, may_miss in secrets_referred_to("base") if may_miss}
    assert optional == {("Deployment/receiver", f"accounts-{platform}") for platform in PLATFORMS}


@application
def test_secret_files_are_readable_by_the_pods_group_only(folder: str) -> None:
    for name, template in pod_templates(folder):
        for volume in template["spec"]["volumes"]:
            if "projected" in volume:
                assert volume["projected"]["defaultMode"] == 0o440, name
                assert template["spec"]["securityContext"]["fsGroup"] == 10001, name


@application
def test_every_configmap_that_is_mounted_or_read_is_part_of_the_build(folder: str) -> None:
    built = {m["metadata"]["name"] for m in build(folder) if m["kind"] == "ConfigMap"}
    used = {
        source["configMapRef"]["name"]
        for _, t in pod_templates(folder)
        for c in containers(t)
        for source in c["envFrom"]
    }
    used |= {v["configMap"]["name"] for _, t in pod_templates(folder) for v in t["spec"]["volumes"] if "configMap" in v}
    assert used == built
