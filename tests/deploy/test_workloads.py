"""What every workload promises the cluster it runs in, and what it promises its users."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import pytest

from schemas.topics import PLATFORMS, PROFILES
from streams.courier.setup import Settings as CourierSettings
from streams.receiver.intake import Limits
from streams.receiver.role import ReceiverSettings
from streams.shard.transaction import CALL_TIMEOUT
from tests.deploy.manifests import (
    APPLICATIONS,
    ROOT,
    WORKLOADS,
    Manifest,
    build,
    containers,
    name_of,
    of_kind,
    pod_templates,
    replicas,
    selected,
    selects,
)

LABELS = {"name", "component", "part-of", "managed-by", "instance", "version"}
RECOMMENDED = {f"app.kubernetes.io/{name}" for name in LABELS}
CHANGING = {"app.kubernetes.io/version", "app.kubernetes.io/managed-by", "sluice/stage"}
UNITS = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
RECEIVER: dict[str, Any] = {field.name: field.default for field in fields(ReceiverSettings)}
# Parts of a stop, in seconds, that the code decides. A commit makes two blocking calls: offsets, then the commit.
STOPS: dict[str, dict[str, float]] = {
    "receiver": {"drain": RECEIVER["drain"], "flush": RECEIVER["flush"]},
    "mapper": {"commit": 2 * CALL_TIMEOUT},
    "resolver": {"commit": 2 * CALL_TIMEOUT},
    "courier": {"commit": 2 * CALL_TIMEOUT, "drain": CourierSettings().drain},
}
application = pytest.mark.parametrize("folder", APPLICATIONS)


def workloads(folder: str) -> list[Manifest]:
    return of_kind(folder, *WORKLOADS)


def amount(text: Any) -> int:
    number, unit = re.fullmatch(r"(\d+)(Ki|Mi|Gi)?", str(text)).groups()  # type: ignore[union-attr]
    return int(number) * UNITS.get(unit or "", 1)


def component(template: Manifest) -> str:
    return str(template["metadata"]["labels"]["app.kubernetes.io/component"])


# ------------------------------------------------------------------------------------------------ labels, names


@application
def test_every_object_has_the_recommended_labels(folder: str) -> None:
    written = [manifest for manifest in build(folder) if manifest["kind"] not in ("ConfigMap", "Secret")]
    missing = {name_of(m): RECOMMENDED - m["metadata"]["labels"].keys() for m in written}
    assert not {name: labels for name, labels in missing.items() if labels}


@application
def test_selectors_find_their_own_pods_and_hold_nothing_that_a_release_changes(folder: str) -> None:
    for workload in workloads(folder):
        selector = workload["spec"]["selector"]
        assert selected(folder, selector) == [name_of(workload)]
        assert not CHANGING & selector["matchLabels"].keys()
    for service in of_kind(folder, "Service"):
        assert len(selected(folder, {"matchLabels": service["spec"]["selector"]})) == 1, name_of(service)


@application
def test_an_object_is_labelled_like_the_pods_it_is_for(folder: str) -> None:
    for manifest in of_kind(folder, *WORKLOADS, "Service", "PodDisruptionBudget"):
        selector = manifest["spec"]["selector"]
        assert selects({"matchLabels": selector.get("matchLabels", selector)}, manifest["metadata"]["labels"])


@application
def test_every_role_and_every_platforms_courier_runs(folder: str) -> None:
    commands = {tuple(containers(m["spec"]["template"])[0]["args"]) for m in workloads(folder)}
    couriers = {("run", "courier", "--platform", platform) for platform in PLATFORMS}
    assert commands == {("run", "receiver"), ("run", "mapper"), ("run", "resolver")} | couriers


@application
def test_everything_is_in_the_namespace_that_admits_restricted_pods_only(folder: str) -> None:
    (namespace,) = of_kind(folder, "Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    inside = [m for m in build(folder) if m["kind"] not in ("Namespace", "PriorityClass")]
    assert {m["metadata"]["namespace"] for m in inside} == {namespace["metadata"]["name"]}


# ------------------------------------------------------------------------------------------------ images


@application
def test_no_image_is_latest_or_without_a_tag(folder: str) -> None:
    for name, template in pod_templates(folder):
        for container in containers(template):
            assert re.search(r"(@sha256:[0-9a-f]{64}|:\d+\.\d+\.\d+)$", container["image"]), name


def test_production_runs_one_image_by_digest() -> None:
    images = {c["image"] for _, template in pod_templates("overlays/production") for c in containers(template)}
    assert len(images) == 1
    assert "@sha256:" in images.pop()


def test_the_base_names_the_version_of_the_package() -> None:
    (version,) = re.findall(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    images = {c["image"] for _, template in pod_templates("base") for c in containers(template)}
    assert images == {f"sluice:{version}"}
    assert {m["metadata"]["labels"]["app.kubernetes.io/version"] for m in workloads("base")} == {version}
    assert f"ARG VERSION={version}" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------ security


@application
def test_pods_are_restricted(folder: str) -> None:
    for name, template in pod_templates(folder):
        pod = template["spec"]
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] == 10001, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys(), name


@application
def test_containers_can_neither_gain_rights_nor_write_outside_sized_volumes(folder: str) -> None:
    for name, template in pod_templates(folder):
        for container in containers(template):
            context = container["securityContext"]
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
        for volume in template["spec"]["volumes"]:
            kinds = volume.keys() - {"name"}
            assert kinds <= {"emptyDir", "configMap", "projected"}, name
            assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": ""}), name


@application
def test_every_mounted_volume_exists_and_every_volume_is_mounted(folder: str) -> None:
    for name, template in pod_templates(folder):
        mounted = {mount["name"] for c in containers(template) for mount in c["volumeMounts"]}
        assert mounted == {volume["name"] for volume in template["spec"]["volumes"]}, name


@application
def test_every_pod_has_a_service_account_of_its_own_without_a_token(folder: str) -> None:
    accounts = {m["metadata"]["name"]: m for m in of_kind(folder, "ServiceAccount")}
    used = [template["spec"]["serviceAccountName"] for _, template in pod_templates(folder)]
    assert sorted(used) == sorted(accounts)
    assert not [name for name, m in accounts.items() if m["automountServiceAccountToken"]]
    assert not of_kind(folder, "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding")


# ------------------------------------------------------------------------------------------------ probes, stops


@application
def test_probes_ask_the_named_port_and_readiness_asks_something_else_than_liveness(folder: str) -> None:
    for workload in workloads(folder):
        (container,) = containers(workload["spec"]["template"])
        asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
        assert {probe["port"] for probe in asked.values()} == {"http"}
        assert asked["startup"]["path"] == asked["liveness"]["path"] == "/healthz"
        assert asked["readiness"]["path"] == "/readyz"
        startup, liveness = container["startupProbe"], container["livenessProbe"]
        assert startup["periodSeconds"] * startup["failureThreshold"] >= 60
        assert liveness["periodSeconds"] * liveness["failureThreshold"] >= 60, "slow is not dead"


@application
def test_a_port_that_a_service_names_exists_in_its_pods(folder: str) -> None:
    templates = dict(pod_templates(folder))
    for service in of_kind(folder, "Service"):
        for pod in selected(folder, {"matchLabels": service["spec"]["selector"]}):
            ports = {port["name"] for c in containers(templates[pod]) for port in c["ports"]}
            assert {port["targetPort"] for port in service["spec"].get("ports", [])} <= ports, name_of(service)


@application
def test_a_pod_is_given_the_time_that_its_stop_can_take(folder: str) -> None:
    for workload in workloads(folder):
        template = workload["spec"]["template"]
        parts = {
            part.split("=")[0]: int(part.split("=")[1])
            for part in template["metadata"]["annotations"]["sluice/grace"].split()
        }
        (container,) = containers(template)
        sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        assert parts.get("preStop", 0) == sleep, name_of(workload)
        for part, seconds in STOPS[component(template)].items():
            assert parts[part] >= seconds, f"{name_of(workload)}: {part} takes up to {seconds} s"
        needed = sum(parts.values())
        assert needed <= template["spec"]["terminationGracePeriodSeconds"] <= needed + 15, name_of(workload)


# ------------------------------------------------------------------------------------------------ resources


@application
def test_requests_are_set_and_the_memory_of_stateful_pods_is_reserved(folder: str) -> None:
    for name, template in pod_templates(folder):
        for container in containers(template):
            requests, limits = container["resources"]["requests"], container["resources"]["limits"]
            assert requests.keys() == {"cpu", "memory", "ephemeral-storage"}, name
            assert limits.keys() == {"memory", "ephemeral-storage"}, f"{name}: a CPU limit throttles heartbeats"
            if name.startswith("StatefulSet"):
                assert requests["memory"] == limits["memory"], name


@application
def test_volumes_fit_into_the_limits_of_their_pod(folder: str) -> None:
    for name, template in pod_templates(folder):
        limits = containers(template)[0]["resources"]["limits"]
        for volume in template["spec"]["volumes"]:
            empty = volume.get("emptyDir")
            if empty:
                limit = limits["memory" if empty.get("medium") == "Memory" else "ephemeral-storage"]
                assert amount(empty["sizeLimit"]) < amount(limit), f"{name}: {volume['name']}"


def test_the_receivers_memory_holds_what_it_admits_twice() -> None:
    """Once as bodies, once as records in the producer's queue; the rest is the interpreter."""
    (receiver,) = of_kind("overlays/production", "Deployment")
    limit = amount(containers(receiver["spec"]["template"])[0]["resources"]["limits"]["memory"])
    assert limit >= 2 * Limits().in_flight_bytes + (192 << 20)


