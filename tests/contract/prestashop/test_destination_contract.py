"""The destination keeps what the courier relies on, over real HTTP."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.kit.contract import Write
from connectors.kit.testing import DestinationContract, Live
from connectors.kit.testing_reads import LivePolls, PollerContract
from connectors.prestashop import PLATFORM
from connectors.prestashop.fake import FakePrestaShop
from schemas.entities import EntityType, Op
from tests.contract.prestashop.conftest import Sends


def live_of(
    fake: FakePrestaShop, sends: Sends, write: Write, value: Callable[[], str], wanted: str, fetch: tuple[str, str]
) -> Live:
    account = fake.account()
    revoked = replace(account, secrets={"webservice_key": ["REVOKED" * 4 + "KEY!"]})
    assert PLATFORM.destination is not None
    return Live(
        destination=PLATFORM.destination,
        mapping=PLATFORM.mapping,
        account=account,
        send=sends(account),
        write=write,
        value=value,
        wanted=wanted,
        fetch=fetch,
        gone=(fetch[0], "99:0" if ":" in fetch[1] else "99"),
        revoked=revoked,
    )


def write(kind: EntityType, variant_id: str, record: dict[str, Any]) -> Write:
    return Write(kind, Op.UPSERT, f"t1|{kind}|X", 1, variant_id, {"variant_id": variant_id}, record, (), "op-1")


class TestStock(DestinationContract):
    @pytest.fixture
    async def live(self, fake: FakePrestaShop, sends: Sends) -> Live:
        set_nine = write(
            EntityType.INVENTORY_LEVEL, "2:1", {"sku": "P-40", "location": "MAIN", "available": Decimal(9)}
        )
        poster = fake.shop.stock_of(fake.shop.by_sku("P-40"))
        return live_of(fake, sends, set_nine, lambda: str(poster["quantity"]), "9", ("stock_available", "2:1"))


class TestPriceOfAProduct(DestinationContract):
    @pytest.fixture
    async def live(self, fake: FakePrestaShop, sends: Sends) -> Live:
        amount = {"amount": {"amount": Decimal("12.50"), "currency": "EUR", "tax": "EXCLUDED"}}
        set_price = write(EntityType.PRICE, "1:0", amount)
        return live_of(
            fake, sends, set_price, lambda: f"{fake.shop.by_sku('MUG').price:.2f}", "12.50", ("product", "1")
        )


class TestPriceOfACombination(DestinationContract):
    @pytest.fixture
    async def live(self, fake: FakePrestaShop, sends: Sends) -> Live:
        amount = {"amount": {"amount": Decimal("25"), "currency": "EUR", "tax": "EXCLUDED"}}
        set_price = write(EntityType.PRICE, "2:2", amount)
        return live_of(
            fake, sends, set_price, lambda: f"{fake.shop.by_sku('P-60').price:.2f}", "25.00", ("product", "2")
        )


class TestPolls(PollerContract):
    @pytest.fixture
    async def polls(self, fake: FakePrestaShop, sends: Sends) -> LivePolls:
        fake.shop.create_order({"MUG": 1})
        account = fake.account()
        assert PLATFORM.poller is not None
        return LivePolls(PLATFORM.poller, PLATFORM.mapping, account, sends(account), fake.clock.now)
