"""The broker's side of the topic catalogue: asks what is there, applies a plan, refuses to start on a mismatch."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from schemas.plan import GROWING, Create, Existing, Plan
from schemas.topics import CATALOGUE, Profile

TIMEOUT = 10.0  # In seconds, for one question to the cluster
READY_TIMEOUT = 60.0  # In seconds, until all partitions have leaders


class TopicError(Exception):
    """The broker's topics are not what this version needs, or the broker did not do as told."""


class BrokerUnavailable(TopicError):
    """No broker answers."""


class TopicsMismatch(TopicError):
    """Topics are missing, or have another partition count than the catalogue: a process must not start on them."""


def open_admin(bootstrap: str, **config: Any) -> AdminClient:
    """An admin client; further settings of librdkafka as keywords, with `_` for `.`. Contacts nothing yet."""
    settings = {key.replace("_", "."): value for key, value in config.items()}
    # What librdkafka would log about a broker that is away is said by BrokerUnavailable, once.
    return AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, **settings})


def existing_topics(admin: AdminClient, configured: Collection[str] = ()) -> dict[str, Existing]:
    """All topics of the cluster; with their configuration those named in `configured`. Raises BrokerUnavailable."""
    topics = _metadata(admin).topics
    found = {name: Existing(len(topic.partitions), _replication(topic)) for name, topic in topics.items()}
    configs = _configs(admin, [name for name in configured if name in found])
    return {name: Existing(topic.partitions, topic.replication, configs.get(name, {})) for name, topic in found.items()}


def apply(admin: AdminClient, plan: Plan, *, timeout: float = READY_TIMEOUT) -> None:
    """Create and change what the plan says; return when new partitions have leaders and brokers show new settings.

    Deletes nothing and shrinks nothing. Raises TopicsMismatch, before anything is done, when the plan holds a refusal;
    TopicError naming the topic when the broker refuses; BrokerUnavailable.
    """
    if plan.refusals:
        names = _some([grow.topic for grow in plan.refusals])
        raise TopicsMismatch(f"nothing was changed, because partitions would be added to {names}: {GROWING}")
    if plan.creates:
        _await(admin.create_topics([_new(create) for create in plan.creates], operation_timeout=timeout))
    if plan.changes:
        _await(admin.incremental_alter_configs(_alterations(plan)))
        await_settings(admin, {(change.topic, change.key): change.new for change in plan.changes}, timeout=timeout)
    growing = [NewPartitions(grow.topic, grow.new) for grow in plan.grows]
    if growing:
        _await(admin.create_partitions(growing, operation_timeout=timeout))
    counts = {create.topic: create.partitions for create in plan.creates}
    await_leaders(admin, counts | {grow.topic: grow.new for grow in plan.grows}, timeout=timeout)


def await_leaders(admin: AdminClient, counts: Mapping[str, int], *, timeout: float = READY_TIMEOUT) -> None:
    """Return when each topic shows all its partitions with a leader: clients that start earlier die of it.

    `counts`: full topic name -> partitions. Raises TopicError naming what is still missing after `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while missing := _leaderless(admin, counts):
        if time.monotonic() > deadline:
            raise TopicError(f"without a leader after {timeout:.0f} s: {', '.join(missing)}; is a broker down?")
        time.sleep(0.1)


def await_settings(
    admin: AdminClient, wanted: Mapping[tuple[str, str], str], *, timeout: float = READY_TIMEOUT
) -> None:
    """Return when the broker shows each (topic, key) with its value: it takes settings over some time after it took
    the order. Raises TopicError naming what is still missing after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    names = {topic for topic, _ in wanted}
    while True:
        configs = _configs(admin, names)
        missing = [f"{topic} {key}" for (topic, key), value in wanted.items() if configs[topic].get(key) != value]
        if not missing:
            return
        if time.monotonic() > deadline:
            raise TopicError(f"not taken over by the broker after {timeout:.0f} s: {', '.join(missing)}")
        time.sleep(0.1)


