"""The topic catalogue: every topic Sluice knows, in one typed place.

Names, partitions, retention, keys, schemas, headers and who may produce or consume them are read from here by the
roles, `sluice topics`, the Kubernetes manifests, the ACLs and the docs.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from schemas.entities import EntityType

DAY_MS = 86_400_000
PLATFORMS = ("shopify", "prestashop", "threepl")


class Cleanup(StrEnum):
    """Kafka's cleanup.policy."""

    DELETE = "delete"
    COMPACT = "compact"


class Compatibility(StrEnum):
    """What a new schema version must keep; enforced by `sluice schemas check`."""

    BACKWARD = "BACKWARD"
    BACKWARD_TRANSITIVE = "BACKWARD_TRANSITIVE"
    FULL_TRANSITIVE = "FULL_TRANSITIVE"


class Role(StrEnum):
    """Who touches a topic; one principal each."""

    RECEIVER = "receiver"
    MAPPER = "mapper"
    RESOLVER = "resolver"
    COURIER = "courier"
    CONSOLE = "console"
    ANALYTICS = "analytics"
    OPERATOR = "operator"


class Sizing(StrEnum):
    """Which of a profile's partition counts a topic has. Co-partitioned topics share one."""

    SHARD = "shard"
    PLATFORM = "platform"
    SMALL = "small"


@dataclass(frozen=True, slots=True)
class Profile:
    """Partition counts and replication of one kind of installation."""

    name: str
    shard: int
    platform: int
    small: int
    replication: int
    min_isr: int

    def partitions(self, sizing: Sizing) -> int:
        """The partition count of a topic of this sizing."""
        return {Sizing.SHARD: self.shard, Sizing.PLATFORM: self.platform, Sizing.SMALL: self.small}[sizing]


PROFILES = {
    "development": Profile("development", shard=6, platform=3, small=3, replication=1, min_isr=1),
    "production": Profile("production", shard=24, platform=12, small=12, replication=3, min_isr=2),
}


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `name` is without the prefix; `schemas` are file names of schemas/avro (empty: packed rows)."""

    name: str
    sizing: Sizing
    cleanup: Cleanup
    key: str
    schemas: tuple[str, ...]
    producers: tuple[Role, ...]
    consumers: tuple[Role, ...]
    doc: str
    retention_ms: int = -1
    compatibility: Compatibility = Compatibility.BACKWARD
    record_subjects: bool = False
    headers: tuple[str, ...] = ()
    max_message_bytes: int = 1_048_588
    delete_retention_ms: int = 7 * DAY_MS
    public: bool = False

    def subjects(self, prefix: str) -> dict[str, str]:
        """Registry subject -> schema name. Topic subjects, or record subjects where a topic carries many types."""
        if self.record_subjects:
            return {f"sluice.{_camel(name)}": name for name in self.schemas}
        return {f"{prefix}{self.name}-value": name for name in self.schemas}

    def config(self, profile: Profile) -> dict[str, str]:
        """The broker's topic configuration. LogAppendTime: a backfill with old CreateTime would be deleted at once."""
        config = {
            "cleanup.policy": self.cleanup.value,
            "max.message.bytes": str(self.max_message_bytes),
            "min.insync.replicas": str(profile.min_isr),
            "message.timestamp.type": "LogAppendTime",
            "compression.type": "producer",
        }
        if self.cleanup is Cleanup.COMPACT:
            config |= {"delete.retention.ms": str(self.delete_retention_ms), "min.cleanable.dirty.ratio": "0.3"}
        else:
            config["retention.ms"] = str(self.retention_ms)
        return config


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


_CE = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_dataschema", "content-type")
_CANONICAL = tuple(kind.value for kind in EntityType)
_ALL = (Role.RECEIVER, Role.MAPPER, Role.RESOLVER, Role.COURIER)


def raw(platform: str) -> str:
    """Topic of verbatim bodies of one platform."""
    return f"raw.{platform}.v1"


