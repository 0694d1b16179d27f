from __future__ import annotations

import re

import pytest

from schemas import topics
from schemas.codec import load
from schemas.entities import EntityType
from schemas.subjects import record_subject
from schemas.topics import CATALOGUE, DAY_MS, PROFILES, Cleanup, Sizing, Topic

ALL = [pytest.param(topic, id=name) for name, topic in CATALOGUE.items()]


@pytest.mark.parametrize("topic", ALL)
def test_a_topic_is_named_layer_name_and_major_version(topic: Topic) -> None:
    assert re.fullmatch(r"[a-z-]+(\.[a-z_]+)?\.v1", topic.name)
    assert topic.doc.endswith(".")


@pytest.mark.parametrize("topic", ALL)
def test_a_topic_has_one_schema_or_names_its_subjects_after_its_records(topic: Topic) -> None:
    assert topic.record_subjects or len(topic.schemas) <= 1
    for subject, name in topic.subjects("dev.").items():
        assert subject == (record_subject(load(name)) if topic.record_subjects else f"dev.{topic.name}-value")


@pytest.mark.parametrize("topic", ALL)
@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_topic_is_either_kept_by_key_or_by_age_of_arrival(topic: Topic, profile: topics.Profile) -> None:
    config = topic.config(profile)
    assert config["message.timestamp.type"] == "LogAppendTime"
    assert ("retention.ms" in config) is (topic.cleanup is Cleanup.DELETE)
    assert ("delete.retention.ms" in config) is (topic.cleanup is Cleanup.COMPACT)
    assert all(isinstance(value, str) for value in config.values())
    if topic.cleanup is Cleanup.DELETE:
        assert topic.retention_ms >= DAY_MS


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_a_write_survives_the_loss_of_all_replicas_but_the_minimum(profile: topics.Profile) -> None:
    assert profile.min_isr == max(1, profile.replication - 1)


def test_what_the_resolver_reads_and_writes_by_golden_key_is_co_partitioned() -> None:
    names = [topics.INBOUND, topics.INBOUND_BULK, topics.RESOLVE_CHANGELOG, topics.RESOLVE_SEEN]
    names += [make(kind) for kind in EntityType for make in (topics.state, topics.events)]
    assert {CATALOGUE[name].sizing for name in names} == {Sizing.SHARD}


@pytest.mark.parametrize("platform", topics.PLATFORMS)
def test_what_a_courier_reads_and_writes_by_account_is_co_partitioned(platform: str) -> None:
    makers = (topics.push, topics.push_bulk, topics.fetch, topics.courier_changelog)
    assert {CATALOGUE[make(platform)].sizing for make in makers} == {Sizing.PLATFORM}


def test_a_dead_letter_has_room_for_the_largest_record_and_its_story() -> None:
    largest = max(topic.max_message_bytes for name, topic in CATALOGUE.items() if name != topics.DEAD_LETTERS)
    assert CATALOGUE[topics.DEAD_LETTERS].max_message_bytes > largest


def test_the_byte_of_each_entity_type_is_its_own_for_ever() -> None:
    """These stand in records that are in Kafka already: add, never change."""
    assert {kind.value: kind.code for kind in EntityType} == {
        "product": 1,
        "variant": 2,
        "price": 3,
        "inventory_level": 4,
        "order": 5,
        "reservation": 6,
        "fulfilment": 7,
    }
    assert all(EntityType.from_code(kind.code) is kind for kind in EntityType)
    with pytest.raises(KeyError):
        EntityType.from_code(0)
