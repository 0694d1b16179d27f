"""`sluice quota` over a real topic: committed calls only, from a time on, and on from there."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from schemas import identity, topics
from schemas.codec import Codec
from schemas.registry import open_codec
from schemas.topics import PROFILES
from streams.cli.main import main
from streams.runtime.quota.calls import Follower
from streams.runtime.topicreader import TopicReader
from streams.stack import Endpoints
from streams.testing.prepare import prepare

pytestmark = pytest.mark.broker

PROFILE = PROFILES["development"]
PACE = {"cost": 1.0, "level": 9.0, "limit": 10.0, "restore_rate": 10.0, "refill": 5.0, "blocked_until": None}


class Calls:
    """One installation with a topic of calls."""

    def __init__(self, where: Endpoints, folder: Path) -> None:
        self.where, self.prefix = where, f"quota-{uuid.uuid4().hex[:8]}."
        prepare(where.bootstrap, where.registry, self.prefix, PROFILE)
        self.cache = folder / "schemas"
        self.codec: Codec = open_codec(where.registry, self.cache)

    def write(self, *records: dict[str, Any], commit: bool = True) -> None:
        """One transaction."""
        producer: Any = Producer(
            {"bootstrap.servers": self.where.bootstrap, "transactional.id": f"{self.prefix}{uuid.uuid4()}"}
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        for record in records:
            key = identity.join(record["tenant"], record["account"])
            partition = identity.account_partition(record["tenant"], record["account"], PROFILE.shard)
            producer.produce(self.prefix + topics.CALLS, self.codec.encode("api_call", record), key, partition)
        producer.flush(30)
        producer.commit_transaction(30) if commit else producer.abort_transaction(30)

    def quota(self, *arguments: str) -> Result:
        """The command as a user runs it."""
        environ = {
            "SLUICE_BOOTSTRAP": self.where.bootstrap, "SLUICE_REGISTRY": self.where.registry,
            "SLUICE_TOPIC_PREFIX": self.prefix, "SLUICE_SCHEMA_CACHE": str(self.cache),
        }  # fmt: skip
        return CliRunner().invoke(main, ["quota", *arguments], env=environ)

    def remove(self) -> None:
        """Delete its topics."""
        admin: Any = AdminClient({"bootstrap.servers": self.where.bootstrap})
        for done in admin.delete_topics([self.prefix + name for name in topics.CATALOGUE]).values():
            done.result(30)


def record(ago: float, **changes: Any) -> dict[str, Any]:
    """A set at a Shopify so many seconds ago."""
    values: dict[str, Any] = {
        "at": round((time.time() - ago) * 1e6), "tenant": "acme", "account": "shop", "platform": "shopify",
        "bucket": "acme|shop", "lane": "normal", "operation": "set_price", "purpose": "set", "op_id": "o",
        "method": "POST", "endpoint": "/admin/api/{version}/graphql.json", "status": 200, "outcome": "success",
        "cost": 110.0, "level": 1000.0 - (20.0 - ago) * 50.0 / 2, "limit": 2000.0, "restore_rate": 100.0,
        "latency_ms": 20.0, "attempt": 1, "retry_after_ms": None, "golden_version": 3,
    }  # fmt: skip
    return {**values, **changes}


PRESTA = {
    "account": "presta", "bucket": "acme|presta", "platform": "prestashop", "operation": "read_products",
    "purpose": "poll", "method": "GET", "endpoint": "/api/products", "cost": 1.0, "level": None, "limit": None,
    "restore_rate": None, "paces": [PACE], "golden_version": None,
}  # fmt: skip


@pytest.fixture(scope="module")
def installed(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    calls = Calls(endpoints, tmp_path_factory.mktemp("quota"))
    calls.write(*(record(float(ago)) for ago in range(20, 0, -2)), record(1.0, **PRESTA))
    calls.write(record(1.0, outcome="throttled", status=429), commit=False)
    yield calls
    calls.remove()


def test_every_bucket_stands_there_with_its_refill_and_its_rival(installed: Calls) -> None:
    found = json.loads(installed.quota("--json").stdout)["buckets"]
    presta, shop = found
    assert (shop["bucket"], shop["calls"], shop["throttled"]) == ("acme|shop", 10, 0)
    assert shop["advertised"] == 100.0
    assert shop["net"] == pytest.approx(30.0, rel=1e-3)  # 110 charged and 50 fewer left, every two seconds
    assert shop["rivals"] == pytest.approx(0.7, rel=1e-3)
    assert (presta["net"], presta["reported"], presta["used_for"].keys()) == (5.0, False, {"poll"})


def test_the_table_is_for_people(installed: Calls) -> None:
    shown = installed.quota().stdout
    assert "acme|shop" in shown
    assert "acme|presta" in shown


def test_one_account_can_be_asked_for_with_or_without_its_tenant(installed: Calls) -> None:
    for name in ("presta", "acme|presta"):
        found = json.loads(installed.quota("--json", "--account", name).stdout)["buckets"]
        assert [one["bucket"] for one in found] == ["acme|presta"]


def test_the_audit_has_usage_and_documented_limits_in_every_form(installed: Calls) -> None:
    said = json.loads(installed.quota("audit", "--format", "json").stdout)
    shop = said["buckets"][1]
    assert (shop["calls"], shop["cost"], shop["limits"][0]["limit"]) == (10, 1100.0, "GraphQL Admin, Standard")
    assert "# API usage" in installed.quota("audit", "--format", "markdown").stdout
    assert "set_price" in installed.quota("audit").stdout


def test_where_nothing_was_called_the_command_says_what_to_look_at(installed: Calls) -> None:
    result = installed.quota("audit", "--until", "2026-01-01T00:00:00")
    assert result.exit_code == 1
    assert "no call was recorded in the time from 2025-12-31T00:00:00Z to 2026-01-01T00:00:00Z" in result.stderr
    assert installed.quota("--account", "nobody").exit_code == 1


def test_a_time_that_ends_before_it_begins_is_refused(installed: Calls) -> None:
    result = installed.quota("audit", "--since", "2026-01-02", "--until", "2026-01-01")
    assert result.exit_code == 2
    assert "must be before --until" in result.stderr


def test_following_goes_on_where_it_ended_and_does_not_see_what_lies_before(installed: Calls) -> None:
    with closing(TopicReader({"bootstrap.servers": installed.where.bootstrap}, installed.prefix)) as reader:
        late = Follower(reader, installed.codec, time.time() + 3600)
        assert list(late.read()) == []
        follower = Follower(reader, installed.codec, time.time() - 3600)
        first = [call.bucket for call in follower.read()]
        installed.write(record(0.0, account="new", bucket="acme|new"))
        assert sorted(set(first)) == ["acme|presta", "acme|shop"]
        assert [call.bucket for call in follower.read()] == ["acme|new"]
        assert [call.bucket for call in late.read()] == ["acme|new"]
