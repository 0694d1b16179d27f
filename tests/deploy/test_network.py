"""Who may talk to whom: nobody, except as these tests say."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from schemas.topics import PLATFORMS
from tests.deploy.manifests import APPLICATIONS, containers, name_of, of_kind, pod_templates, selected

application = pytest.mark.parametrize("folder", APPLICATIONS)
PRODUCTION = "overlays/production"
COURIERS = {f"StatefulSet/courier-{platform}" for platform in PLATFORMS}
FORBIDDEN = [
    "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "127.0.0.1", "169.254.169.254", "100.64.0.1",
    "100.100.100.200", "0.0.0.0", "192.0.0.192", "198.18.0.1", "224.0.0.1", "255.255.255.255",
    "::1", "fe80::1", "fd00:ec2::254", "fc00::1", "ff02::1", "64:ff9b::a9fe:a9fe", "::ffff:10.0.0.1",
]  # fmt: skip
ALLOWED = ["23.227.38.65", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2620:127:f00e::1", "2a00:1450::1"]


def policies(folder: str, direction: str) -> list[Any]:
    """(policy, pods it selects, rules) of one direction; without those that only deny."""
    return [
        (name_of(m), set(selected(folder, m["spec"]["podSelector"])), m["spec"][direction])
        for m in of_kind(folder, "NetworkPolicy")
        if direction in m["spec"]
    ]


def reachable(address: str, block: dict[str, Any]) -> bool:
    target = ip_address(address)
    inside = [ip_network(cidr) for cidr in block.get("except", [])]
    return target in ip_network(block["cidr"]) and not any(target in network for network in inside)


@application
def test_everything_is_denied_that_no_policy_allows(folder: str) -> None:
    denying = [m["spec"] for m in of_kind(folder, "NetworkPolicy") if m["metadata"]["name"] == "default-deny"]
    assert denying == [{"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}]


@application
def test_every_policy_selects_a_pod_and_declares_what_it_rules(folder: str) -> None:
    for policy in of_kind(folder, "NetworkPolicy"):
        assert selected(folder, policy["spec"]["podSelector"]), name_of(policy)
        if policy["metadata"]["name"] != "default-deny":
            assert [kind.lower() for kind in policy["spec"]["policyTypes"]] == [
                key for key in policy["spec"] if key in ("ingress", "egress")
            ], name_of(policy)


@application
def test_every_pod_reaches_dns_kafka_and_the_registry(folder: str) -> None:
    everybody = {name for name, _ in pod_templates(folder)}
    ports = {port["port"]: pods for _, pods, rules in policies(folder, "egress") for port in rules[0]["ports"]}
    assert ports == {53: everybody, 9093: everybody, 8080: everybody, 443: COURIERS}


@application
def test_inside_the_cluster_pods_of_a_namespace_are_reached_never_all_of_it(folder: str) -> None:
    peers = [peer for _, _, rules in policies(folder, "egress") for rule in rules for peer in rule["to"]]
    assert all(peer.keys() in ({"ipBlock"}, {"namespaceSelector", "podSelector"}) for peer in peers)


@application
def test_only_couriers_leave_the_cluster(folder: str) -> None:
    leaving = [
        (name, pods)
        for name, pods, rules in policies(folder, "egress")
        for rule in rules
        for peer in rule["to"]
        if "ipBlock" in peer
    ]
    assert {name for name, _ in leaving} == {"NetworkPolicy/vendors"}
    assert all(pods == COURIERS for _, pods in leaving)


@application
def test_no_rule_is_without_peers_or_ports(folder: str) -> None:
    """An absent list means everybody, or everything; an empty selector, too."""
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for name, _, rules in policies(folder, direction):
            for rule in rules:
                assert rule[peers], name
                assert rule["ports"], name
                for peer in rule[peers]:
                    assert peer
                    assert all(selector.get("matchLabels") or "cidr" in selector for selector in peer.values()), name


@pytest.mark.parametrize("address", FORBIDDEN)
def test_a_courier_cannot_be_made_to_call_inside(address: str) -> None:
    assert not _vendor(address)


@pytest.mark.parametrize("address", ALLOWED)
def test_a_courier_reaches_vendors(address: str) -> None:
    assert _vendor(address)


def _vendor(address: str) -> bool:
    ((_, _, (rule,)),) = [policy for policy in policies(PRODUCTION, "egress") if policy[0] == "NetworkPolicy/vendors"]
    return any(reachable(address, peer["ipBlock"]) for peer in rule["to"])


@application
def test_only_the_gateway_posts_webhooks_and_only_monitoring_reads_metrics(folder: str) -> None:
    peers = {name: (pods, rule["from"]) for name, pods, (rule,) in policies(folder, "ingress")}
    pods, allowed = peers.pop("NetworkPolicy/webhooks")
    assert pods == {"Deployment/receiver"}
    assert allowed == [{"namespaceSelector": {"matchLabels": {"sluice/gateway": "true"}}}]
    (_, allowed) = peers.pop("NetworkPolicy/metrics")
    assert allowed == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert not peers


@application
def test_a_port_that_is_opened_is_one_that_a_selected_pod_has(folder: str) -> None:
    templates = dict(pod_templates(folder))
    for name, pods, rules in policies(folder, "ingress"):
        ports = [port for pod in pods for c in containers(templates[pod]) for port in c.get("ports", [])]
        known = {port["name"] for port in ports} | {port["containerPort"] for port in ports}
        assert {port["port"] for rule in rules for port in rule["ports"]} <= known, name
