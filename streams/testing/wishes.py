"""Random work for the couriers of a `Yard`, and what is to come of it."""

from __future__ import annotations

import random
import time
from decimal import Decimal
from typing import Any

from schemas.entities import EntityType
from schemas.identity import GoldenKey
from streams.testing import desk, truth
from streams.testing.yard import PLACE, SHOP, SHOPS, SKUS, TENANT, WAREHOUSE, Yard

RATE = 30.0  # sets per second and shop: each entity changes several times while one write of it is in doubt
ORDERS = 4.0  # commands per second: they do not coalesce


class Wishes:
    """Tasks at a rate, when `step` is called; remembers what every shop should hold in the end, and every command.

    What is asked for is a number that rises, so that what a shop accepted says how new it was.
    """

    def __init__(self, yard: Yard, seed: int) -> None:
        self._yard = yard
        self._random = random.Random(seed)
        self._began = time.monotonic()
        self._sets = self._orders = 0
        self.wanted: dict[str, dict[str, str]] = {name: {} for name in SHOPS}
        self.commands: list[str] = []

    def step(self) -> None:
        """Make the tasks that are due now."""
        elapsed = time.monotonic() - self._began
        while self._sets < elapsed * RATE:
            self._sets += 1
            for name in SHOPS:
                self._set(name)
        while self._orders < elapsed * ORDERS:
            self._orders += 1
            self._order()
        self._yard.desk.flush()

    def _set(self, name: str) -> None:
        sku, number = f"SKU-{self._random.randrange(SKUS)}", self._sets
        account = self._yard.accounts[name]
        if self._random.random() < 0.5:
            fields: dict[str, Any] = {"available": Decimal(number), "sku": sku, "location": PLACE, "tracked": True}
            self._yard.desk.ask(account, desk.stock(TENANT, sku, PLACE), fields)
            self.wanted[name][f"{truth.STOCK} {sku}"] = str(number)
        else:
            money = {"amount": Decimal(number), "currency": "EUR", "tax": "INCLUDED"}
            self._yard.desk.ask(account, desk.price(TENANT, sku), {"amount": money, "sku": sku})
            self.wanted[name][f"{truth.PRICE} {sku}"] = str(number)

    def _order(self) -> None:
        """A new order, or other lines for one of the last: commands of one entity follow each other closely."""
        number = len(self.commands)
        chosen = number if self._random.random() < 0.6 else max(0, number - self._random.randrange(1, 4))
        golden_key = GoldenKey(TENANT, EntityType.ORDER, f"{SHOP}:{chosen}")
        line = {"line_id": "1", "sku": f"SKU-{self._random.randrange(SKUS)}", "quantity": Decimal(number + 1)}
        money = {"amount": Decimal(1), "currency": "EUR", "tax": "INCLUDED"}
        fields = {
            "number": f"#{chosen}", "status": "OPEN", "fulfilment_status": "UNFULFILLED", "total": money,
            "lines": [{**line, "variant_remote_id": None, "unit_price": None}],
        }  # fmt: skip
        self.commands.append(f"order-{number}")
        self._yard.desk.ask(self._yard.accounts[WAREHOUSE], golden_key, fields, operation_id=self.commands[-1])
