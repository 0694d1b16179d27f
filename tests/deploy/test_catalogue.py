"""The objects for Strimzi say what the topic catalogue says, and grant no more."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from schemas import manifests
from schemas.manifests import Principal
from schemas.topics import CATALOGUE, PLATFORMS, PROFILES, XREF, Role
from streams.runtime import hosting
from streams.runtime.settings import load
from tests.deploy.manifests import ROOT, of_kind, secrets_referred_to

PROFILE_OF = {"overlays/local/kafka": "development", "overlays/production/kafka": "production"}
WORKING = [Role.RECEIVER, Role.MAPPER, Role.RESOLVER, Role.COURIER]


def acls(user: str) -> Iterator[tuple[str, str, str, set[str]]]:
    """(type, name, pattern, operations) of a user's rights."""
    (found,) = (m for m in of_kind("overlays/production/kafka", "KafkaUser") if m["metadata"]["name"] == user)
    for acl in found["spec"]["authorization"]["acls"]:
        resource = acl["resource"]
        yield resource["type"], resource["name"], resource["patternType"], set(acl["operations"])


def topics_with(user: str, operation: str) -> set[str]:
    return {name for kind, name, _, operations in acls(user) if kind == "topic" and operation in operations}


def full(names: Any) -> set[str]:
    return {f"sluice.{topic.name}" for topic in names}


def test_the_checked_in_files_are_what_the_catalogue_says() -> None:
    assert manifests.stale() == [], "run python -m schemas.manifests"


def test_a_changed_file_is_stale(tmp_path: Any) -> None:
    for name, text in manifests.render().items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert manifests.stale(tmp_path) == []
    (tmp_path / "topics.yaml").write_text("partitions: 7", encoding="utf-8")
    (tmp_path / "users.yaml").unlink()
    assert manifests.stale(tmp_path) == ["topics.yaml", "users.yaml"]


@pytest.mark.parametrize("folder", PROFILE_OF)
def test_every_topic_has_the_partitions_and_the_configuration_of_its_profile(folder: str) -> None:
    profile = PROFILES[PROFILE_OF[folder]]
    built = {m["spec"]["topicName"]: m["spec"] for m in of_kind(folder, "KafkaTopic")}
    assert built == {
        f"sluice.{topic.name}": {
            "topicName": f"sluice.{topic.name}",
            "partitions": profile.partitions(topic.sizing),
            "replicas": profile.replication,
            "config": topic.config(profile),
        }
        for topic in CATALOGUE.values()
    }


def test_two_topics_never_share_an_object() -> None:
    assert len({manifests.object_name(topic) for topic in CATALOGUE.values()}) == len(CATALOGUE)


@pytest.mark.parametrize("principal", manifests.principals(), ids=lambda principal: principal.name)
def test_a_principal_reads_and_writes_its_columns_of_the_catalogue_and_nothing_else(principal: Principal) -> None:
    assert topics_with(principal.name, "Read") == full(principal.consumes())
    assert topics_with(principal.name, "Write") == full(principal.produces())


def test_every_column_of_the_catalogue_is_somebodys_right() -> None:
    for topic in CATALOGUE.values():
        mine = [p for p in manifests.principals() if p.touches(topic)]
        assert {p.role for p in mine if topic in p.produces()} == set(topic.producers), topic.name
        assert {p.role for p in mine if topic in p.consumes()} == set(topic.consumers), topic.name


def test_nobody_may_create_change_or_delete_anything() -> None:
    for user in of_kind("overlays/production/kafka", "KafkaUser"):
        allowed = set().union(*(operations for *_, operations in acls(user["metadata"]["name"])))
        assert allowed <= {"Read", "Write", "Describe", "DescribeConfigs"}, user["metadata"]["name"]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_courier_sees_no_topic_of_another_platform(platform: str) -> None:
    names = {name for kind, name, *_ in acls(f"sluice-courier-{platform}") if kind == "topic"}
    others = [other for other in PLATFORMS if other != platform]
    assert f"sluice.push.{platform}.v1" in names
    assert not [name for name in names for other in others if f".{other}." in name]


@pytest.mark.parametrize("role", WORKING)
def test_only_those_who_write_rows_have_transactions_and_under_their_own_name(role: Role) -> None:
    for principal in (p for p in manifests.principals() if p.role is role):
        ids = [acl[1:] for acl in acls(principal.name) if acl[0] == "transactionalId"]
        own = (f"{principal.group}-", "prefix", {"Write", "Describe"})
        assert ids == ([] if role is Role.RECEIVER else [own])


@pytest.mark.parametrize("role", [role for role in WORKING if role is not Role.RECEIVER])
def test_a_role_may_use_the_group_that_its_process_joins(role: Role) -> None:
    for principal in (p for p in manifests.principals() if p.role is role):
        joined = hosting.group(load(), hosted_name(principal))
        granted = {(name, pattern) for kind, name, pattern, _ in acls(principal.name) if kind == "group"}
        assert (joined, "literal") in granted


def hosted_name(principal: Principal) -> str:
    unused: Any = None
    return hosting.Hosted(principal.role, (), "", processor=unused, platform=principal.platform).name


# Of commands that people run with their own principal, not of a role.
OPERATORS = {"sluice-reader", "{self._prefix}{role}"}


def test_groups_that_only_have_a_name_are_allowed_to_those_who_read_with_them() -> None:
    """librdkafka looks up the coordinator of a consumer that never commits, too, and reports a missing right."""
    folders = ("runtime", "shard", "worker", *(role.value for role in WORKING))
    files = [path for folder in folders for path in (ROOT / "streams" / folder).rglob("*.py")]
    named = {
        name for path in files for name in re.findall(r'"group\.id": f?"([^"]+)"', path.read_text(encoding="utf-8"))
    }
    assert named - OPERATORS == {manifests.RESTORE, manifests.REPLICA}
    for principal in manifests.principals():
        groups = {name for kind, name, *_ in acls(principal.name) if kind == "group"}
        assert (manifests.RESTORE in groups) == principal.is_transactional()
        assert (manifests.REPLICA in groups) == (CATALOGUE[XREF] in principal.consumes())


def test_every_pod_has_the_certificate_of_a_user_that_exists() -> None:
    users = {m["metadata"]["name"] for m in of_kind("overlays/production/kafka", "KafkaUser")}
    mounted = {
        (who, secret) for who, secret, _ in secrets_referred_to("overlays/production") if secret.startswith("sluice-")
    }
    assert {secret for _, secret in mounted} <= users
    assert all(secret == f"sluice-{who.split('/')[1]}" for who, secret in mounted)
    assert len(mounted) == 4 + len(PLATFORMS)  # receiver, mapper, resolver, release; one courier per platform