def state(kind: EntityType) -> str:
    """Compacted topic of winners of one entity type."""
    return f"state.{kind.value}.v1"


def events(kind: EntityType) -> str:
    """Topic of every accepted change of one entity type, in source order per entity."""
    return f"events.{kind.value}.v1"


def push(platform: str) -> str:
    """Topic of what accounts of one platform should now hold."""
    return f"push.{platform}.v1"


def push_bulk(platform: str) -> str:
    """As push, for work that gives way to everything live."""
    return f"push-bulk.{platform}.v1"


def fetch(platform: str) -> str:
    """Topic of records to be read at one platform."""
    return f"fetch.{platform}.v1"


def tasks(platform: str) -> str:
    """Topic of what people decided about parked work for one platform."""
    return f"tasks.{platform}.v1"


def courier_changelog(platform: str) -> str:
    """Changelog of the courier's rows of one platform."""
    return f"courier-changelog.{platform}.v1"


MAP_CHANGELOG = "map-changelog.v1"
INBOUND = "inbound.v1"
INBOUND_BULK = "inbound-bulk.v1"
RESOLVE_CHANGELOG = "resolve-changelog.v1"
RESOLVE_SEEN = "resolve-seen.v1"
DECISIONS = "decisions.v1"
XREF = "xref.v1"
CALLS = "calls.v1"
DEAD_LETTERS = "dead-letters.v1"


def _push(name: str, doc: str) -> Topic:
    return Topic(
        name,
        Sizing.PLATFORM,
        Cleanup.DELETE,
        "account, golden key",
        ("push_task",),
        (Role.RESOLVER, Role.COURIER),  # a courier hands commands over to other accounts
        (Role.COURIER,),
        doc,
        retention_ms=3 * DAY_MS,
    )


def _per_platform(platform: str) -> list[Topic]:
    return [
        Topic(
            raw(platform),
            Sizing.PLATFORM,
            Cleanup.DELETE,
            "account, delivery or resource id",
            ("raw_envelope",),
            (Role.RECEIVER, Role.COURIER),
            (Role.MAPPER, Role.OPERATOR),
            "What the platform said, verbatim; the system of record.",
            retention_ms=21 * DAY_MS,
            headers=_CE,
            max_message_bytes=8_388_608,
        ),
        _push(push(platform), "What accounts should now hold."),
        _push(push_bulk(platform), "As push, giving way to live work."),
        Topic(
            fetch(platform),
            Sizing.PLATFORM,
            Cleanup.DELETE,
            "account, resource, id",
            ("fetch_request",),
            (Role.MAPPER, Role.RESOLVER),
            (Role.COURIER,),
            "Records to be read at their source.",
            retention_ms=3 * DAY_MS,
        ),
        Topic(
            tasks(platform),
            Sizing.PLATFORM,
            Cleanup.DELETE,
            "account, row",
            ("task_verdict",),
            (Role.CONSOLE, Role.OPERATOR),
            (Role.COURIER, Role.CONSOLE, Role.OPERATOR),
            "What people decided about parked work; the record of who decided what, and why.",
            retention_ms=400 * DAY_MS,
        ),
        Topic(
            courier_changelog(platform),
            Sizing.PLATFORM,
            Cleanup.COMPACT,
            "row key",
            (),
            (Role.COURIER,),
            (Role.COURIER, Role.CONSOLE, Role.OPERATOR),
            "Rows of the courier's shards.",
        ),
    ]