# ------------------------------------------------------------------------------------------------ availability


@application
def test_workloads_of_several_pods_have_one_disruption_budget_and_others_have_none(folder: str) -> None:
    budgets = of_kind(folder, "PodDisruptionBudget")
    for workload in workloads(folder):
        labels = workload["spec"]["template"]["metadata"]["labels"]
        mine = [budget["spec"] for budget in budgets if selects(budget["spec"]["selector"], labels)]
        assert len(mine) == (replicas(folder, workload) > 1), name_of(workload)
        for spec in mine:
            assert (spec["maxUnavailable"], spec["unhealthyPodEvictionPolicy"]) == (1, "AlwaysAllow")
    for budget in budgets:
        assert len(selected(folder, budget["spec"]["selector"])) == 1, name_of(budget)


def test_production_takes_webhooks_on_three_pods_at_least() -> None:
    (receiver,) = of_kind("overlays/production", "Deployment")
    assert replicas("overlays/production", receiver) >= 3
    assert receiver["spec"]["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert receiver["spec"]["template"]["spec"]["priorityClassName"] == "sluice-receiver"


def test_stateful_pods_divide_the_shards_evenly() -> None:
    profile = PROFILES["production"]
    for workload in of_kind("overlays/production", "StatefulSet"):
        shards = profile.shard if component(workload["spec"]["template"]) == "resolver" else profile.platform
        assert shards % workload["spec"]["replicas"] == 0, name_of(workload)


@application
def test_stateful_pods_start_together_and_keep_their_name_in_the_group(folder: str) -> None:
    services = {m["metadata"]["name"] for m in of_kind(folder, "Service") if m["spec"].get("clusterIP") == "None"}
    for workload in of_kind(folder, "StatefulSet"):
        assert workload["spec"]["podManagementPolicy"] == "Parallel"
        assert workload["spec"]["serviceName"] in services
        (container,) = containers(workload["spec"]["template"])
        names = {entry["name"]: entry["valueFrom"]["fieldRef"]["fieldPath"] for entry in container["env"]}
        assert names == {"SLUICE_INSTANCE_ID": "metadata.name"}


@application
def test_nothing_that_holds_shards_is_scaled_by_load(folder: str) -> None:
    targets = {m["spec"]["scaleTargetRef"]["name"] for m in of_kind(folder, "HorizontalPodAutoscaler")}
    assert targets <= {"receiver"}


@application
def test_pods_of_a_workload_are_spread_over_zones_and_nodes(folder: str) -> None:
    for workload in workloads(folder):
        pod = workload["spec"]["template"]
        keys = {rule["topologyKey"] for rule in pod["spec"]["topologySpreadConstraints"]}
        assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        for rule in pod["spec"]["topologySpreadConstraints"]:
            assert rule["labelSelector"] == workload["spec"]["selector"], name_of(workload)


@application
def test_every_priority_class_that_is_used_exists(folder: str) -> None:
    used = {template["spec"]["priorityClassName"] for _, template in pod_templates(folder)}
    assert used == {m["metadata"]["name"] for m in of_kind(folder, "PriorityClass")}


@application
def test_the_release_job_ends_by_itself_and_checks_before_it_registers(folder: str) -> None:
    (job,) = of_kind(folder, "Job")
    assert {"backoffLimit", "activeDeadlineSeconds", "ttlSecondsAfterFinished"} <= job["spec"].keys()
    steps = [tuple(container["args"]) for container in containers(job["spec"]["template"])]
    assert steps == [("topics", "verify"), ("schemas", "register")]


@application
def test_what_waits_for_the_release_job_are_the_workloads_and_nothing_it_needs(folder: str) -> None:
    waiting = {name_of(m) for m in build(folder) if m["metadata"].get("labels", {}).get("sluice/stage") == "run"}
    second = {name_of(m) for m in build(folder) if _wave(m) == "1"}
    assert waiting == second == {name_of(m) for m in workloads(folder)}


def _wave(manifest: Manifest) -> str | None:
    wave: str | None = manifest["metadata"].get("annotations", {}).get("argocd.argoproj.io/sync-wave")
    return wave


def test_metrics_are_taken_from_every_role() -> None:
    (monitor,) = of_kind("overlays/production", "PodMonitor")
    found = set(selected("overlays/production", monitor["spec"]["selector"]))
    assert found == {name_of(m) for m in workloads("overlays/production")}
    assert {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]} == {"http"}
