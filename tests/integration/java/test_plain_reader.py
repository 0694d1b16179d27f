"""A Java consumer without a line of ours reads `state` and `events`: Confluent's wire format, ccompat registry."""

from __future__ import annotations

import json
import subprocess
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from confluent_kafka import Producer

from connectors.kit.contract import Account
from schemas import identity, topics
from schemas.codec import Codec
from schemas.entities import EntityType
from schemas.headers import Header
from schemas.registry import open_codec
from schemas.topics import PROFILES
from streams.runtime.topicreader import TopicReader
from streams.stack import Endpoints
from streams.testing import plain
from streams.testing.fleet import Fleet
from streams.testing.prepare import prepare
from tests.integration.java.build import plain_reader
from tests.integration.support import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]
PROFILE = PROFILES["development"]
KIND = EntityType.PRICE
SHOP, ERP = (Account("acme", name, "shopify", "") for name in ("shop", "erp"))
LATENESS = 0.3  # seconds
BASE = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z
Line = dict[str, Any]


@dataclass
class Story:
    """What was said, what a real resolver made of it, and what a Java consumer reads of that."""

    where: Endpoints
    codec: Codec
    prefix: str
    ids: dict[str, str] = field(default_factory=dict)  # delivery -> event id in hex

    def say(self, account: Account, sku: str, amount: str | None, at: float, delivery: str) -> None:
        """`at`: seconds after BASE."""
        money = None if amount is None else {"amount": Decimal(amount), "currency": "EUR", "tax": "INCLUDED"}
        when = BASE + int(at * 1_000_000)
        fields = None if money is None else {"amount": money}
        one = plain.Said(account, KIND, f"{sku}~default~EUR", fields, when, when, when, delivery)
        key, value, headers = plain.event(self.codec, one)
        self.ids[delivery] = Header.unpack(headers[0][1]).event_id.hex()
        self._write({}, topics.INBOUND, key, value, headers)

    def write_and_abort(self, sku: str, amount: str) -> None:
        """A winner in `state` whose transaction is given up."""
        money = {"amount": Decimal(amount), "currency": "EUR", "tax": "INCLUDED"}
        one = plain.Said(SHOP, KIND, f"{sku}~default~EUR", {"amount": money}, BASE, BASE, BASE, "aborted")
        key, value, _ = plain.event(self.codec, one)
        self._write({"transactional.id": f"{self.prefix}given-up"}, topics.state(KIND), key, value, [])

    def _write(self, options: dict[str, Any], topic: str, key: bytes, value: bytes, headers: Any) -> None:
        producer = Producer({"bootstrap.servers": self.where.bootstrap, "enable.idempotence": True, **options})
        if options:
            producer.init_transactions(30)
            producer.begin_transaction()
        partition = identity.golden_partition(key.decode(), PROFILE.shard)
        producer.produce(self.prefix + topic, value, key, partition, headers=headers)
        assert producer.flush(30) == 0
        if options:
            producer.abort_transaction(30)

    def read(self, topic: str, isolation: str = "read_committed") -> list[Line]:
        """The topic as the Java consumer reads it."""
        command = [*plain_reader(), self.where.bootstrap, self.where.registry, isolation, self.prefix + topic]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture(scope="module")
