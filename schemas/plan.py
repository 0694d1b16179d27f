"""What a broker's topics lack towards the catalogue. Pure: the broker's side is given, `schemas.admin` asks for it.

Nothing here deletes or shrinks: topics that the catalogue does not know and partitions beyond it are reported only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from schemas.topics import CATALOGUE, Profile, Topic

GROWING = (
    "the key chooses the partition, so with another count the same key goes to another partition than before, and "
    "order and state of what is there would be split; choose the profile the topics were made with (--profile), or "
    "begin topics under another prefix and replay raw.* into them"
)


@dataclass(frozen=True, slots=True)
class Existing:
    """A topic as the broker has it. `config` holds effective values, defaults of the broker included."""

    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Create:
    """A topic that is missing."""

    topic: str
    partitions: int
    replication: int
    config: Mapping[str, str]

    def __str__(self) -> str:
        return f"create  {self.topic}: {self.partitions} partitions, {self.replication} replicas"


@dataclass(frozen=True, slots=True)
class Change:
    """A configuration value that differs. `old` is None when the broker does not know the key."""

    topic: str
    key: str
    old: str | None
    new: str

    @property
    def loses_records(self) -> bool:
        """Whether the broker will delete records that it would keep today."""
        if self.key == "retention.ms":
            old, new = _forever(self.old or "-1"), _forever(self.new)
            return new < old
        return self.key == "cleanup.policy" and self.old != self.new

    def __str__(self) -> str:
        warning = "  (the broker will delete records it keeps today)" if self.loses_records else ""
        return f"change  {self.topic}: {self.key} {self.old} -> {self.new}{warning}"


@dataclass(frozen=True, slots=True)
class Grow:
    """A topic with fewer partitions than the catalogue says. `key` is what chooses its partitions, if anything does."""

    topic: str
    old: int
    new: int
    key: str

    @property
    def refused(self) -> bool:
        """More partitions would send the keys that are there elsewhere: order, state and dedupe would be split."""
        return bool(self.key)

    def __str__(self) -> str:
        if not self.refused:
            return f"grow    {self.topic}: {self.old} -> {self.new} partitions"
        return f"refused {self.topic}: {self.old} -> {self.new} partitions; its records are placed by {self.key}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do, and what only a person can decide (`reports`, sentences)."""

    creates: tuple[Create, ...] = ()
    changes: tuple[Change, ...] = ()
    grows: tuple[Grow, ...] = ()
    reports: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    @property
    def refusals(self) -> tuple[Grow, ...]:
        return tuple(grow for grow in self.grows if grow.refused)

    @property
    def touches_existing(self) -> bool:
        """Whether applying alters a topic that is there; new topics alone are harmless."""
        return bool(self.changes) or any(not grow.refused for grow in self.grows)

    @property
    def differs(self) -> bool:
        """Whether broker and catalogue disagree on a topic of the catalogue."""
        return bool(self.creates or self.changes or self.grows or self.reports)

    def lines(self) -> list[str]:
        """One line per difference, what stops everything first."""
        actions = [*self.refusals, *(grow for grow in self.grows if not grow.refused), *self.creates, *self.changes]
        unknown = [
            f"unknown {topic}: under the prefix, but not in the catalogue; it is left alone" for topic in self.unknown
        ]
        return [*map(str, actions), *self.reports, *unknown]


def diff(
    existing: Mapping[str, Existing], prefix: str, profile: Profile, topics: Iterable[Topic] = tuple(CATALOGUE.values())
) -> Plan:
    """What the broker lacks. `existing`: full topic name -> what the broker has, all topics or those of the prefix."""
    catalogue = {f"{prefix}{topic.name}": topic for topic in topics}
    creates: list[Create] = []
    changes: list[Change] = []
    grows: list[Grow] = []
    reports: list[str] = []
    for name, topic in catalogue.items():
        found, count = existing.get(name), profile.partitions(topic.sizing)
        if found is None:
            creates.append(Create(name, count, profile.replication, topic.config(profile)))
            continue
        if found.partitions < count:
            grows.append(Grow(name, found.partitions, count, topic.key))
        changes += _changes(name, found.config, topic.config(profile))
        reports += _reports(name, found, count, profile)
    unknown = sorted(name for name in existing if name not in catalogue and _ours(name, prefix))
    return Plan(tuple(creates), tuple(changes), tuple(grows), tuple(reports), tuple(unknown))


def _changes(name: str, actual: Mapping[str, str], wanted: Mapping[str, str]) -> list[Change]:
    """Only keys the catalogue sets are compared: all others belong to whoever runs the cluster."""
    return [Change(name, key, actual.get(key), value) for key, value in wanted.items() if actual.get(key) != value]


def _reports(name: str, found: Existing, count: int, profile: Profile) -> list[str]:
    reports = []
    if found.partitions > count:
        reports.append(
            f"differs {name}: {found.partitions} partitions, the catalogue says {count}; Kafka cannot take partitions "
            f"away: choose the profile the topic was made with (--profile), or another prefix"
        )
    if found.replication != profile.replication:
        reports.append(
            f"differs {name}: {found.replication} replicas, profile {profile.name} says {profile.replication}; change "
            f"it with kafka-reassign-partitions, it moves data"
        )
    return reports


def _ours(name: str, prefix: str) -> bool:
    return name.startswith(prefix) and not name.startswith("__")


def _forever(milliseconds: str) -> float:
    """-1 keeps everything."""
    return float("inf") if int(milliseconds) < 0 else int(milliseconds)
