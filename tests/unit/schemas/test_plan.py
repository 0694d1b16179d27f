from __future__ import annotations

from dataclasses import replace

import pytest

from schemas.plan import Existing, diff
from schemas.topics import CATALOGUE, DEAD_LETTERS, INBOUND, PROFILES, raw

DEVELOPMENT, PRODUCTION = PROFILES["development"], PROFILES["production"]
RAW = CATALOGUE[raw("shopify")]


def exact(prefix: str = "sluice.") -> dict[str, Existing]:
    """A broker that has what the catalogue says, among the broker's own defaults."""
    return {
        f"{prefix}{topic.name}": Existing(
            DEVELOPMENT.partitions(topic.sizing),
            DEVELOPMENT.replication,
            topic.config(DEVELOPMENT) | {"segment.bytes": "1073741824"},
        )
        for topic in CATALOGUE.values()
    }


def test_a_broker_as_the_catalogue_says_needs_nothing() -> None:
    plan = diff(exact(), "sluice.", DEVELOPMENT)
    assert not plan.differs
    assert plan.lines() == []


def test_an_empty_broker_gets_every_topic() -> None:
    plan = diff({}, "dev.", DEVELOPMENT)
    assert {create.topic for create in plan.creates} == {f"dev.{name}" for name in CATALOGUE}
    created = next(create for create in plan.creates if create.topic == f"dev.{RAW.name}")
    assert (created.partitions, created.replication) == (3, 1)
    assert created.config["message.timestamp.type"] == "LogAppendTime"
    assert not plan.touches_existing


def test_a_missing_topic_is_created_and_nothing_else() -> None:
    existing = exact()
    del existing["sluice.xref.v1"]
    plan = diff(existing, "sluice.", DEVELOPMENT)
    assert plan.lines() == ["create  sluice.xref.v1: 3 partitions, 1 replicas"]


def test_a_setting_that_differs_is_changed_with_old_and_new_value() -> None:
    existing = exact()
    name = f"sluice.{RAW.name}"
    existing[name] = replace(existing[name], config={**existing[name].config, "max.message.bytes": "1048588"})
    plan = diff(existing, "sluice.", DEVELOPMENT)
    assert plan.lines() == [f"change  {name}: max.message.bytes 1048588 -> 8388608"]
    assert plan.touches_existing


def test_a_setting_that_is_not_in_the_catalogue_belongs_to_the_operator() -> None:
    existing = exact()
    name = f"sluice.{RAW.name}"
    existing[name] = replace(existing[name], config={**existing[name].config, "segment.bytes": "1"})
    assert not diff(existing, "sluice.", DEVELOPMENT).differs


@pytest.mark.parametrize(
    ("key", "old", "loses"),
    [
        ("retention.ms", "-1", True),
        ("retention.ms", "9999999999999", True),
        ("retention.ms", "3600000", False),
        ("cleanup.policy", "compact", True),
        ("max.message.bytes", "1", False),
    ],
)
def test_a_change_that_makes_the_broker_delete_records_says_so(key: str, old: str, loses: bool) -> None:
    existing = exact()
    name = f"sluice.{RAW.name}"
    existing[name] = replace(existing[name], config={**existing[name].config, key: old})
    (change,) = diff(existing, "sluice.", DEVELOPMENT).changes
    assert change.loses_records is loses
    assert ("will delete records" in str(change)) is loses


def test_growing_a_keyed_topic_is_refused_with_what_places_its_records() -> None:
    existing = exact()
    existing[f"sluice.{INBOUND}"] = replace(existing[f"sluice.{INBOUND}"], partitions=2)
    plan = diff(existing, "sluice.", DEVELOPMENT)
    assert plan.lines() == [f"refused sluice.{INBOUND}: 2 -> 6 partitions; its records are placed by golden key"]
    assert len(plan.refusals) == 1
    assert plan.differs
    assert not plan.touches_existing


def test_a_topic_without_keys_may_grow() -> None:
    topic = replace(CATALOGUE[DEAD_LETTERS], key="")
    existing = exact()
    existing[f"sluice.{DEAD_LETTERS}"] = replace(existing[f"sluice.{DEAD_LETTERS}"], partitions=1)
    plan = diff(existing, "sluice.", DEVELOPMENT, [topic])
    assert plan.refusals == ()
    assert plan.touches_existing
    assert plan.lines()[0] == f"grow    sluice.{DEAD_LETTERS}: 1 -> 3 partitions"


def test_more_partitions_than_the_catalogue_says_are_reported_and_left_alone() -> None:
    existing = exact()
    existing[f"sluice.{INBOUND}"] = replace(existing[f"sluice.{INBOUND}"], partitions=12)
    plan = diff(existing, "sluice.", DEVELOPMENT)
    assert (plan.creates, plan.changes, plan.grows) == ((), (), ())
    assert "12 partitions, the catalogue says 6" in plan.reports[0]
    assert plan.differs


def test_another_replication_is_reported_and_left_alone() -> None:
    existing = {name: replace(topic, replication=3) for name, topic in exact().items()}
    plan = diff(existing, "sluice.", DEVELOPMENT)
    assert len(plan.reports) == len(CATALOGUE)
    assert not plan.touches_existing


def test_unknown_topics_are_reported_under_the_prefix_only_and_are_no_difference() -> None:
    others = ("sluice.old.v1", "other.raw.v1", "__consumer_offsets")
    plan = diff(exact() | dict.fromkeys(others, Existing(1, 1)), "sluice.", DEVELOPMENT)
    assert plan.unknown == ("sluice.old.v1",)
    assert not plan.differs


def test_the_topics_of_another_prefix_do_not_count() -> None:
    assert len(diff(exact("dev."), "sluice.", DEVELOPMENT).creates) == len(CATALOGUE)


def test_the_production_profile_asks_for_its_own_counts() -> None:
    plan = diff({}, "sluice.", PRODUCTION)
    counts = {create.topic: (create.partitions, create.replication) for create in plan.creates}
    assert counts[f"sluice.{INBOUND}"] == (24, 3)
    assert counts[f"sluice.{RAW.name}"] == (12, 3)
    assert all(create.config["min.insync.replicas"] == "2" for create in plan.creates)