def story(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Story:
    folder, prefix = tmp_path_factory.mktemp("java"), f"java{uuid4().hex[:8]}."
    prepare(endpoints.bootstrap, endpoints.registry, prefix, PROFILE)
    told = Story(endpoints, open_codec(endpoints.registry, folder / "schemas"), prefix)
    fleet = Fleet(folder, ["resolver"], _environment(endpoints, folder, prefix))
    reader = TopicReader({"bootstrap.servers": endpoints.bootstrap}, prefix)
    _tell(told)
    fleet.join("only")
    try:
        until(lambda: reader.caught_up("resolver", [topics.INBOUND]), "the resolver has worked everything off")
        time.sleep(2 * LATENESS)
        told.say(ERP, "SKU-4", "7.00", 2, "late")
        until(lambda: reader.caught_up("resolver", [topics.INBOUND]), "the resolver has taken up the late one")
    finally:
        fleet.stop()
        reader.close()
    told.write_and_abort("SKU-1", "99.99")
    return told


def _tell(story: Story) -> None:
    story.say(SHOP, "SKU-1", "10.00", 1, "first")
    story.say(ERP, "SKU-1", "12.345678", 2, "second")
    story.say(SHOP, "SKU-1", "10.00", 1, "first")  # delivered twice
    story.say(SHOP, "SKU-2", "5.00", 1, "short-lived")
    story.say(SHOP, "SKU-2", None, 3, "deleted")
    story.say(SHOP, "SKU-3", "8.50", 1, "plain")
    story.say(SHOP, "SKU-3", "8.50", 4, "nothing-new")
    story.say(ERP, "SKU-4", "6.00", 9, "newer")


def _environment(where: Endpoints, folder: Path, prefix: str) -> dict[str, str]:
    config = folder / "sluice.yaml"
    accounts = {one.id: {"platform": one.platform, "base_url": "http://127.0.0.1:1"} for one in (SHOP, ERP)}
    rules = {
        "tenants": {"acme": {"accounts": accounts}},
        "policies": {"revision": 1, "price": {"kind": "lww"}},
        "ordering": {"default": {"mode": "time", "lateness": LATENESS}},
    }
    config.write_text(yaml.safe_dump(rules))
    return {
        "SLUICE_BOOTSTRAP": where.bootstrap, "SLUICE_REGISTRY": where.registry, "SLUICE_TOPIC_PREFIX": prefix,
        "SLUICE_CONFIG_FILE": str(config), "SLUICE_SCHEMA_CACHE": str(folder / "schemas"),
        "SLUICE_HEALTH_PORT_BASE": "0", "SLUICE_HTTP_HOST": "127.0.0.1",
    }  # fmt: skip


def _latest(lines: Sequence[Line]) -> dict[str, str | None]:
    """Amount and currency by SKU, None where the last record is a tombstone."""
    return {
        line["key"].split("|")[2].split("~")[0]: f"{line['amount']} {line['currency']}" if "amount" in line else None
        for line in lines
    }


def test_state_is_read_as_the_winners_with_exact_amounts_and_tombstones(story: Story) -> None:
    held = _latest(story.read(topics.state(KIND)))
    assert held == {"SKU-1": "12.345678 EUR", "SKU-2": None, "SKU-3": "8.500000 EUR", "SKU-4": "6.000000 EUR"}


def test_what_was_aborted_is_not_read(story: Story) -> None:
    assert _latest(story.read(topics.state(KIND), "read_uncommitted"))["SKU-1"] == "99.990000 EUR"
    assert _latest(story.read(topics.state(KIND)))["SKU-1"] == "12.345678 EUR"


def test_events_carry_every_change_once_with_its_meta_and_times(story: Story) -> None:
    lines = story.read(topics.events(KIND))
    assert sorted(line["event_id"] for line in lines) == sorted(story.ids.values())
    by_id = {line["event_id"]: line for line in lines}
    second, deleted = by_id[story.ids["second"]], by_id[story.ids["deleted"]]
    assert (second["account"], second["op"], second["amount"]) == ("erp", "UPSERT", "12.345678")
    assert second["source_time"] == "2026-03-01T12:00:02Z"
    assert (deleted["account"], deleted["op"]) == ("shop", "DELETE")


def test_the_one_header_says_sequence_late_and_unchanged(story: Story) -> None:
    lines = story.read(topics.events(KIND))
    sequences = defaultdict(list)
    for line in lines:
        sequences[line["partition"]].append(line["shard_seq"])
    assert all(found == list(range(1, len(found) + 1)) for found in sequences.values())
    assert {line["format"] for line in lines} == {1}
    assert [line["event_id"] for line in lines if line["late"]] == [story.ids["late"]]
    assert [line["event_id"] for line in lines if line["unchanged"]] == [story.ids["nothing-new"]]