def _per_entity(kind: EntityType) -> list[Topic]:
    return [
        Topic(
            state(kind),
            Sizing.SHARD,
            Cleanup.COMPACT,
            "golden key",
            (kind.value,),
            (Role.RESOLVER,),
            (Role.ANALYTICS, Role.CONSOLE),
            f"The winning {kind.value}; null means deleted.",
            compatibility=Compatibility.FULL_TRANSITIVE,
            public=True,
        ),
        Topic(
            events(kind),
            Sizing.SHARD,
            Cleanup.DELETE,
            "golden key",
            (kind.value,),
            (Role.RESOLVER,),
            (Role.ANALYTICS, Role.CONSOLE),
            f"Every accepted change of a {kind.value}, deduplicated, in source order per entity.",
            retention_ms=90 * DAY_MS,
            compatibility=Compatibility.FULL_TRANSITIVE,
            headers=("sluice",),
            public=True,
        ),
    ]


def _inbound(name: str, doc: str) -> Topic:
    return Topic(
        name,
        Sizing.SHARD,
        Cleanup.DELETE,
        "golden key",
        _CANONICAL,
        (Role.MAPPER,),
        (Role.RESOLVER,),
        doc,
        retention_ms=7 * DAY_MS,
        record_subjects=True,
        headers=("sluice",),
    )


def _of_mapper() -> list[Topic]:
    return [
        Topic(
            MAP_CHANGELOG,
            Sizing.PLATFORM,
            Cleanup.COMPACT,
            "row key",
            (),
            (Role.MAPPER,),
            (Role.MAPPER, Role.CONSOLE),
            "Ledger rows of the mapper's shards; one for all platforms, whose raw topics are co-partitioned.",
        ),
        _inbound(INBOUND, "Canonical events of all types."),
        _inbound(INBOUND_BULK, "As inbound, read when live is caught up."),
    ]


def _of_resolver() -> list[Topic]:
    return [
        Topic(
            RESOLVE_CHANGELOG,
            Sizing.SHARD,
            Cleanup.COMPACT,
            "row key",
            (),
            (Role.RESOLVER,),
            (Role.RESOLVER, Role.CONSOLE),
            "Rows of the resolver's shards.",
        ),
        Topic(
            RESOLVE_SEEN,
            Sizing.SHARD,
            Cleanup.DELETE,
            "day",
            (),
            (Role.RESOLVER,),
            (Role.RESOLVER,),
            "Ids of released events, packed, one record per transaction.",
            retention_ms=8 * DAY_MS,
        ),
        Topic(
            DECISIONS,
            Sizing.SHARD,
            Cleanup.DELETE,
            "golden key",
            ("decision",),
            (Role.RESOLVER,),
            (Role.ANALYTICS, Role.CONSOLE, Role.OPERATOR),
            "Who won, who lost, by which rule.",
            retention_ms=30 * DAY_MS,
            public=True,
        ),
    ]


def _beside_the_flow() -> list[Topic]:
    return [
        Topic(
            XREF,
            Sizing.SMALL,
            Cleanup.COMPACT,
            "source key",
            ("xref",),
            (Role.MAPPER,),
            (Role.MAPPER, Role.COURIER, Role.CONSOLE),
            "Remote id <-> entity.",
        ),
        Topic(
            CALLS,
            Sizing.SHARD,
            Cleanup.DELETE,
            "account",
            ("api_call",),
            (Role.COURIER,),
            (Role.ANALYTICS, Role.CONSOLE, Role.OPERATOR),
            "Every request to a vendor.",
            retention_ms=30 * DAY_MS,
            public=True,
        ),
        Topic(
            DEAD_LETTERS,
            Sizing.SMALL,
            Cleanup.DELETE,
            "original key",
            ("dead_letter",),
            _ALL,
            (Role.CONSOLE, Role.OPERATOR),
            "Records that could not be processed, with their bytes, reason and origin.",
            retention_ms=21 * DAY_MS,
            max_message_bytes=9_437_184,
        ),
    ]


CATALOGUE: dict[str, Topic] = {
    topic.name: topic
    for topic in [
        *(topic for platform in PLATFORMS for topic in _per_platform(platform)),
        *(topic for kind in EntityType for topic in _per_entity(kind)),
        *_of_mapper(),
        *_of_resolver(),
        *_beside_the_flow(),
    ]
}
