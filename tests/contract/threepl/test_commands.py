"""The courier hands orders over to the fake warehouse: through lost replies, failures and kills, each exactly once."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from connectors import threepl
from connectors.threepl.fake import FakeThreePl, Options
from schemas import identity
from schemas.entities import EntityType
from streams.core import courier_rows as rows
from tests.contract.test_courier import CODEC, Links, Run
from tests.unit.schemas.examples import RECEIVED, a_meta

ORDERS = tuple(f"shop-1:{number}" for number in range(1001, 1013))


class Handover:
    """A fake warehouse and the courier that works it."""

    def __init__(self, **options: Any) -> None:
        self.fake = FakeThreePl(Options(**options))

    async def start(self) -> None:
        await self.fake.start()
        self.run = Run(threepl.PLATFORM, self.fake.account(poll_interval="600", rate="300", burst="50"), Links(), "")
        await self.run.start()

    async def stop(self) -> None:
        await self.run.stop()
        await self.run.sender.close()
        await self.fake.stop()

    def command(self, reference: str, version: int = 1, units: int = 2, **fields: Any) -> bytes:
        """A command, as a flow of orders writes it."""
        money = {"amount": Decimal("19.90"), "currency": "EUR", "tax": "INCLUDED"}
        lines = [{"line_id": "1", "sku": "TEE-M", "quantity": Decimal(units)}]
        record = {"meta": a_meta(), "number": "#1", "status": "OPEN", "total": money, "lines": lines, **fields}
        task = {
            "tenant": "t1",
            "account": self.run.account.id,
            "platform": "threepl",
            "type": "order",
            "golden_key": str(identity.GoldenKey("t1", EntityType.ORDER, reference)),
            "golden_version": version,
            "kind": "command",
            "op": "upsert",
            "flow": "orders",
            "fields": [],
            "lane": "high",
            "fingerprint": bytes(8),
            "record": CODEC.encode("order", record),
            "operation_id": f"orders|{reference}|{version}",
            "wanted_at": RECEIVED,
            "origin_at": RECEIVED,
        }
        return CODEC.encode("push_task", task)

    def created(self) -> Counter[str]:
        """How often each order was really created."""
        return Counter(one.reference for one in self.fake.shop.journal if one.kind == "order")

    async def until_done(self) -> None:
        await self.run.until(lambda: self.run.pending() == 0, seconds=60)


@pytest.fixture
async def handover() -> AsyncIterator[Handover]:
    one = Handover()
    await one.start()
    yield one
    await one.stop()


async def test_every_order_is_handed_over_once_under_its_operation_id(handover: Handover) -> None:
    handover.run.push(*(handover.command(reference) for reference in ORDERS))
    await handover.until_done()
    assert handover.created() == Counter(ORDERS)
    keys = {one.key for one in handover.fake.api.accepted}
    assert len(keys) == len(ORDERS)
    assert {one.metadata["operation"] for one in handover.fake.shop.orders.values()} == keys
    assert handover.run.ledger()["applied"] == len(ORDERS)


async def test_through_lost_replies_and_failing_servers_every_order_is_created_once(handover: Handover) -> None:
    handover.fake.options.change({"lost_replies": 0.5, "server_errors": 0.2})
    handover.run.push(*(handover.command(reference) for reference in ORDERS))
    await asyncio.sleep(1.5)
    handover.fake.options.change({"lost_replies": 0.0, "server_errors": 0.0})
    await handover.until_done()
    assert handover.fake.lost_replies > 0
    assert handover.created() == Counter(ORDERS)


async def test_a_key_that_the_warehouse_has_forgotten_creates_no_second_order(handover: Handover) -> None:
    handover.fake.options.change({"key_retention": 0.0, "lost_replies": 1.0})
    handover.run.push(handover.command(ORDERS[0]))
    await handover.run.until(lambda: handover.fake.lost_replies > 0)
    handover.fake.options.change({"lost_replies": 0.0})
    await handover.until_done()
    assert handover.created() == Counter(ORDERS[:1])


async def test_a_list_that_lags_behind_leaves_it_to_the_key(handover: Handover) -> None:
    handover.fake.options.change({"index_lag": 3600.0, "lost_replies": 1.0})
    handover.run.push(handover.command(ORDERS[0]))
    await handover.run.until(lambda: handover.fake.lost_replies > 0)
    handover.fake.options.change({"lost_replies": 0.0})
    await handover.until_done()
    assert handover.created() == Counter(ORDERS[:1])
    assert [one.replayed for one in handover.fake.api.accepted] == [False, True]


async def test_an_order_that_lands_after_we_gave_up_is_found_and_not_sent_again(handover: Handover) -> None:
    handover.fake.options.change({"commit_delay": 0.8})  # longer than the courier waits, shorter than the quarantine
    handover.run.push(handover.command(ORDERS[0]))
    await handover.until_done()
    assert handover.created() == Counter(ORDERS[:1])
    assert [(one.method, one.replayed) for one in handover.fake.api.accepted] == [("POST", False)]
    assert [call["operation"] for call in handover.run.calls() if "order" in call["operation"]] == [
        "find_order",
        "create_order",
        "find_order",
    ]


async def test_a_change_right_after_the_order_finds_it_although_the_list_lags_behind(handover: Handover) -> None:
    handover.fake.options.change({"index_lag": 0.5, "unique_references": True})
    handover.run.push(handover.command(ORDERS[0]))
    await handover.until_done()
    handover.run.push(handover.command(ORDERS[0], 2, units=5))
    await handover.until_done()
    assert handover.created() == Counter(ORDERS[:1])
    assert handover.fake.shop.order(ORDERS[0]).lines[0].quantity == 5


async def test_through_kills_every_order_is_created_once(handover: Handover) -> None:
    handover.fake.options.change({"latency": 0.03, "jitter": 0.05, "lost_replies": 0.1})
    for at in range(0, len(ORDERS), 2):
        handover.run.push(*(handover.command(reference) for reference in ORDERS[at : at + 2]))
        await asyncio.sleep(0.06)
        await handover.run.kill()
    handover.fake.options.change({"lost_replies": 0.0})
    await handover.until_done()
    assert handover.created() == Counter(ORDERS)


async def test_changes_and_a_cancellation_are_carried_out_in_turn(handover: Handover) -> None:
    one, two = ORDERS[:2]
    handover.run.push(handover.command(one), handover.command(two))
    await handover.until_done()
    handover.run.push(handover.command(one, 2, units=5), handover.command(two, 2, status="CANCELLED"))
    await handover.until_done()
    held = {each.reference: (each.status, each.lines[0].quantity) for each in handover.fake.shop.orders.values()}
    assert held == {one: ("received", 5), two: ("cancelled", 2)}
    handover.run.push(handover.command(one, 1, units=9))
    await handover.until_done()
    assert handover.fake.shop.order(one).lines[0].quantity == 5


async def test_what_the_warehouse_refuses_is_a_dead_letter_with_its_own_words(handover: Handover) -> None:
    handover.run.push(handover.command(ORDERS[0]))
    await handover.until_done()
    handover.fake.shop.advance(handover.fake.shop.pack(ORDERS[0]).id)
    handover.run.push(handover.command(ORDERS[0], 2, units=7))
    await handover.run.until(lambda: handover.run.ledger().get("dead", 0) == 1)
    (letter,) = [CODEC.decode(one.value or b"") for one in handover.run.shard.outputs("dead-letters.v1")]
    assert letter["reason"] == "order_not_open"
    assert "order_not_open: Order ORD-1 is shipped" in letter["detail"]
    assert not list(handover.run.shard.rows.scan(rows.INTENT))
