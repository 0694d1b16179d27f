"""The objects that `kubectl apply -k` would send, built offline; and how to walk through them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
APPLICATIONS = ("overlays/local", "overlays/production")
ALL_BUILDS = (*APPLICATIONS, "overlays/local/kafka", "overlays/production/kafka", "overlays/local/cluster")
WORKLOADS = ("Deployment", "StatefulSet")
# Read at import: tests run without the SLUICE_ variables of whoever runs them.
_CACHE = os.environ.get("SLUICE_CACHE") or str(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "sluice")

Manifest = Mapping[str, Any]


def builder() -> list[str]:
    """The command that builds a kustomization: what install-kustomize.sh built, kustomize, or kubectl."""
    cached = sorted((Path(_CACHE).expanduser() / "kustomize").glob("v*/kustomize"))
    if kustomize := str(cached[-1]) if cached else shutil.which("kustomize"):
        return [kustomize, "build"]
    if kubectl := shutil.which("kubectl"):
        return [kubectl, "kustomize"]
    pytest.fail("neither kustomize nor kubectl is here: run deploy/k8s/install-kustomize.sh (needs Go) and try again")


@functools.cache
def build(folder: str) -> tuple[Manifest, ...]:
    """All objects of a folder of deploy/k8s."""
    done = subprocess.run([*builder(), str(K8S / folder)], capture_output=True, text=True, timeout=60)
    if done.returncode:
        pytest.fail(f"deploy/k8s/{folder} does not build: {done.stderr}")
    assert not done.stderr, f"deploy/k8s/{folder} builds with a warning: {done.stderr}"
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(folder: str, *kinds: str) -> list[Manifest]:
    """The objects of some kinds."""
    return [manifest for manifest in build(folder) if manifest["kind"] in kinds]


def name_of(manifest: Manifest) -> str:
    """Kind and name, for messages."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def pod_templates(folder: str) -> list[tuple[str, Manifest]]:
    """(kind/name, pod template) of everything that makes pods."""
    return [(name_of(m), m["spec"]["template"]) for m in of_kind(folder, *WORKLOADS, "Job")]


def containers(template: Manifest) -> list[Manifest]:
    """All containers of a pod, the initialising ones first."""
    return [*template["spec"].get("initContainers", []), *template["spec"]["containers"]]


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    """Kubernetes' label selector: matchLabels and matchExpressions with In. An empty one selects everything."""
    plain = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return plain and all(
        expression["operator"] == "In" and labels.get(expression["key"]) in expression["values"]
        for expression in selector.get("matchExpressions", [])
    )


def selected(folder: str, selector: Manifest) -> list[str]:
    """kind/name of what makes the pods that a selector finds."""
    return [name for name, template in pod_templates(folder) if selects(selector, template["metadata"]["labels"])]


def replicas(folder: str, workload: Manifest) -> int:
    """How many pods a workload has at least: its own number, or that of its autoscaler."""
    for scaler in of_kind(folder, "HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]
        if (target["kind"], target["name"]) == (workload["kind"], workload["metadata"]["name"]):
            return int(scaler["spec"]["minReplicas"])
    return int(workload["spec"]["replicas"])


def environment(folder: str, container: Manifest) -> dict[str, str]:
    """What a container finds in its environment; values that are only known in the cluster are empty."""
    maps = {m["metadata"]["name"]: m["data"] for m in of_kind(folder, "ConfigMap")}
    found: dict[str, str] = {}
    for source in container.get("envFrom", []):
        found |= maps[source["configMapRef"]["name"]]
    return found | {entry["name"]: entry.get("value", "") for entry in container.get("env", [])}


def secrets_referred_to(folder: str) -> Iterator[tuple[str, str, bool]]:
    """(who, Secret, whether it may be missing) of every volume."""
    for name, template in pod_templates(folder):
        for volume in template["spec"]["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                yield name, source["secret"]["name"], source["secret"].get("optional", False)
