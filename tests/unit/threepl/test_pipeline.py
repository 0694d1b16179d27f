"""What the warehouse says, through mapper and resolver."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import orjson
import pytest

from connectors.threepl.api import SHIPMENT_UPDATED, SHIPMENTS, STOCK
from connectors.threepl.fake.delivery import signed
from schemas.entities import EntityType
from streams.core.policy import Policy, PolicyKind, Rules
from streams.runtime.config import Config
from streams.testing.topology import TopologyTestDriver
from tests.unit.threepl import support
from tests.unit.threepl.support import NOON, a_shipment, account, seen

KEY = "t1|fulfilment|shop-1:1001~warehouse~SHP-7"
LIFE = [
    a_shipment(version=number, status=status) for number, status in enumerate(("packed", "shipped", "delivered"), 1)
]


def driver() -> TopologyTestDriver:
    rules = Rules(policies={EntityType.FULFILMENT: Policy(PolicyKind.SINGLE)})
    return TopologyTestDriver(
        Config({("t1", "warehouse"): account(warehouses="HAM1=BER")}, rules), start=NOON + 1_000_000
    )


def webhook(to: TopologyTestDriver, shipment: dict[str, Any], event: str) -> None:
    body = orjson.dumps({"id": event, "type": SHIPMENT_UPDATED, "data": shipment})
    to.deliver("warehouse", signed("secret", event, SHIPMENT_UPDATED, body, NOON), body)


@pytest.mark.parametrize("seed", range(6))
def test_out_of_order_twice_and_polled_between_the_newest_version_of_a_shipment_stands(seed: int) -> None:
    one, told = driver(), [(shipment, f"evt_{shipment['version']}") for shipment in LIFE] * 2
    random.Random(seed).shuffle(told)
    for shipment, event in told:
        webhook(one, shipment, event)
        one.observe("warehouse", seen(SHIPMENTS.name, shipment))
        one.commit()
    one.advance(60)
    one.commit()
    assert one.state(EntityType.FULFILMENT)[KEY]["status"] == "DELIVERED"
    versions = [event["value"]["meta"]["version"]["clock"] for event in one.events(EntityType.FULFILMENT)]
    assert versions == sorted(versions)
    assert set(versions) == {1, 2, 3}
    assert len(versions) == len(LIFE) + len(told), "a webhook that comes twice is one event"
    assert one.dead_letters() == []


def test_stock_of_the_warehouse_is_stock_at_a_location() -> None:
    one = driver()
    one.observe("warehouse", seen(STOCK.name, support.STOCK))
    one.commit()
    level = one.state(EntityType.INVENTORY_LEVEL)["t1|inventory_level|TEE-M~BER"]
    assert (level["available"], level["on_hand"]) == (Decimal(7), Decimal(9))
