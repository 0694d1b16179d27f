"""`sluice state` over what a real resolver process left in its changelog and on its disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from connectors.kit.contract import Account
from schemas import identity, topics
from schemas.entities import EntityType
from streams.cli.main import main
from streams.core.courier_rows import key as courier_key
from streams.core.courier_rows import pack_epoch
from streams.core.entity import Entity
from streams.runtime.topicreader import TopicReader
from streams.stack import Endpoints
from streams.testing import plain
from tests.integration.cli.story import NOW, PROFILE, Story
from tests.integration.support import until

pytestmark = pytest.mark.broker

SKUS = 12
KEY = "acme|price|SKU-3~default~EUR"
SHARD = identity.golden_partition(KEY, PROFILE.shard)


class Installed(Story):
    """A story whose events stand in inbound and are resolved by a process."""

    def tell(self, account: str, sku: int, amount: int, at: int, topic: str = topics.INBOUND) -> None:
        """Write one event; `at`: seconds after NOW."""
        owner = Account("acme", account, "shopify", "")
        money = {"amount": {"amount": Decimal(amount), "currency": "EUR", "tax": "INCLUDED"}}
        time, name = NOW + at * 1_000_000, f"{account}-{sku}-{at}"
        said = plain.Said(owner, EntityType.PRICE, f"SKU-{sku}~default~EUR", money, time, time, time, name)
        key, value, headers = plain.event(self.codec, said)
        producer: Any = Producer({"bootstrap.servers": self.where.bootstrap})
        partition = identity.golden_partition(key.decode(), PROFILE.shard)
        producer.produce(self.prefix + topic, value, key, partition, headers=headers)
        assert producer.flush(30) == 0

    @property
    def environ(self) -> dict[str, str]:
        return super().environ | {
            "SLUICE_STATE_DIR": str(self.folder / "state"),
            "SLUICE_INSTANCE_ID": "one",
            "SLUICE_HEALTH_PORT_BASE": "0",
        }

    def work(self) -> None:
        """Run a resolver until it has committed everything, and stop it in good order."""
        running = subprocess.Popen(
            [sys.executable, "-m", "streams.cli.main", "run", "resolver"],
            env={**os.environ, **self.environ, "PYTHONWARNINGS": "ignore"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            with closing(TopicReader({"bootstrap.servers": self.where.bootstrap}, self.prefix)) as reader:
                until(lambda: caught_up(reader), "all is resolved")
            running.send_signal(signal.SIGTERM)
            assert running.wait(30) == 0
        finally:
            running.kill()
            running.wait(10)

    @property
    def disk(self) -> str:
        return str(self.folder / "state" / "one")


def caught_up(reader: TopicReader) -> bool:
    """Whether the resolver has committed everything; not while the group's coordinator is being elected."""
    try:
        return reader.caught_up("resolver", [topics.INBOUND, topics.INBOUND_BULK])
    except KafkaException:
        return False