def verify_partitions(admin: AdminClient, prefix: str, profile: Profile, topics: Iterable[str]) -> None:
    """Refuse to run on topics that are missing or have another partition count: keys would go elsewhere.

    `topics` are names of the catalogue, without the prefix. Raises TopicsMismatch naming every topic at fault and the
    command that mends it, BrokerUnavailable, KeyError for a name that is not in the catalogue.
    """
    wanted = {f"{prefix}{name}": profile.partitions(CATALOGUE[name].sizing) for name in topics}
    found = _metadata(admin).topics
    wrong = []
    for name, count in wanted.items():
        actual = len(found[name].partitions) if name in found else 0
        if actual != count:
            wrong.append(f"{name} has {actual} partitions, not {count}" if actual else f"{name} is missing")
    if wrong:
        raise TopicsMismatch(
            f"the broker's topics are not those of profile {profile.name!r}: {'; '.join(wrong)}. Same SLUICE_PROFILE "
            f"and SLUICE_TOPIC_PREFIX as when they were made? `sluice topics plan` shows all, `sluice topics apply` "
            f"creates what is missing"
        )


def _metadata(admin: AdminClient) -> Any:
    try:
        return admin.list_topics(timeout=TIMEOUT)
    except KafkaException as error:
        raise _unavailable(error) from error


def _unavailable(error: KafkaException) -> BrokerUnavailable:
    return BrokerUnavailable(
        f"no Kafka broker answers within {TIMEOUT:.0f} s ({error.args[0].str()}); is it up? `sluice stack status` "
        f"shows the local one, SLUICE_BOOTSTRAP names another"
    )


def _replication(topic: Any) -> int:
    return min((len(partition.replicas) for partition in topic.partitions.values()), default=0)


def _configs(admin: AdminClient, names: Collection[str]) -> dict[str, dict[str, str]]:
    """Effective configuration of each topic, whether set on it or inherited from the broker."""
    if not names:
        return {}
    futures = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in names])
    found: dict[str, dict[str, str]] = {}
    for resource, future in futures.items():
        try:
            entries = future.result(timeout=TIMEOUT)
        except KafkaException as error:
            raise TopicError(f"the broker does not tell the configuration of {resource.name}: {error}") from error
        found[resource.name] = {key: entry.value for key, entry in entries.items()}
    return found


def _new(create: Create) -> NewTopic:
    return NewTopic(create.topic, create.partitions, create.replication, config=dict(create.config))


def _alterations(plan: Plan) -> list[ConfigResource]:
    """One resource per topic: Kafka takes each topic once per request."""
    by_topic: dict[str, list[ConfigEntry]] = {}
    for change in plan.changes:
        entry = ConfigEntry(change.key, change.new, incremental_operation=AlterConfigOpType.SET)
        by_topic.setdefault(change.topic, []).append(entry)
    return [
        ConfigResource(ResourceType.TOPIC, topic, incremental_configs=entries) for topic, entries in by_topic.items()
    ]


def _await(futures: Mapping[Any, Future[Any]]) -> None:
    """Wait for all, so that one refusal does not leave the others unknown. Raises TopicError with every reason."""
    refused: dict[str, list[str]] = {}
    for what, future in futures.items():
        try:
            future.result(timeout=READY_TIMEOUT + TIMEOUT)
        except KafkaException as error:
            # Somebody else applied the same catalogue; `verify` says whether it was the same.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                refused.setdefault(error.args[0].str(), []).append(getattr(what, "name", what))
    if refused:
        reasons = [f"the broker refuses {_some(names)}: {reason}" for reason, names in refused.items()]
        raise TopicError("; ".join(reasons))


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _leaderless(admin: AdminClient, counts: Mapping[str, int]) -> list[str]:
    topics = _metadata(admin).topics if counts else {}
    return [name for name, count in counts.items() if name not in topics or _led(topics[name]) < count]


def _led(topic: Any) -> int:
    return sum(partition.leader >= 0 and partition.error is None for partition in topic.partitions.values())
