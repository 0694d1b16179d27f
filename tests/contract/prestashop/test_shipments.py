"""Shipments told to the shop over a real wire: tracking and state, each once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.kit import golden
from connectors.kit.contract import Request, Response, Write, Written
from connectors.kit.errors import Invalid, OutcomeUnknown, Unlinkable
from connectors.kit.operations import Verifier
from connectors.kit.testing import CommandContract, LiveCommand, drive
from connectors.prestashop import PLATFORM
from connectors.prestashop.destination import PrestaShopDestination
from connectors.prestashop.fake import FakePrestaShop
from schemas.entities import EntityType, Op
from tests.contract.prestashop.conftest import Sends

DESTINATION = PrestaShopDestination()
PAID, SHIPPED, CANCELLED = "2", "4", "6"


@pytest.fixture
def order(fake: FakePrestaShop) -> int:
    """Two mugs and a poster, paid."""
    return int(fake.shop.create_order({"MUG": 2, "P-40": 1})["id"])


def shipment(order: int, tracking: Sequence[str] = ("T1",), lines: Any = (), **more: Any) -> Write:
    """`lines`: SKU -> units."""
    of = golden.order("shop-2", str(order))
    record: dict[str, Any] = {
        "order": of,
        "status": "SHIPPED",
        "lines": [{"line_id": None, "sku": sku, "quantity": Decimal(units)} for sku, units in dict(lines).items()],
        "carrier": "Post",
        "tracking": [{"number": number, "url": None} for number in tracking],
        **more,
    }
    key = f"t1|fulfilment|{golden.fulfilment(of, 'wms', tracking[0] if tracking else 'none')}"
    return Write(EntityType.FULFILMENT, Op.UPSERT, key, 1, "", {}, record, (), f"back|{key}")


async def run(fake: FakePrestaShop, sends: Sends, write: Write, **settings: str) -> Written:
    account = fake.account(**settings)
    written = await drive(DESTINATION.write(account, write), sends(account))
    assert isinstance(written, Written)
    return written


async def verify(fake: FakePrestaShop, sends: Sends, write: Write) -> Written | None:
    found: Written | None = await drive(DESTINATION.verify(fake.account(), write), sends(fake.account()))
    return found


def held(fake: FakePrestaShop, order: int) -> tuple[list[str], str]:
    one = fake.state()["orders"][str(order)]
    return one["tracking"], one["state"]


def histories(fake: FakePrestaShop) -> int:
    return len(fake.shop.tables["order_histories"])


async def test_tracking_and_state_are_written_and_named_after_the_operation(
    fake: FakePrestaShop, sends: Sends, order: int
) -> None:
    await run(fake, sends, shipment(order))
    assert held(fake, order) == (["T1"], SHIPPED)
    ours = [entry for entry in fake.shop.journal if entry.actor == "api"]
    assert [(entry.kind, entry.value) for entry in ours] == [("fulfilment", "T1"), ("order_state", SHIPPED)]
    assert {entry.request_id for entry in ours} == {shipment(order).op_id}


async def test_a_repeat_writes_nothing_and_says_so(fake: FakePrestaShop, sends: Sends, order: int) -> None:
    assert not (await run(fake, sends, shipment(order))).no_op
    assert (await run(fake, sends, shipment(order))).no_op
    assert histories(fake) == 1


async def test_lost_replies_leave_a_state_that_can_be_looked_up(fake: FakePrestaShop, sends: Sends, order: int) -> None:
    assert isinstance(DESTINATION, Verifier)
    fake.options.lost_replies = 1.0
    for told in (False, True):  # the first request is the tracking, the second the state
        assert (await verify(fake, sends, shipment(order)) is not None) is False
        with pytest.raises(OutcomeUnknown):
            await run(fake, sends, shipment(order))
        assert (await verify(fake, sends, shipment(order)) == Written()) is told
    assert held(fake, order) == (["T1"], SHIPPED)
    assert histories(fake) == 1


async def test_shipments_of_parts_stand_behind_each_other_and_leave_the_state(
    fake: FakePrestaShop, sends: Sends, order: int
) -> None:
    await run(fake, sends, shipment(order, ["T1"], {"MUG": 2}))
    await run(fake, sends, shipment(order, ["T2"], {"P-40": 1}))
    assert held(fake, order) == (["T1, T2"], PAID)
    assert (await run(fake, sends, shipment(order, ["T1"], {"MUG": 2}))).no_op


async def test_lines_that_hold_the_whole_order_move_its_state(fake: FakePrestaShop, sends: Sends, order: int) -> None:
    await run(fake, sends, shipment(order, ["T1"], {"MUG": 2, "P-40": 1}), shipped_state="15")
    assert held(fake, order) == (["T1"], "15")


async def test_an_order_that_is_shipped_already_keeps_its_state(fake: FakePrestaShop, sends: Sends, order: int) -> None:
    fake.shop.update_order(order, 5)
    await run(fake, sends, shipment(order))
    assert held(fake, order) == (["T1"], "5")
    assert histories(fake) == 0


async def test_an_order_that_was_cancelled_is_not_told(fake: FakePrestaShop, sends: Sends, order: int) -> None:
    fake.shop.update_order(order, int(CANCELLED))
    with pytest.raises(Invalid, match="was cancelled") as caught:
        await run(fake, sends, shipment(order))
    assert caught.value.reason == "order_cancelled"
    assert held(fake, order) == ([""], CANCELLED)


async def test_an_order_the_shop_does_not_have_is_unlinkable(fake: FakePrestaShop, sends: Sends) -> None:
    with pytest.raises(Unlinkable, match="has no order 99"):
        await run(fake, sends, shipment(99))


@pytest.mark.parametrize(
    ("tracking", "status", "told"),
    [(["T1"], "PENDING", "narrow the flow"), (["T<1>"], "SHIPPED", "not what a shop"), (["T" * 65], "SHIPPED", "64")],
)
async def test_what_a_shop_cannot_be_told_is_refused(
    fake: FakePrestaShop, sends: Sends, order: int, tracking: list[str], status: str, told: str
) -> None:
    with pytest.raises(Invalid, match=told):
        await run(fake, sends, shipment(order, tracking, status=status))
    assert held(fake, order) == ([""], PAID)


async def test_the_customer_is_mailed_only_where_the_account_says_so(
    fake: FakePrestaShop, sends: Sends, order: int
) -> None:
    account, sent = fake.account(notify_customer="true"), list[Request]()

    async def send(request: Request) -> Response:
        sent.append(request)
        return await sends(account)(request)

    await drive(DESTINATION.write(account, shipment(order)), send)
    assert [one.query.get("sendemail") for one in sent if one.writes] == ["1", "1"]
    assert [one.method for one in sent if one.writes] == ["PUT", "POST"]
    assert "sendemail" not in fake.account().settings


class TestAShipment(CommandContract):
    """Telling a shipment of everything."""

    @pytest.fixture
    async def live(self, fake: FakePrestaShop, sends: Sends, order: int) -> LiveCommand:
        account = fake.account()
        return LiveCommand(
            DESTINATION,
            PLATFORM.mapping,
            account,
            sends(account),
            shipment(order),
            value=lambda: " ".join((*held(fake, order)[0], held(fake, order)[1])),
            wanted="T1 4",
            fetch=("stock_available", "2:1"),
            gone=("stock_available", "99:0"),
            revoked=replace(account, secrets={"webservice_key": ["REVOKED" * 4 + "KEY!"]}),
            verify=DESTINATION.verify,
            done=lambda: sum(one.kind == "fulfilment" and one.changed for one in fake.shop.journal),
        )
