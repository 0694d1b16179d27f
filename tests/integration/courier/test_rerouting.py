"""Real couriers on a real broker, killed at random: each order is at exactly one of two warehouses."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from connectors.threepl.fake import FakeThreePl, Options
from schemas import identity, topics
from schemas.entities import EntityType
from streams.core.ledger import Book, balance, total
from streams.runtime import ledgerbook
from streams.runtime.topicreader import TopicReader
from streams.stack import Endpoints
from streams.testing.fleet import Fleet
from tests.integration.cli.story import NOW, PROFILE, Story
from tests.integration.support import eventually
from tests.unit.schemas.examples import a_meta

pytestmark = pytest.mark.broker
NEAR, FAR = "near", "far"


class Merchant(Story):
    """One installation with two warehouses, of which the second stands in for the first."""

    near: FakeThreePl
    far: FakeThreePl

    async def open(self) -> None:
        self.near, self.far = FakeThreePl(Options(seed=1)), FakeThreePl(Options(seed=2))
        accounts = [f"{name}: {self._account(await fake.start())}" for name, fake in self.warehouses.items()]
        self.file.write_text(
            f"tenants: {{acme: {{accounts: {{{', '.join(accounts)}}}}}}}\n"
            f"flows: {{orders: {{entity: order, kind: command, to: {NEAR}, fallback: {FAR}}}}}\n"
        )
        quick = {"SLUICE_VENDOR_TIMEOUT": "2", "SLUICE_COURIER_QUARANTINE_MARGIN": "1", "SLUICE_HEALTH_PORT_BASE": "0"}
        self.fleet = Fleet(self.folder, ["courier", "--platform", "threepl"], {**self.environ, **quick})

    async def close(self) -> None:
        await asyncio.to_thread(self.fleet.stop)
        for fake in self.warehouses.values():
            await fake.stop()
        self.remove()

    @property
    def warehouses(self) -> dict[str, FakeThreePl]:
        return {NEAR: self.near, FAR: self.far}

    def _account(self, url: str) -> str:
        secrets = f"{{api_token: 'value:{Options.api_token}', webhook: 'value:{Options.webhook_secret}'}}"
        settings = "{rate: '50', poll_interval: '600'}"
        return f"{{platform: threepl, base_url: '{url}', settings: {settings}, secrets: {secrets}}}"

    def order(self, *references: str) -> None:
        """The resolver asks the near warehouse for them."""
        partition = identity.account_partition("acme", NEAR, PROFILE.platform)
        topic = topics.push("threepl")
        self.write(*((topic, partition, one.encode(), self._task(one)) for one in references))

    def _task(self, reference: str) -> bytes:
        money = {"amount": Decimal("19.90"), "currency": "EUR", "tax": "INCLUDED"}
        lines = [{"line_id": "1", "sku": "TEE-M", "quantity": Decimal(2)}]
        order = {"meta": a_meta(), "number": "#1", "status": "OPEN", "total": money, "lines": lines}
        key = str(identity.GoldenKey("acme", EntityType.ORDER, reference))
        task = {
            "tenant": "acme", "account": NEAR, "platform": "threepl", "type": "order", "golden_key": key,
            "golden_version": 1, "kind": "command", "op": "upsert", "flow": "orders", "fields": [], "lane": "high",
            "fingerprint": bytes(8), "record": self.codec.encode("order", order),
            "operation_id": f"orders|{key}|{NEAR}", "wanted_at": NOW, "origin_at": NOW,
        }  # fmt: skip
        return self.codec.encode("push_task", task)

    def placed(self) -> dict[str, Counter[str]]:
        """How often each order was really created, by warehouse."""
        return {
            name: Counter(one.reference for one in fake.shop.journal if one.kind == "order")
            for name, fake in self.warehouses.items()
        }

    def open_tasks(self) -> int:
        """Tasks of both accounts that are received and not settled, or handed over and not received."""
        with closing(TopicReader({"bootstrap.servers": self.where.bootstrap}, self.prefix)) as reader:
            books = total(ledgerbook.entries(reader, ("threepl",)))
        tasks = {account: counters for (book, account), counters in books.items() if book is Book.TASKS}
        on_the_way = tasks.get(f"acme|{FAR}", {}).get("routed", 0) - tasks.get(f"acme|{FAR}", {}).get("received", 0)
        return on_the_way + sum(balance(Book.TASKS, one) for one in tasks.values())

    async def killed(self, chance: random.Random, times: int) -> None:
        for _ in range(times):
            await asyncio.sleep(chance.uniform(1.0, 4.0))
            self.fleet.kill("one")
            self.fleet.join("one")


@pytest.fixture
async def merchant(endpoints: Endpoints, tmp_path: Path) -> AsyncIterator[Merchant]:
    one = Merchant(endpoints, tmp_path, f"reroute{uuid.uuid4().hex[:6]}.")
    await one.open()
    yield one
    await one.close()


async def test_through_kills_and_an_outage_each_order_is_at_exactly_one_warehouse(merchant: Merchant) -> None:
    chance = random.Random(20)
    merchant.near.options.change({"outage": True})
    merchant.far.options.change({"lost_replies": 0.3})
    merchant.fleet.join("one")
    away = [f"shop:{number}" for number in range(100, 116)]
    merchant.order(*away)
    await merchant.killed(chance, 3)
    await eventually(lambda: merchant.placed()[FAR], "orders arrive at the other warehouse")
    merchant.near.options.change({"outage": False, "lost_replies": 0.3})
    back = [f"shop:{number}" for number in range(200, 216)]
    merchant.order(*back)
    await merchant.killed(chance, 3)
    for fake in merchant.warehouses.values():
        fake.options.change({"lost_replies": 0.0})
    placed = await eventually(lambda: all_placed(merchant, [*away, *back]), "all orders are placed", within=90)
    await eventually(lambda: merchant.open_tasks() == 0, "all books are closed")
    near, far = placed[NEAR], placed[FAR]
    assert merchant.placed() == placed
    assert not near.keys() & far.keys()
    assert max((near + far).values()) == 1
    assert near.keys() & set(back)


def all_placed(merchant: Merchant, wanted: list[str]) -> dict[str, Counter[str]]:
    placed = merchant.placed()
    return placed if (placed[NEAR] + placed[FAR]).keys() >= set(wanted) else {}
