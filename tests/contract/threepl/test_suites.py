"""This platform joins the suites every platform keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from connectors.kit.contract import Delivery, Write
from connectors.kit.testing import CommandContract, LiveCommand, SourceCase, SourceContract
from connectors.rest.destination import RestDestination
from connectors.threepl import PLATFORM
from connectors.threepl.api import SHIPMENT_UPDATED
from connectors.threepl.fake import FakeThreePl
from connectors.threepl.fake.delivery import signed
from tests.contract.threepl.conftest import Sends
from tests.unit.threepl.support import account, line, order


def live_of(fake: FakeThreePl, sends: Sends, write: Write, value: Callable[[], str], wanted: str) -> LiveCommand:
    """A command on the order shop-1:1001; another order's shipment is there to be read."""
    known, kinds = fake.account(), {"order", "amendment", "cancellation"}
    before = len(fake.shop.journal)
    assert isinstance(PLATFORM.destination, RestDestination)
    return LiveCommand(
        PLATFORM.destination,
        PLATFORM.mapping,
        known,
        sends(known),
        write,
        value=value,
        wanted=wanted,
        fetch=("shipments", "SHP-1"),
        gone=("shipments", "SHP-99"),
        revoked=replace(known, secrets={"api_token": ["revoked"]}),
        verify=PLATFORM.destination.verify,
        done=lambda: sum(one.kind in kinds for one in fake.shop.journal[before:]),
    )


@pytest.fixture
async def packed(fake: FakeThreePl) -> FakeThreePl:
    """One order of another shop is on its way."""
    fake.shop.create_order({"reference": "shop-2:5", "lines": [{"sku": "CAP", "quantity": 1}]})
    fake.shop.pack("shop-2:5")
    return fake


class TestThreePlSource(SourceContract):
    """Signed webhooks."""

    def case(self) -> SourceCase:
        def sign(body: bytes) -> Delivery:
            return Delivery(signed("secret", "evt_1", SHIPMENT_UPDATED, body, 0), body, 1_000_000)

        known = account()
        retired = replace(known, secrets={"webhook": ["newer", "secret"]})
        assert PLATFORM.source is not None
        return SourceCase(PLATFORM.source, known, sign, retired)


class TestANewOrder(CommandContract):
    """Handing an order over."""

    @pytest.fixture
    async def live(self, packed: FakeThreePl, sends: Sends) -> LiveCommand:
        def value() -> str:
            held = [one for one in packed.shop.orders.values() if one.reference == "shop-1:1001"]
            return ", ".join(f"{each.quantity} x {each.sku}" for one in held for each in one.lines)

        return live_of(packed, sends, order(line("11", "TEE-M", "2"), line("12", "CAP")), value, "2 x TEE-M, 1 x CAP")


class TestAChangedOrder(CommandContract):
    """Other lines for an order that is there."""

    @pytest.fixture
    async def live(self, packed: FakeThreePl, sends: Sends) -> LiveCommand:
        before = {"reference": "shop-1:1001", "lines": [{"sku": "CAP", "quantity": 1}], "metadata": {"version": 1}}
        held = packed.shop.create_order(before, "op-1")
        changed = order(line("12", "CAP", "3"), version=2, op_id="op-2")
        return live_of(packed, sends, changed, lambda: str(held.lines[0].quantity), "3")


class TestACancelledOrder(CommandContract):
    """An order that its shop has cancelled."""

    @pytest.fixture
    async def live(self, packed: FakeThreePl, sends: Sends) -> LiveCommand:
        before = {"reference": "shop-1:1001", "lines": [{"sku": "CAP", "quantity": 1}], "metadata": {"version": 1}}
        held = packed.shop.create_order(before, "op-1")
        return live_of(
            packed, sends, order(version=2, op_id="op-2", status="CANCELLED"), lambda: held.status, "cancelled"
        )
