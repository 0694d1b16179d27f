"""This platform joins the suites every platform keeps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace

import pytest

from connectors.kit.contract import Delivery, Write
from connectors.kit.testing import CommandContract, LiveCommand, SourceCase, SourceContract
from connectors.kit.testing_conditions import ConditionalContract, LiveConditional
from connectors.rest.destination import RestDestination
from connectors.threepl import PLATFORM
from connectors.threepl.api import SHIPMENT_UPDATED
from connectors.threepl.fake import FakeThreePl
from connectors.threepl.fake.delivery import signed
from connectors.threepl.fake.edits import edit
from connectors.threepl.fake.records import Order
from connectors.threepl.fake.store import API
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
        done=lambda: sum(one.kind in kinds and one.actor == API for one in fake.shop.journal[before:]),
    )


def told_before(fake: FakeThreePl) -> Order:
    """The order, as the warehouse was told of its first version."""
    lines = [{"sku": "CAP", "quantity": 1}]
    return fake.shop.create_order({"reference": "shop-1:1001", "lines": lines, "metadata": {"version": 1}}, "op-1")


def among_others(fake: FakeThreePl, live: LiveCommand) -> LiveConditional:
    """The same, and somebody in the warehouse changes the units of the order."""
    values = {field.name: getattr(live, field.name) for field in fields(live)}
    edit_it = {"do": "amend_order", "order": "shop-1:1001", "units": {"CAP": 2}}
    return LiveConditional(**values, meddle=lambda: edit(fake.shop, edit_it))


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


def changed(fake: FakeThreePl, sends: Sends) -> LiveCommand:
    """Other lines for an order that is there."""
    held = told_before(fake)
    write = order(line("12", "CAP", "3"), version=2, op_id="op-2")
    return live_of(fake, sends, write, lambda: str(held.lines[0].quantity), "3")


def cancelled(fake: FakeThreePl, sends: Sends) -> LiveCommand:
    """An order that its shop has cancelled."""
    held = told_before(fake)
    return live_of(fake, sends, order(version=2, op_id="op-2", status="CANCELLED"), lambda: held.status, "cancelled")


class TestAChangedOrder(CommandContract):
    """Other lines."""

    @pytest.fixture
    async def live(self, packed: FakeThreePl, sends: Sends) -> LiveCommand:
        return changed(packed, sends)


class TestACancelledOrder(CommandContract):
    """None of it any more."""

    @pytest.fixture
    async def live(self, packed: FakeThreePl, sends: Sends) -> LiveCommand:
        return cancelled(packed, sends)


class TestAChangedOrderAmongOthers(ConditionalContract):
    """Other lines, while somebody works on the order."""

    @pytest.fixture
    async def live(self, packed: FakeThreePl, sends: Sends) -> LiveConditional:
        return among_others(packed, changed(packed, sends))


class TestACancelledOrderAmongOthers(ConditionalContract):
    """None of it any more, while somebody works on the order."""

    @pytest.fixture
    async def live(self, packed: FakeThreePl, sends: Sends) -> LiveConditional:
        return among_others(packed, cancelled(packed, sends))
