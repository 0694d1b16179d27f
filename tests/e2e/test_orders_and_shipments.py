"""Orders go to the warehouse and shipments come back, each exactly once, while replies get lost and couriers die.

A paid order at a shop is a command to the warehouse, and a shipment one to the shop where its order was placed. Every
write has an even chance to lose its reply after it was carried out.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from streams.stack import Endpoints
from streams.testing.merchant import BACK_OFFICE, SHOP, WAREHOUSE, Faults, Merchant, Scale
from tests.e2e.pipeline import until

pytestmark = pytest.mark.broker

LOST = 0.5  # of the replies to writes
ORDERS = 4  # at each shop
KILLS = 6
PATIENCE = 150.0  # seconds: a command whose reply was lost is looked up when its request can no longer land
SCALE = Scale(skus=3, lateness=0.2, poll_interval=1.0, restore_rate=1000.0, bucket=2000.0, vendor_timeout=2.0,
              warehouse=True, faults=Faults(0.3, 0.3, 0.5, 0.2, LOST, 0.05))  # fmt: skip


@pytest.fixture(scope="module")
def merchant(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Merchant]:
    """Two shops, a warehouse, every role as a process."""
    started = Merchant(tmp_path_factory.mktemp("orders"), endpoints, SCALE, f"ord{uuid4().hex[:8]}.")
    try:
        started.start()
        yield started
    finally:
        started.stop()


def orders_at(merchant: Merchant) -> Counter[str]:
    """Orders the warehouse holds, by reference."""
    return Counter(one["reference"] for one in merchant.state(WAREHOUSE)["orders"].values())


def created(merchant: Merchant, kind: str, name: str) -> list[dict[str, Any]]:
    """What a fake accepted of one kind from our side."""
    return [one for one in merchant.journal(name) if one["kind"] == kind and one["actor"] == "api"]


class Killer:
    """Kills a courier now and then, while somebody waits."""

    def __init__(self, merchant: Merchant, seed: int) -> None:
        self._merchant = merchant
        self._random = random.Random(seed)
        self._next = time.monotonic() + 1.0
        self.kills = 0

    def __call__(self) -> None:
        if self.kills < KILLS and time.monotonic() >= self._next:
            self._merchant.tree.kill(self._random.choice(self._merchant.couriers))
            self.kills += 1
            self._next = time.monotonic() + self._random.uniform(0.5, 3.0)
        self._merchant.tree.watch()


def await_all(merchant: Merchant, killer: Killer, holds: Callable[[], bool], what: str) -> None:
    """Go on killing until it holds, and all kills were done."""

    def done() -> bool:
        killer()
        return killer.kills >= KILLS and holds()

    until(done, what, PATIENCE)


@pytest.mark.timeout(480)
def test_every_paid_order_is_shipped_once_and_its_shop_is_told_once(merchant: Merchant) -> None:
    placed = [
        *(f"{SHOP}:{merchant.edit(SHOP, do='create_order', lines={'SKU-1': 2})['order_id']}" for _ in range(ORDERS)),
        *(
            f"{BACK_OFFICE}:{merchant.edit(BACK_OFFICE, do='create_order', lines={'SKU-2': 1})['order_id']}"
            for _ in range(ORDERS)
        ),
    ]
    unpaid = merchant.edit(BACK_OFFICE, do="create_order", lines={"SKU-0": 1}, state=10)["order_id"]
    killer = Killer(merchant, seed=1)
    await_all(merchant, killer, lambda: set(orders_at(merchant)) >= set(placed), "every paid order is at the warehouse")
    for reference in placed:
        merchant.edit(WAREHOUSE, do="ship", order=reference)
    killer = Killer(merchant, seed=2)
    await_all(merchant, killer, lambda: len(told(merchant)) >= len(placed), "every shop was told of its shipments")

    merchant.edit(SHOP, do="update_order", order_id=int(placed[0].partition(":")[2]), financial_status="paid")
    time.sleep(3.0)  # whatever would come twice has had the time to
    assert orders_at(merchant) == Counter(placed), unpaid
    assert Counter(one["reference"] for one in created(merchant, "order", WAREHOUSE)) == Counter(placed)
    assert told(merchant) == Counter(placed)
    assert merchant.stats(WAREHOUSE)["lost_replies"] + merchant.stats(SHOP)["lost_replies"] > 0
    statuses = [one["fulfillment_status"] for one in merchant.state(SHOP)["orders"].values()]
    assert statuses == ["fulfilled"] * ORDERS
    assert Counter(one["state"] for one in merchant.state(BACK_OFFICE)["orders"].values()) == {"4": ORDERS, "10": 1}


def told(merchant: Merchant) -> Counter[str]:
    """Shipments the shops were told of, by order: fulfilments of the one, tracking numbers of the other."""
    at_shop = created(merchant, "fulfilment", SHOP)
    at_office = [one for one in created(merchant, "fulfilment", BACK_OFFICE) if one["changed"]]
    states = {one["remote_id"] for one in created(merchant, "order_state", BACK_OFFICE)}
    return Counter(
        [
            *(f"{SHOP}:{one['remote_id']}" for one in at_shop),
            *(f"{BACK_OFFICE}:{one['remote_id']}" for one in at_office if one["remote_id"] in states),
        ]
    )
