"""Strimzi's KafkaTopic and KafkaUser objects, rendered from the topic catalogue.

    python -m schemas.manifests           write deploy/k8s/base/kafka/{topics,users}.yaml
    python -m schemas.manifests --check   exit 1 when they are not what the catalogue says

Source of the forms: strimzi.io, KafkaTopic and KafkaUser schema reference, API version kafka.strimzi.io/v1. Sources of
the operations: kafka.apache.org, "Authorization using ACLs", and librdkafka, which looks up the coordinator of every
consumer with a group id, also of one that never commits.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from schemas.topics import CATALOGUE, PLATFORMS, PROFILES, XREF, Cleanup, Profile, Role, Topic

DIRECTORY = Path(__file__).parent.parent / "deploy" / "k8s" / "base" / "kafka"
PREFIX = "sluice."
CLUSTER = "kafka"
APPLICATION = "sluice"
RESTORE, REPLICA = "sluice-restore", "sluice-xref-replica"  # groups in name only: assigned by hand, never committed
READS_ALONG = (Role.CONSOLE, Role.ANALYTICS, Role.OPERATOR)
BULK_BYTES = 20 << 20  # bytes per second and broker for those who read along; live work has no quota
_API = "kafka.strimzi.io/v1"
_HEADER = "# Generated from schemas/topics.py by `python -m schemas.manifests`; a test compares them. Do not edit.\n"

Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who connects to Kafka. A courier works for one platform and sees no other platform's topics."""

    role: Role
    platform: str = ""

    @property
    def name(self) -> str:
        """Name of the KafkaUser and of the Secret with its certificate, e.g. sluice-courier-shopify."""
        return f"{APPLICATION}-{self._worker}"

    @property
    def group(self) -> str:
        """Its consumer group, e.g. sluice.courier-shopify; transactional ids are this and the number of a shard."""
        return f"{PREFIX}{self._worker}"

    @property
    def _worker(self) -> str:
        return f"{self.role.value}-{self.platform}" if self.platform else self.role.value

    def touches(self, topic: Topic) -> bool:
        """False for topics of other platforms."""
        return not self.platform or platform_of(topic) in ("", self.platform)

    def produces(self) -> list[Topic]:
        """The topics it writes, in the catalogue's order."""
        return [topic for topic in CATALOGUE.values() if self.role in topic.producers and self.touches(topic)]

    def consumes(self) -> list[Topic]:
        """The topics it reads, in the catalogue's order."""
        return [topic for topic in CATALOGUE.values() if self.role in topic.consumers and self.touches(topic)]

    def is_transactional(self) -> bool:
        """Whoever writes changelog rows does so in transactions."""
        return any(_is_changelog(topic) for topic in self.produces())


def principals() -> list[Principal]:
    """One per role; one per platform of the courier."""
    found: list[Principal] = []
    for role in Role:
        found += [Principal(role, p) for p in PLATFORMS] if role is Role.COURIER else [Principal(role)]
    return found


def platform_of(topic: Topic) -> str:
    """The platform a topic belongs to; empty when it belongs to all."""
    return next((part for part in topic.name.split(".") if part in PLATFORMS), "")


def _is_changelog(topic: Topic) -> bool:
    return topic.cleanup is Cleanup.COMPACT and not topic.schemas


def object_name(topic: Topic) -> str:
    """The name of a topic's object: a DNS name, so `_` becomes `-`. The topic's own name stands in spec.topicName."""
    return f"{PREFIX}{topic.name}".replace("_", "-")


def topic_manifest(topic: Topic, profile: Profile) -> Manifest:
    """The KafkaTopic of one topic, e.g. sluice.state.price.v1 with 24 partitions."""
    return {
        "apiVersion": _API,
        "kind": "KafkaTopic",
        "metadata": {
            "name": object_name(topic),
            "labels": {"strimzi.io/cluster": CLUSTER, "sluice/sizing": topic.sizing.value},
        },
        "spec": {
            "topicName": f"{PREFIX}{topic.name}",
            "partitions": profile.partitions(topic.sizing),
            "replicas": profile.replication,
            "config": topic.config(profile),
        },
    }


