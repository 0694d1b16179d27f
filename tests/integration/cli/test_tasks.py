"""`sluice tasks` over rows as a courier leaves them, and a real courier that carries the verdicts out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from schemas import identity, topics
from schemas.entities import Lane
from streams.cli.main import main
from streams.core import courier_rows as rows
from streams.core.courier_rows import Frozen, Intent
from streams.core.desired import NEVER, Kind, Origin, Status, Task, Wanted
from streams.runtime.topicreader import TopicReader
from streams.stack import Endpoints
from tests.integration.cli.story import NOW, PROFILE, Story
from tests.integration.support import until

pytestmark = pytest.mark.broker

FILE = """
tenants:
  acme:
    accounts:
      shop: {platform: shopify, base_url: "http://127.0.0.1:9",
             settings: {shop_domain: s.myshopify.com, currency: EUR, locations: "1=BER"},
             secrets: {access_token: ["value:x"], webhook: ["value:y"]}}
policies: {revision: 1}
"""
SHIP, CANCEL, STOCK = "\x01ship-1", "\x01cancel-1", "acme|inventory_level|A~BER"


def work(row: str, status: Status, reason: str, value: bytes) -> Task:
    operation_id = row.removeprefix("\x01") if row.startswith("\x01") else ""
    wanted = Wanted(
        tenant="acme",
        account="shop",
        kind=Kind.COMMAND if operation_id else Kind.SET,
        subject=f"acme|order|shop:{operation_id}" if operation_id else row,
        version=3,
        lane=Lane.NORMAL,
        cause="orders",
        fields=frozenset({"number"}),
        fingerprint=bytes(8),
        value=value,
        wanted_at=NOW,
        origin=Origin(topics.push("shopify"), 0, 7),
        operation_id=operation_id,
    )
    return Task(wanted, status, 2, NEVER, reason)


class Left(Story):
    """What a courier left behind: a command in doubt, another one, and a set that is dead."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.file.write_text(FILE)
        self.shard = identity.account_partition("acme", "shop", PROFILE.platform)
        frozen = (Frozen("POST", "/fulfilments", {}, b'{"order": 42}'),)
        intent = Intent(SHIP, "ship-1", 3, b"", 4, NOW / 1e6, "ship-1", NOW / 1e6, True, frozen)
        for row, task in {
            SHIP: work(SHIP, Status.PARKED, "outcome_unknown", self.task("ship-1")),
            CANCEL: work(CANCEL, Status.PARKED, "outcome_unknown", self.task("cancel-1")),
            STOCK: work(STOCK, Status.DEAD, "invalid", b""),
        }.items():
            self.keep(rows.key(rows.TASK, "acme|shop", row), rows.pack_task(task))
        self.keep(rows.key(rows.INTENT, "acme|shop", SHIP), rows.pack_intent(intent))

    def task(self, operation_id: str) -> bytes:
        record = {
            "tenant": "acme", "account": "shop", "platform": "shopify", "type": "order", "kind": "command",
            "golden_key": f"acme|order|shop:{operation_id}", "golden_version": 3, "op": "upsert", "flow": "orders",
            "fields": ["number"], "lane": "normal", "fingerprint": bytes(8), "record": b"",
            "operation_id": operation_id, "wanted_at": NOW, "origin_at": NOW,
            "rerouted_from": "old-shop" if operation_id == "ship-1" else None,
        }  # fmt: skip
        return self.codec.encode("push_task", record)

    def keep(self, key: bytes, row: bytes) -> None:
        self.write((topics.courier_changelog("shopify"), self.shard, key, row))

    @property
    def environ(self) -> dict[str, str]:
        return super().environ | {
            "SLUICE_STATE_DIR": str(self.folder / "state"),
            "SLUICE_INSTANCE_ID": "one",
            "SLUICE_HEALTH_PORT_BASE": "0",
        }

    @contextmanager
    def courier(self) -> Iterator[None]:
        """A courier that works, and ends in good order."""
        log = (self.folder / "courier.log").open("wb")
        running = subprocess.Popen(
            [sys.executable, "-m", "streams.cli.main", "run", "courier", "--platform", "shopify"],
            env={**os.environ, **self.environ, "PYTHONWARNINGS": "ignore"},
            stdout=log,
            stderr=log,
        )
        try:
            yield
            running.send_signal(signal.SIGTERM)
            assert running.wait(30) == 0
        finally:
            running.kill()
            running.wait(10)
            log.close()

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["tasks", *arguments], env=self.environ)

    def parked(self) -> list[dict[str, Any]]:
        listed = json.loads(self.run("parked", "--json").output)
        assert isinstance(listed, list)
        return listed


@pytest.fixture
def left(endpoints: Endpoints, tmp_path: Path) -> Iterator[Left]:
    story = Left(endpoints, tmp_path, f"tasks{uuid.uuid4().hex[:6]}.")
    yield story
    story.remove()


def test_parked_work_is_listed_shown_whole_and_decided_once(left: Left) -> None:
    assert {one["name"] for one in left.parked()} == {"ship-1", "cancel-1"}
    assert left.run("parked", "--account", "acme|other").output == "0 parked\n"
    handle = next(one["task"] for one in left.parked() if one["name"] == "ship-1")
    assert f"{handle}  acme|shop  command  ship-1  outcome_unknown" in left.run("parked").output

    shown = json.loads(left.run("show", handle[:6], "--json").output)
    assert shown["intent"]["requests"] == [{"request": "POST /fulfilments", "query": {}, "body": '{"order": 42}'}]
    assert shown["rerouted_from"] == "old-shop"
    assert shown["intent"]["known_what_became_of_it"] is False
    assert "vendor_key" in left.run("show", "ship-1").output

    nobody_works = left.run("resolve", handle, "done", "--by", "ada", "--why", "it is there", "--wait", "0")
    assert nobody_works.exit_code == 2
    assert "has not carried it out" in nobody_works.output
    with left.courier():
        until(lambda: {one["name"] for one in left.parked()} == {"cancel-1"}, "the verdict is carried out")
        given_up = left.run("resolve", "cancel-1", "discard", "--by", "ada", "--why", "the customer agreed")
        assert (given_up.exit_code, given_up.output) == (0, "discard: cancel-1 at acme|shop\n")
    assert left.parked() == []
    (verdict,) = json.loads(left.run("show", "cancel-1", "--json").output)["verdicts"]
    assert (verdict["verdict"], verdict["by"], verdict["why"]) == ("discard", "ada", "the customer agreed")
    letters = CliRunner().invoke(main, ["deadletters", "list"], env=left.environ).output
    assert "courier  discarded" in letters
    assert applied(left) == {SHIP}


def applied(left: Left) -> set[str]:
    with closing(TopicReader({"bootstrap.servers": left.where.bootstrap}, left.prefix)) as reader:
        held = reader.latest(topics.courier_changelog("shopify"))
    return {rows.rest_of(key)[0] for key in held if key[:1] == rows.APPLIED}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("show", "nothing"), "no task 'nothing' is open"),
        (("show", ""), "no task '' is open"),
        (("resolve", STOCK, "done", "--by", "a", "--why", "b"), "is dead, so there is nothing to decide"),
    ],
)
def test_what_cannot_be_decided_says_why(left: Left, arguments: tuple[str, ...], words: str) -> None:
    told = left.run(*arguments)
    assert told.exit_code == 2
    assert words in told.output
