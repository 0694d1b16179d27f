"""Every build of deploy/k8s is accepted by the versions of Kubernetes and of the operators we support."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from tests.deploy.manifests import ALL_BUILDS, K8S, Manifest, build, name_of

VERSIONS = ("1.34", "1.36", "1.37")
OPERATORS = {"kafka.strimzi.io/v1", "monitoring.coreos.com/v1"}


def crd_schema(kind: str) -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((K8S / "schemas" / f"{kind.lower()}.json").read_text(encoding="utf-8"))
    return schema


def own_objects(folder: str) -> list[Manifest]:
    return [manifest for manifest in build(folder) if manifest["apiVersion"] not in OPERATORS]


def operator_objects(folder: str) -> list[Manifest]:
    return [manifest for manifest in build(folder) if manifest["apiVersion"] in OPERATORS]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("folder", ALL_BUILDS)
def test_kubernetes_accepts_every_object(folder: str, version: str) -> None:
    for manifest in own_objects(folder):
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            pytest.fail(f"{folder}: {name_of(manifest)} in {version}: {error}")


@pytest.mark.parametrize("folder", ALL_BUILDS)
def test_the_operators_accept_every_object_of_theirs(folder: str) -> None:
    for manifest in operator_objects(folder):
        validator = jsonschema.Draft202012Validator(crd_schema(manifest["kind"]))
        assert not [f"{name_of(manifest)}: {error.message}" for error in validator.iter_errors(manifest)]


@pytest.mark.parametrize("file", sorted((K8S / "schemas").glob("*.json")), ids=lambda file: file.stem)
def test_a_vendored_schema_is_a_schema_and_refuses_unknown_fields(file: Any) -> None:
    schema = json.loads(file.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    unknown = {"apiVersion": schema["properties"]["apiVersion"]["const"], "spec": {"partitons": 1}}
    messages = [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(unknown)]
    assert any("'partitons' was unexpected" in message for message in messages)


@pytest.mark.parametrize("folder", ALL_BUILDS)
def test_no_object_is_built_twice(folder: str) -> None:
    names = [(m["apiVersion"], m["kind"], m["metadata"].get("namespace"), m["metadata"]["name"]) for m in build(folder)]
    assert len(names) == len(set(names))


def test_the_script_that_installs_kustomize_is_a_shell_script() -> None:
    script = K8S / "install-kustomize.sh"
    assert script.stat().st_mode & 0o111
    assert subprocess.run(["/bin/sh", "-n", script], capture_output=True).returncode == 0