@pytest.fixture(scope="module")
def installed(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    """Two shops say prices, some twice, one in bulk; the resolver is started twice."""
    made = Installed(endpoints, tmp_path_factory.mktemp("state"), f"t{uuid.uuid4().hex[:8]}.")
    for sku in range(SKUS):
        made.tell("shop", sku, 10, 0)
        made.tell("presta", sku, 11, sku % 3)
    made.work()
    for sku in range(0, SKUS, 2):
        made.tell("shop", sku, 12, 5)
        made.tell("shop", sku, 12, 5)
    made.tell("presta", 1, 13, 9, topics.INBOUND_BULK)
    made.work()
    yield made
    made.remove()


def run(installed: Installed, *arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(main, ["state", *arguments], env=installed.environ | environ)


def dumped(installed: Installed, *arguments: str) -> list[dict[str, Any]]:
    result = run(installed, "dump", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


# -- dump


def test_the_rows_of_an_entity_are_shown_by_its_key_its_sku_and_what_its_name_begins_with(installed: Installed) -> None:
    for which in (KEY, " sku-3", "acme|price|SKU-3"):
        rows = {one["row"]: one for one in dumped(installed, which)}
        assert set(rows) == {"entity", "value"}
        assert rows["entity"]["name"] == KEY
        assert {one["account"] for one in rows["entity"]["says"]["accounts"]} == {"acme|shop", "acme|presta"}
        assert rows["value"]["says"]["record"]["sku"] == "SKU-3"
        assert rows["entity"]["shard"] == SHARD


def test_all_kinds_of_rows_are_readable_and_can_be_asked_for(installed: Installed) -> None:
    rows = dumped(installed)
    assert {one["row"] for one in rows} == {"entity", "value", "place", "clock", "policies", "flows", "ledger"}
    assert [one for one in rows if "unreadable" in one] == []
    assert {one["row"] for one in dumped(installed, "--kind", "place", "--kind", "ledger")} == {"place", "ledger"}
    assert len([one for one in rows if one["row"] == "entity"]) == SKUS


def test_the_text_is_for_people(installed: Installed) -> None:
    result = run(installed, "dump", KEY)
    assert f"entity  {KEY}  (shard {SHARD}, offset " in result.stdout
    assert "    account           acme|shop" in result.stdout


def test_what_is_not_there_is_told_with_where_it_was_looked_for(installed: Installed) -> None:
    result = run(installed, "dump", "acme|price|NOTHING")
    assert result.exit_code == 1
    assert "no row of any kind whose name begins with 'acme|price|NOTHING'" in result.output
    assert "resolve-changelog.v1 partition 0 and 5 more" in result.output


def test_a_row_of_another_version_is_shown_in_hex(installed: Installed) -> None:
    key = "acme|price|ODD~default~EUR"
    place = (topics.RESOLVE_CHANGELOG, identity.golden_partition(key, PROFILE.shard), b"E" + key.encode())
    installed.write((*place, b"\x63" + bytes(25)))
    try:
        (row,) = dumped(installed, key)
        assert "format 99" in row["unreadable"]
        assert run(installed, "digest").exit_code == 2
    finally:
        installed.write((*place, None))


def test_the_rows_of_a_courier_are_shown_too(installed: Installed) -> None:
    row = (courier_key(b"R", "acme|presta"), pack_epoch(3))
    installed.write((topics.courier_changelog("prestashop"), 0, *row))
    (found,) = dumped(installed, "--role", "courier-prestashop")
    assert (found["row"], found["name"], found["says"]) == ("epoch", "acme|presta", {"value": 3})


def test_rows_can_be_looked_at_without_the_configuration(installed: Installed) -> None:
    result = run(installed, "dump", KEY, "--json", SLUICE_CONFIG_FILE="/nowhere.yaml")
    assert result.exit_code == 0
    assert "accounts are shown by their hash" in result.stderr
    (row, *_) = map(json.loads, result.stdout.splitlines())
    assert len(row["says"]["winner"]) == 16


def test_the_disk_of_the_stopped_process_says_what_its_changelog_says(installed: Installed) -> None:
    def without_place(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**one, "offset": None} for one in rows]

    assert dumped(installed, "--from-disk", installed.disk) == without_place(dumped(installed))
    for options in ([], ["--every-row"]):
        there, here = (run(installed, "digest", *options, *more) for more in ([], ["--from-disk", installed.disk]))
        assert there.stdout == here.stdout
        assert "up to changelog offset" in here.stderr


# -- digest


def test_a_digest_is_printed_for_each_shard_and_for_all(installed: Installed) -> None:
    found = json.loads(run(installed, "digest", "--json").stdout)
    assert (found["rows"], len(found["shards"])) == (SKUS, PROFILE.shard)
    assert sum(shard["rows"] for shard in found["shards"]) == SKUS
    text = run(installed, "digest").stdout
    assert f"all        {found['digest']}  {SKUS} rows" in text


def test_other_roles_have_a_digest_of_every_row_only(installed: Installed) -> None:
    assert run(installed, "digest", "--role", "mapper").exit_code == 2
    assert run(installed, "digest", "--role", "mapper", "--every-row").exit_code == 0


# -- verify


def tampered(installed: Installed, row: bytes | None) -> None:
    installed.write((topics.RESOLVE_CHANGELOG, SHARD, b"E" + KEY.encode(), row))


def current(installed: Installed) -> bytes:
    with closing(TopicReader({"bootstrap.servers": installed.where.bootstrap}, installed.prefix)) as reader:
        return reader.latest(topics.RESOLVE_CHANGELOG)[b"E" + KEY.encode()]


def test_a_replay_of_the_log_gives_the_rows_that_the_resolver_keeps(installed: Installed) -> None:
    result = run(installed, "verify")
    assert result.exit_code == 0, result.output
    assert f"equal: {PROFILE.shard} shards, {SKUS} entities" in result.output
    found = json.loads(run(installed, "verify", "--json").stdout)
    assert found["equal"]
    assert sum(shard["events"] for shard in found["shards"]) == 3 * SKUS + 1
    digests = json.loads(run(installed, "digest", "--json").stdout)["shards"]
    assert [shard["kept"] for shard in found["shards"]] == [shard["digest"] for shard in digests]


def test_a_row_that_says_something_else_is_named_with_both_contents(installed: Installed) -> None:
    row = current(installed)
    entity = Entity.unpack(row)
    loser = next(c.account for c in entity.contributions if c.account != entity.winner)
    wrong = Entity(entity.golden_version, loser, entity.fingerprint, entity.contributions).pack()
    try:
        tampered(installed, wrong)
        result = run(installed, "verify")
        assert result.exit_code == 1
        assert f"shard {SHARD}: DIFFERENT in 1 entities" in result.output
        assert KEY in result.output
        assert "winner            acme|shop" in result.output
        assert "winner            acme|presta" in result.output
        (told,) = json.loads(run(installed, "verify", "--shard", str(SHARD), "--json").stdout)["shards"]
        assert {told["differences"][0][which]["winner"] for which in ("kept", "replayed")} == {
            "acme|shop", "acme|presta",
        }  # fmt: skip
        tampered(installed, None)
        lost = run(installed, "verify", "--shard", str(SHARD))
        assert (lost.exit_code, "kept: no row" in lost.output) == (1, True)
    finally:
        tampered(installed, row)
    assert run(installed, "verify").exit_code == 0


def test_other_policies_than_those_the_entities_stand_by_are_told(installed: Installed, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(installed.file.read_text().replace("price: {kind: lww}", "price: {kind: owner, owners: [presta]}"))
    result = run(installed, "verify", SLUICE_CONFIG_FILE=str(file))
    assert result.exit_code == 1
    assert "its entities of price stand by other policies than the configuration's" in result.output


def test_a_shard_that_is_not_there_is_refused(installed: Installed) -> None:
    result = run(installed, "verify", "--shard", "99")
    assert (result.exit_code, "shards 0 to 5" in result.output) == (2, True)


def test_a_wrong_prefix_is_neither_yes_nor_no(installed: Installed) -> None:
    for command in (["dump"], ["digest"], ["verify"]):
        result = run(installed, *command, SLUICE_TOPIC_PREFIX="nobody.")
        assert result.exit_code == 2
        assert "has no topic nobody." in result.output


def test_a_log_that_retention_has_cut_cannot_be_compared_and_says_so(endpoints: Endpoints, tmp_path: Path) -> None:
    cut = Installed(endpoints, tmp_path, f"t{uuid.uuid4().hex[:8]}.")
    try:
        cut.tell("shop", 3, 10, 0)
        admin = AdminClient({"bootstrap.servers": endpoints.bootstrap})  # its futures die with it
        for done in admin.delete_records([TopicPartition(cut.prefix + topics.INBOUND, SHARD, 1)]).values():
            done.result(30)
        result = run(cut, "verify")
        assert result.exit_code == 3
        assert f"shard {SHARD}: cannot be compared: inbound.v1 partition {SHARD} begins at offset 1" in result.output
        assert f"shards {SHARD} could not be compared" in result.output
        assert json.loads(run(cut, "verify", "--json").stdout)["equal"] is False
    finally:
        cut.remove()
