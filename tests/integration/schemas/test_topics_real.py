"""`sluice topics` and the start-up check against a real broker, under a prefix of their own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from schemas import admin
from schemas.topics import CATALOGUE, DECISIONS, INBOUND, PROFILES, XREF
from streams.cli.main import main
from streams.testing.broker import Endpoints

pytestmark = pytest.mark.broker
DEVELOPMENT = PROFILES["development"]


@pytest.fixture(scope="module")
def client(endpoints: Endpoints) -> Any:
    return admin.open_admin(endpoints.bootstrap)


@pytest.fixture
def prefix(client: Any) -> Iterator[str]:
    """Whatever is made under it goes at the end: a broker's restart takes longer with every partition."""
    mine = f"t{uuid4().hex[:8]}."
    yield mine
    made = [name for name in admin.existing_topics(client) if name.startswith(mine)]
    for future in (client.delete_topics(made) if made else {}).values():
        future.result()


@pytest.fixture
def sluice(endpoints: Endpoints, prefix: str) -> Any:
    def run(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["topics", *arguments, "--bootstrap", endpoints.bootstrap, "--prefix", prefix])

    return run


def test_apply_makes_the_catalogue_and_a_second_time_nothing(sluice: Any, client: Any, prefix: str) -> None:
    assert sluice("verify").exit_code == 1
    first = sluice("apply")
    assert first.exit_code == 0, first.output
    assert f"applied: {len(CATALOGUE)} topics created" in first.stdout
    # At once, with no waiting here: every partition has its leader when apply returns.
    admin.await_leaders(client, {f"{prefix}{XREF}": 3, f"{prefix}{INBOUND}": 6}, timeout=0)
    assert "applied: 0 topics created, 0 settings changed" in sluice("apply").stdout
    assert sluice("verify").exit_code == 0
    admin.verify_partitions(client, prefix, DEVELOPMENT, CATALOGUE)
    with pytest.raises(admin.TopicsMismatch, match=f"{prefix}{INBOUND} has 6 partitions, not 24"):
        admin.verify_partitions(client, prefix, PROFILES["production"], [INBOUND])
    refused = sluice("apply", "--yes", "--profile", "production")
    assert refused.exit_code == 1
    assert "the same key goes to another partition" in refused.stderr


def _make(client: Any, name: str, partitions: int, **config: str) -> None:
    settings = {key.replace("_", "."): value for key, value in config.items()}
    for future in client.create_topics([NewTopic(name, partitions, 1, config=settings)]).values():
        future.result()
    admin.await_leaders(client, {name: partitions})


def _config(client: Any, name: str) -> dict[str, str]:
    return dict(admin.existing_topics(client, [name])[name].config)


def test_values_a_topic_has_from_the_brokers_defaults_are_compared_as_well(
    sluice: Any, client: Any, prefix: str
) -> None:
    _make(client, f"{prefix}{XREF}", 3)
    lines = [line for line in sluice("plan").stdout.splitlines() if f"{prefix}{XREF}" in line]
    assert (
        f"change  {prefix}{XREF}: cleanup.policy delete -> compact  (the broker will delete records it keeps today)"
        in lines
    )
    assert f"change  {prefix}{XREF}: message.timestamp.type CreateTime -> LogAppendTime" in lines
    assert not any("compression.type" in line or "min.insync.replicas" in line for line in lines)


def test_settings_are_changed_with_yes_only_and_foreign_ones_stay(sluice: Any, client: Any, prefix: str) -> None:
    name = f"{prefix}{DECISIONS}"
    _make(client, name, 6, retention_ms="3600000", segment_ms="600000")
    assert sluice("apply").exit_code == 1
    assert _config(client, name)["retention.ms"] == "3600000"
    assert sluice("apply", "--yes").exit_code == 0
    after = _config(client, name)
    assert after["retention.ms"] == str(CATALOGUE[DECISIONS].retention_ms)
    assert after["message.timestamp.type"] == "LogAppendTime"
    assert after["segment.ms"] == "600000"


def test_topics_that_are_too_large_or_unknown_are_left_alone(sluice: Any, client: Any, prefix: str) -> None:
    _make(client, f"{prefix}{XREF}", 5)
    _make(client, f"{prefix}mine", 1)
    told = sluice("apply", "--yes")
    assert told.exit_code == 0, told.output
    assert f"unknown {prefix}mine: under the prefix, but not in the catalogue; it is left alone" in told.stdout
    assert f"differs {prefix}{XREF}: 5 partitions, the catalogue says 3" in told.stdout
    after = admin.existing_topics(client)
    assert (after[f"{prefix}{XREF}"].partitions, after[f"{prefix}mine"].partitions) == (5, 1)
    assert sluice("verify").exit_code == 1


def test_a_setting_set_back_by_hand_is_seen(sluice: Any, client: Any, prefix: str) -> None:
    assert sluice("apply").exit_code == 0
    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, f"{prefix}{DECISIONS}", incremental_configs=[entry])
    for future in client.incremental_alter_configs([resource]).values():
        future.result()
    admin.await_settings(client, {(f"{prefix}{DECISIONS}", "retention.ms"): "1000"})
    result = sluice("verify")
    assert result.exit_code == 1
    assert result.stdout == f"change  {prefix}{DECISIONS}: retention.ms 1000 -> 2592000000\n"


def test_a_producer_may_start_the_moment_apply_returns(endpoints: Endpoints, sluice: Any, prefix: str) -> None:
    assert sluice("apply").exit_code == 0
    failed: list[Any] = []
    producer = Producer({"bootstrap.servers": endpoints.bootstrap, "message.send.max.retries": 0})
    for partition in range(6):
        producer.produce(
            f"{prefix}{INBOUND}", b"x", partition=partition, on_delivery=lambda error, _: failed.append(error)
        )
    assert producer.flush(10) == 0
    assert failed == [None] * 6


def test_a_broker_that_is_away_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin, "TIMEOUT", 1.0)
    result = CliRunner().invoke(main, ["topics", "verify", "--bootstrap", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: no Kafka broker answers within 1 s")
