"""The courier against the fake shops over HTTP: lost replies, failing servers, quotas, kills in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from connectors import prestashop, shopify
from connectors.kit.clock import SystemClock
from connectors.kit.contract import Account, Platform
from connectors.kit.http import HttpSender
from connectors.prestashop.fake import FakePrestaShop
from connectors.prestashop.fake import Options as PrestaShopOptions
from connectors.shopify.fake import FakeShopify
from connectors.shopify.fake import Options as ShopifyOptions
from schemas import identity, topics
from schemas.codec import Codec, Record
from schemas.entities import EntityType
from schemas.registry import MemorySchemas
from schemas.topics import Profile
from streams.core import courier_rows as rows
from streams.core.ledger import Book, read, total
from streams.core.outcome import Limits
from streams.courier.processor import Courier
from streams.courier.setup import Settings, Setup
from streams.courier.waiter import SystemWaiter
from streams.runtime.xref import Remote
from streams.shard.memory import MemoryShard
from tests.unit.schemas.examples import RECEIVED, a_meta

CODEC = Codec(MemorySchemas())
PROFILE = Profile("test", shard=1, platform=1, small=1, replication=1, min_isr=1)
QUICK = Settings(
    request_timeout=0.6, intent_age=0.3, drain=0.0, limits=Limits(base=0.05, cap=0.2, quarantine=1.0, auth_recheck=0.3)
)
SKUS = tuple(f"SKU-{number}" for number in range(12))


@dataclass
class Incoming:
    """A consumed record."""

    offset: int
    value: bytes | None
    timestamp: int = 0
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


@dataclass
class Links:
    """What the mapper would have learnt of the shop: the ids behind every SKU."""

    variants: dict[str, Remote] = field(default_factory=dict)

    def golden(self, tenant: str, type: EntityType, account: str, remote_id: str) -> str | None:
        return None

    def remote(self, tenant: str, type: EntityType, account: str, golden_key: str) -> Remote | None:
        golden = identity.GoldenKey.parse(golden_key)
        return self.variants.get(golden.golden_id) if type is EntityType.VARIANT else None


class Run:
    """One courier over one fake shop. `kill` ends it wherever it is, with what was committed until then."""

    def __init__(
        self, platform: Platform, account: Account, links: Links, location: str, settings: Settings = QUICK
    ) -> None:
        self.platform, self.account, self.links, self.location = platform, account, links, location
        self.settings = settings
        self.shard = MemoryShard()
        self.sender = HttpSender()
        self._worker: asyncio.Task[None] | None = None
        self._offset = 0

    async def start(self) -> None:
        clock = SystemClock()
        setup = Setup(
            self.platform, (self.account,), CODEC, self.links, PROFILE, clock, SystemWaiter(clock), self.sender,
            settings=self.settings,
        )  # fmt: skip
        self.courier = Courier(setup)
        self.courier.open(self.shard)
        self._worker = asyncio.create_task(self.courier.work(self.shard))

    async def stop(self) -> None:
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    async def kill(self) -> None:
        found = self.shard.crashed()
        await self.stop()
        self.shard = found
        await self.start()

    def push(self, *values: bytes) -> None:
        self._arrive(topics.push(self.platform.name), values)

    def fetch(self, *values: bytes) -> None:
        self._arrive(topics.fetch(self.platform.name), values)

    def _arrive(self, topic: str, values: Sequence[bytes]) -> None:
        batch = [Incoming(self._offset + index, value) for index, value in enumerate(values)]
        self._offset += len(values)
        self.courier.process(self.shard, topic, batch)
        self.shard.flush()

    def stock(self, sku: str, version: int, units: int, flow: str = "stock") -> bytes:
        """A push task for one stock level, as the resolver writes it. Those of two flows never share a call."""
        key = str(identity.GoldenKey("t1", EntityType.INVENTORY_LEVEL, identity.composite(sku, self.location)))
        record = {"meta": a_meta(), "sku": sku, "location": self.location, "available": Decimal(units)}
        task = {
            "tenant": "t1",
            "account": self.account.id,
            "platform": self.platform.name,
            "type": "inventory_level",
            "golden_key": key,
            "golden_version": version,
            "kind": "set",
            "op": "upsert",
            "flow": flow,
            "fields": ["available"],
            "lane": "high",
            "fingerprint": bytes(8),
            "record": CODEC.encode("inventory_level", record),
            "operation_id": None,
            "wanted_at": RECEIVED,
            "origin_at": RECEIVED,
        }
        return CODEC.encode("push_task", task)

    def raw(self) -> list[Record]:
        return [CODEC.decode(one.value or b"") for one in self.shard.outputs(topics.raw(self.platform.name))]

    def calls(self) -> list[Record]:
        return [CODEC.decode(one.value or b"") for one in self.shard.outputs(topics.CALLS)]

    def pending(self) -> int:
        return len(list(self.shard.rows.scan(rows.TASK))) + len(list(self.shard.rows.scan(rows.INTENT)))

    def ledger(self) -> Mapping[str, int]:
        return total(read(self.shard.rows))[Book.TASKS, f"t1|{self.account.id}"]

    async def until(self, true: Callable[[], bool], seconds: float = 30.0) -> None:
        """Wait for the world to get there. Raises AssertionError when it does not."""
        deadline = time.monotonic() + seconds
        while not true():
            assert self._worker is None or not self._worker.done(), self._worker
            assert time.monotonic() < deadline, f"still pending after {seconds} s: {self.ledger()}"
            await asyncio.sleep(0.02)


@dataclass
class Shop:
    """A fake shop, how it is tuned, and the courier that works it."""

    fake: Any
    run: Run

    def units(self, sku: str) -> int:
        return int(self.fake.state()["levels"][sku][self.run.location])

    def accepted(self, sku: str) -> list[int]:
        """Stock values that the shop accepted from us, in order."""
        return [int(float(one.value)) for one in self.fake.shop.journal if one.sku == sku and one.actor == "api"]


async def shopify_shop() -> Shop:
    fake = FakeShopify(ShopifyOptions(bucket=200.0, restore_rate=400.0))
    fake.shop.create_product("Many", dict.fromkeys(SKUS, "9.90"), stock=5)
    await fake.start()
    links = Links()
    for sku in SKUS:
        one = fake.shop.by_sku(sku)
        aliases = {"product_id": str(one.product_id), "inventory_item_id": str(one.item_id)}
        links.variants[sku] = (str(one.id), aliases)
    account = fake.account(bucket="200", restore_rate="400")
    platform = Platform("shopify", shopify.PLATFORM.mapping, destination=shopify.PLATFORM.destination)
    return Shop(fake, Run(platform, account, links, "BER"))


async def prestashop_shop() -> Shop:
    fake = FakePrestaShop(PrestaShopOptions())
    for sku in SKUS:
        fake.shop.create_product(sku, {sku: "9.90"}, stock=5)
    await fake.start()
    links = Links()
    for sku in SKUS:
        row = fake.shop.stock_of(fake.shop.by_sku(sku))
        links.variants[sku] = (f"{row['id_product']}:{row['id_product_attribute']}", {})
    account = fake.account(scan_interval="0.3", rate="300", burst="50")
    return Shop(fake, Run(prestashop.PLATFORM, account, links, "MAIN"))


@pytest.fixture(params=[shopify_shop, prestashop_shop])
async def shop(request: pytest.FixtureRequest) -> AsyncIterator[Shop]:
    one: Shop = await request.param()
    await one.run.start()
    yield one
    await one.run.stop()
    await one.run.sender.close()
    await one.fake.stop()


@pytest.fixture
async def presta() -> AsyncIterator[Shop]:
    one = await prestashop_shop()
    await one.run.start()
    yield one
    await one.run.stop()
    await one.run.sender.close()
    await one.fake.stop()


async def test_every_stock_level_arrives_once(shop: Shop) -> None:
    shop.run.push(*(shop.run.stock(sku, 1, 40 + index) for index, sku in enumerate(SKUS)))
    await shop.run.until(lambda: shop.run.pending() == 0)
    assert [shop.units(sku) for sku in SKUS] == [40 + index for index in range(len(SKUS))]
    assert all(len(shop.accepted(sku)) == 1 for sku in SKUS)
    assert shop.run.ledger()["applied"] == len(SKUS)


async def test_through_lost_replies_and_failing_servers_the_newest_value_stands(shop: Shop) -> None:
    shop.fake.options.change({"lost_replies": 0.15, "server_errors": 0.15})
    for version in range(1, 9):
        shop.run.push(*(shop.run.stock(sku, version, 100 + version) for sku in SKUS))
        await asyncio.sleep(0.1)
    await asyncio.sleep(1.0)
    shop.fake.options.change({"lost_replies": 0.0, "server_errors": 0.0})
    await shop.run.until(lambda: shop.run.pending() == 0)
    for sku in SKUS:
        assert shop.units(sku) == 108
        assert shop.accepted(sku) == sorted(shop.accepted(sku))


async def test_through_kills_the_newest_value_stands_and_none_goes_back(shop: Shop) -> None:
    shop.fake.options.change({"latency": 0.03, "lost_replies": 0.05})
    for version in range(1, 7):
        shop.run.push(*(shop.run.stock(sku, version, 100 + version) for sku in SKUS))
        await asyncio.sleep(0.07)
        await shop.run.kill()
    shop.fake.options.change({"lost_replies": 0.0})
    await shop.run.until(lambda: shop.run.pending() == 0)
    for sku in SKUS:
        assert shop.units(sku) == 106
        assert shop.accepted(sku) == sorted(shop.accepted(sku))
    book = shop.run.ledger()
    assert book["received"] == sum(book[name] for name in Book.TASKS.settled)


async def test_an_outage_ends_and_everything_arrives(shop: Shop) -> None:
    shop.fake.options.change({"outage": True})
    shop.run.push(*(shop.run.stock(sku, 1, 77) for sku in SKUS))
    await asyncio.sleep(1.0)
    asked = len([call for call in shop.run.calls() if not call["operation"].startswith("poll")])
    shop.fake.options.change({"outage": False})
    await shop.run.until(lambda: shop.run.pending() == 0, seconds=60)
    assert asked < 30
    assert [shop.units(sku) for sku in SKUS] == [77] * len(SKUS)


async def test_a_quota_is_used_up_and_never_overrun() -> None:
    shop = await shopify_shop()
    await shop.run.start()
    started = time.monotonic()
    count = 0
    for version in range(1, 11):
        shop.run.push(*(shop.run.stock(sku, version, version, flow=sku) for sku in SKUS))
        await shop.run.until(lambda: shop.run.pending() == 0)
        count += len(SKUS)
    spent = time.monotonic() - started
    ideal = (count * 10 - 200) / 400  # seconds: ten points each, less what the bucket held at first
    assert shop.fake.bucket.stats.throttled == 0
    assert spent < 3 * ideal
    assert len(shop.run.calls()) == count
    await shop.run.stop()
    await shop.run.sender.close()
    await shop.fake.stop()


async def test_levels_that_wait_together_cost_one_call() -> None:
    shop = await shopify_shop()
    await shop.run.start()
    shop.run.push(*(shop.run.stock(sku, 1, 40 + number) for number, sku in enumerate(SKUS)))
    await shop.run.until(lambda: shop.run.pending() == 0)
    held = shop.fake.state()["levels"]
    assert [held[sku][shop.run.location] for sku in SKUS] == [40 + number for number in range(len(SKUS))]
    assert [call["cost"] for call in shop.run.calls()] == [10.0]
    await shop.run.stop()
    await shop.run.sender.close()
    await shop.fake.stop()


async def test_scans_tell_what_changed_and_our_own_write_is_heard_once(presta: Shop) -> None:
    def stocks() -> list[Record]:
        return [one for one in presta.run.raw() if one["topic"] == "stock_availables"]

    await presta.run.until(lambda: len(stocks()) == len(SKUS))
    presta.run.push(presta.run.stock(SKUS[0], 1, 42))
    await presta.run.until(lambda: len(stocks()) == len(SKUS) + 1)
    await asyncio.sleep(0.8)
    assert len(stocks()) == len(SKUS) + 1
    presta.fake.shop.set_available(SKUS[1], 3)
    await presta.run.until(lambda: len(stocks()) == len(SKUS) + 2)
    assert b'"3"' in stocks()[-1]["body"] or b":3" in stocks()[-1]["body"]
    sequences = [one["read_sequence"] for one in presta.run.raw()]
    assert sequences == sorted(sequences)


async def test_a_deleted_product_is_found_gone_by_a_complete_scan(presta: Shop) -> None:
    await presta.run.until(lambda: len(presta.run.raw()) >= 3 * len(SKUS))
    id_product = int(presta.run.links.variants[SKUS[0]][0].split(":")[0])
    presta.fake.shop.delete_product(id_product)
    await presta.run.until(lambda: any(one["op"] == "delete" for one in presta.run.raw()))
    await asyncio.sleep(0.8)
    gone = {(one["topic"], one["resource_id"]) for one in presta.run.raw() if one["op"] == "delete"}
    assert ("stock_availables", f"{id_product}:0") in gone
    assert ("combinations", f"{id_product}:0") in gone