def user_manifest(principal: Principal) -> Manifest:
    """The KafkaUser of one principal: mutual TLS, and no more rights than its columns of the catalogue give."""
    spec: Manifest = {
        "authentication": {"type": "tls"},
        "authorization": {"type": "simple", "acls": list(_acls(principal))},
    }
    if principal.role in READS_ALONG:
        spec["quotas"] = {"consumerByteRate": BULK_BYTES}
    return _user(principal.name, spec)


def release_manifest() -> Manifest:
    """The KafkaUser of the release job, which compares the cluster's topics with the catalogue and changes nothing."""
    acls = [_acl("topic", PREFIX, "Describe", "DescribeConfigs", pattern="prefix")]
    return _user(
        f"{APPLICATION}-release",
        {"authentication": {"type": "tls"}, "authorization": {"type": "simple", "acls": acls}},
    )


def _user(name: str, spec: Manifest) -> Manifest:
    labels = {"strimzi.io/cluster": CLUSTER}
    return {"apiVersion": _API, "kind": "KafkaUser", "metadata": {"name": name, "labels": labels}, "spec": spec}


def _acls(principal: Principal) -> Iterable[Manifest]:
    written, read = principal.produces(), principal.consumes()
    for topic in CATALOGUE.values():
        rights = ["Read"] * (topic in read) + ["Write"] * (topic in written)
        if rights:
            yield _acl("topic", f"{PREFIX}{topic.name}", "Describe", *rights)
    if read:
        # Whoever reads along chooses names below its own; a working role has one group.
        reads_along = principal.role in READS_ALONG
        yield _acl("group", principal.group, "Describe", "Read", pattern="prefix" if reads_along else "literal")
    if CATALOGUE[XREF] in read:
        yield _acl("group", REPLICA, "Describe", "Read")
    if principal.is_transactional():
        yield _acl("group", RESTORE, "Describe", "Read")
        yield _acl("transactionalId", f"{principal.group}-", "Describe", "Write", pattern="prefix")


def _acl(kind: str, name: str, *operations: str, pattern: str = "literal") -> Manifest:
    return {"resource": {"type": kind, "name": name, "patternType": pattern}, "operations": list(operations)}


def render(profile: Profile = PROFILES["production"]) -> dict[str, str]:
    """File name -> YAML text of everything that is generated."""
    topics = [topic_manifest(topic, profile) for topic in CATALOGUE.values()]
    users = [*(user_manifest(principal) for principal in principals()), release_manifest()]
    return {"topics.yaml": _yaml(topics), "users.yaml": _yaml(users)}


class _Plain(yaml.SafeDumper):
    """Writes equal lists out each time: anchors are legal YAML and unreadable in a review."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(manifests: Iterable[Manifest]) -> str:
    return _HEADER + yaml.dump_all(manifests, Dumper=_Plain, sort_keys=False, width=120, explicit_start=True)


def stale(directory: Path = DIRECTORY) -> list[str]:
    """Names of the files that are missing or not what the catalogue says."""
    return [
        name
        for name, text in render().items()
        if not (directory / name).is_file() or (directory / name).read_text(encoding="utf-8") != text
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the files, or compare them. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m schemas.manifests", description="Render the catalogue for Strimzi."
    )
    parser.add_argument("--check", action="store_true", help="compare instead of writing; exit 1 when a file is stale")
    options = parser.parse_args(arguments)
    names = stale()
    if options.check:
        for name in names:
            sys.stderr.write(
                f"{DIRECTORY / name} is not what schemas/topics.py says: run python -m schemas.manifests\n"
            )
        return 1 if names else 0
    for name in names:
        (DIRECTORY / name).write_text(render()[name], encoding="utf-8")
        sys.stdout.write(f"written: {DIRECTORY / name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
