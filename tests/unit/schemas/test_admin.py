"""The calls to a broker, with a broker that is an object; `tests/integration/schemas` has a real one."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from schemas import admin
from schemas.plan import Change, Create, Grow, Plan
from schemas.topics import CATALOGUE, INBOUND, PROFILES, XREF

DEVELOPMENT = PROFILES["development"]


class FakeAdmin:
    """Holds topics as (partitions, leader); leaders come after `slow` questions."""

    def __init__(self, topics: dict[str, int] | None = None, *, slow: int = 0) -> None:
        self.counts = dict(topics or {})
        self.slow = slow
        self.refuses: dict[str, int] = {}
        self.altered: list[tuple[str, str, str]] = []
        self.questions = 0
        self.described = 0
        self.away = False

    def list_topics(self, timeout: float) -> Any:
        if self.away:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        self.questions += 1
        leader = 1 if self.questions > self.slow else -1
        partition = SimpleNamespace(leader=leader, error=None, replicas=[1])
        topics = {
            name: SimpleNamespace(partitions=dict.fromkeys(range(count), partition))
            for name, count in self.counts.items()
        }
        return SimpleNamespace(topics=topics)

    def create_topics(self, topics: list[Any], **_: Any) -> dict[str, Future[None]]:
        self.counts |= {topic.topic: topic.num_partitions for topic in topics if topic.topic not in self.refuses}
        return {topic.topic: self._answer(topic.topic) for topic in topics}

    def create_partitions(self, grown: list[Any], **_: Any) -> dict[str, Future[None]]:
        self.counts |= {growing.topic: growing.new_total_count for growing in grown}
        return {growing.topic: self._answer(growing.topic) for growing in grown}

    def incremental_alter_configs(self, resources: list[Any]) -> dict[Any, Future[None]]:
        for resource in resources:
            self.altered += [(resource.name, entry.name, entry.value) for entry in resource.incremental_configs]
        return {resource: self._answer(resource.name) for resource in resources}

    def describe_configs(self, resources: list[Any]) -> dict[Any, Future[Any]]:
        self.described += 1
        shown = self.altered if self.described > self.slow else []
        futures: dict[Any, Future[Any]] = {resource: Future() for resource in resources}
        for resource, future in futures.items():
            future.set_result(
                {key: SimpleNamespace(value=value) for topic, key, value in shown if topic == resource.name}
            )
        return futures

    def _answer(self, topic: str) -> Future[None]:
        future: Future[None] = Future()
        if code := self.refuses.get(topic):
            future.set_exception(KafkaException(KafkaError(code, "because")))
        else:
            future.set_result(None)
        return future


def _create(name: str) -> Create:
    return Create(name, 3, 1, {"cleanup.policy": "compact"})


def test_applying_returns_only_when_every_partition_has_a_leader() -> None:
    fake = FakeAdmin(slow=2)
    admin.apply(fake, Plan(creates=(_create("a"), _create("b"))))
    assert fake.counts == {"a": 3, "b": 3}
    assert fake.questions == 3


def test_a_partition_that_gets_no_leader_is_named() -> None:
    with pytest.raises(admin.TopicError, match="without a leader after 0 s: a"):
        admin.await_leaders(FakeAdmin({"a": 3}, slow=99), {"a": 3}, timeout=0)


def test_a_plan_with_a_refusal_changes_nothing_at_all() -> None:
    fake = FakeAdmin({"a": 3})
    with pytest.raises(admin.TopicsMismatch, match="same key goes to another partition"):
        admin.apply(fake, Plan(creates=(_create("b"),), grows=(Grow("a", 3, 6, "golden key"),)))
    assert fake.counts == {"a": 3}


def test_all_changes_of_one_topic_go_in_one_request_and_are_waited_for() -> None:
    fake = FakeAdmin({"a": 3}, slow=2)
    changes = (Change("a", "retention.ms", "1", "2"), Change("a", "cleanup.policy", "delete", "compact"))
    admin.apply(fake, Plan(changes=changes))
    assert fake.altered == [("a", "retention.ms", "2"), ("a", "cleanup.policy", "compact")]
    assert fake.described == 3


def test_a_setting_the_broker_does_not_take_over_is_named() -> None:
    with pytest.raises(admin.TopicError, match=r"after 0 s: a retention\.ms"):
        admin.await_settings(FakeAdmin({"a": 3}), {("a", "retention.ms"): "1"}, timeout=0)


def test_a_topic_without_keys_grows() -> None:
    fake = FakeAdmin({"a": 3})
    admin.apply(fake, Plan(grows=(Grow("a", 3, 6, ""),)))
    assert fake.counts == {"a": 6}


def test_a_topic_that_somebody_else_created_meanwhile_is_fine() -> None:
    fake = FakeAdmin({"a": 3})
    fake.refuses = {"a": KafkaError.TOPIC_ALREADY_EXISTS}
    admin.apply(fake, Plan(creates=(_create("a"),)))


def test_what_the_broker_refuses_is_named_with_its_reason_once() -> None:
    fake = FakeAdmin()
    fake.refuses = dict.fromkeys("abcde", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    with pytest.raises(admin.TopicError) as caught:
        admin.apply(fake, Plan(creates=tuple(map(_create, "abcde"))))
    assert str(caught.value) == "the broker refuses a, b, c and 2 more: because"


def test_a_broker_that_is_away_is_told_as_that() -> None:
    fake = FakeAdmin()
    fake.away = True
    with pytest.raises(admin.BrokerUnavailable, match="SLUICE_BOOTSTRAP"):
        admin.existing_topics(fake)


def test_a_role_starts_on_topics_as_the_catalogue_says() -> None:
    counts = {f"dev.{name}": DEVELOPMENT.partitions(CATALOGUE[name].sizing) for name in (INBOUND, XREF)}
    admin.verify_partitions(FakeAdmin(counts), "dev.", DEVELOPMENT, [INBOUND, XREF])


def test_a_role_refuses_topics_that_are_missing_or_have_another_count() -> None:
    with pytest.raises(admin.TopicsMismatch) as caught:
        admin.verify_partitions(FakeAdmin({f"dev.{INBOUND}": 24}), "dev.", DEVELOPMENT, [INBOUND, XREF])
    message = str(caught.value)
    assert f"dev.{INBOUND} has 24 partitions, not 6; dev.{XREF} is missing" in message
    assert "`sluice topics apply`" in message


def test_a_role_that_asks_for_a_topic_outside_the_catalogue_is_a_bug() -> None:
    with pytest.raises(KeyError):
        admin.verify_partitions(FakeAdmin(), "dev.", DEVELOPMENT, ["nonsense.v1"])
