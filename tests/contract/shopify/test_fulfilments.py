"""Shipments told to the shop over a real wire: once each, whatever is lost on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest

from connectors.kit import golden
from connectors.kit.contract import Write, Written
from connectors.kit.errors import Invalid, Misconfigured, OutcomeUnknown, Unlinkable
from connectors.kit.http import HttpSender
from connectors.kit.operations import Verifier
from connectors.kit.testing import CommandContract, LiveCommand, drive, response
from connectors.shopify import PLATFORM
from connectors.shopify.destination import ShopifyDestination
from connectors.shopify.fake import FakeShopify
from connectors.shopify.fake.records import Order
from schemas.entities import EntityType, Op
from tests.contract.shopify.support import sending

DESTINATION = ShopifyDestination()


@pytest.fixture
async def order(fake: FakeShopify) -> Order:
    """Two of a shirt and one of another."""
    return fake.shop.create_order({"TEE-M": 2, "TEE-L": 1})


def shipment(order: Order | int, tracking: Sequence[str] = ("T1",), lines: Any = (), **more: Any) -> Write:
    """`lines`: (line id or None, SKU, units)."""
    of = golden.order("shop-1", str(order if isinstance(order, int) else order.id))
    record: dict[str, Any] = {
        "order": of,
        "status": "SHIPPED",
        "lines": [{"line_id": line, "sku": sku, "quantity": Decimal(units)} for line, sku, units in lines],
        "carrier": "Post",
        "tracking": [{"number": number, "url": f"https://track/{number}"} for number in tracking],
        **more,
    }
    key = f"t1|fulfilment|{golden.fulfilment(of, 'wms', tracking[0] if tracking else 'none')}"
    return Write(EntityType.FULFILMENT, Op.UPSERT, key, 1, "", {}, record, (), f"back|{key}")


def told(fake: FakeShopify, order: Order) -> list[tuple[list[str], dict[int, int]]]:
    return [(one.numbers, one.lines) for one in fake.shop.orders[order.id].fulfillments]


async def run(fake: FakeShopify, sender: HttpSender, write: Write) -> Written:
    account = fake.account()
    written = await drive(DESTINATION.write(account, write), sending(sender, account))
    assert isinstance(written, Written)
    return written


async def verify(fake: FakeShopify, sender: HttpSender, write: Write) -> Written | None:
    account = fake.account()
    found: Written | None = await drive(DESTINATION.verify(account, write), sending(sender, account))
    return found


async def test_a_shipment_of_everything_is_told_with_its_tracking(
    fake: FakeShopify, sender: HttpSender, order: Order
) -> None:
    await run(fake, sender, shipment(order))
    (made,) = order.fulfillments
    assert (made.numbers, made.urls, made.company) == (["T1"], ["https://track/T1"], "Post")
    assert sorted(made.lines.values()) == [1, 2]
    assert order.fulfillment_status == "fulfilled"
    assert fake.shop.journal[-1].request_id.startswith("back|t1|fulfilment|")


async def test_a_repeat_tells_nothing_and_says_so(fake: FakeShopify, sender: HttpSender, order: Order) -> None:
    assert not (await run(fake, sender, shipment(order))).no_op
    assert (await run(fake, sender, shipment(order))).no_op
    assert len(told(fake, order)) == 1


async def test_a_lost_reply_can_be_looked_up(fake: FakeShopify, sender: HttpSender, order: Order) -> None:
    assert isinstance(DESTINATION, Verifier)
    assert await verify(fake, sender, shipment(order)) is None
    fake.options.lost_replies = 1.0
    with pytest.raises(OutcomeUnknown):
        await run(fake, sender, shipment(order))
    fake.options.lost_replies = 0.0
    assert await verify(fake, sender, shipment(order)) == Written()
    assert (await run(fake, sender, shipment(order))).no_op
    assert len(told(fake, order)) == 1


async def test_two_shipments_of_one_order_are_two_fulfilments(
    fake: FakeShopify, sender: HttpSender, order: Order
) -> None:
    shirt, other = (line for line, _, _, _ in order.lines)
    await run(fake, sender, shipment(order, ["T1"], [(str(shirt), "TEE-M", 1)]))
    assert order.fulfillment_status == "partial"
    await run(fake, sender, shipment(order, ["T2"], [(None, "TEE-M", 1), (None, "TEE-L", 1)]))
    assert told(fake, order) == [(["T1"], {shirt: 1}), (["T2"], {shirt: 1, other: 1})]
    for number in ("T1", "T2"):
        lines = [(None, "TEE-M", 1)] if number == "T1" else [(None, "TEE-M", 1), (None, "TEE-L", 1)]
        assert (await run(fake, sender, shipment(order, [number], lines))).no_op


async def test_what_a_person_marked_as_shipped_is_not_shipped_again(
    fake: FakeShopify, sender: HttpSender, order: Order
) -> None:
    fake.shop.fulfil(order, order.remaining())
    for lines in ((), [(None, "TEE-M", 1)]):
        with pytest.raises(Invalid, match="left to fulfil") as caught:
            await run(fake, sender, shipment(order, lines=lines))
        assert caught.value.reason == "already_fulfilled"
    assert len(told(fake, order)) == 1


async def test_an_order_the_shop_does_not_have_is_unlinkable(fake: FakeShopify, sender: HttpSender) -> None:
    with pytest.raises(Unlinkable, match="has no order 4711"):
        await run(fake, sender, shipment(4711))


async def test_a_shipment_that_did_not_leave_is_not_told(fake: FakeShopify, sender: HttpSender, order: Order) -> None:
    for status in ("PENDING", "CANCELLED"):
        with pytest.raises(Invalid, match="narrow the flow"):
            await run(fake, sender, shipment(order, status=status))
    assert told(fake, order) == []


async def test_a_shipment_without_number_is_told_but_cannot_be_looked_up(
    fake: FakeShopify, sender: HttpSender, order: Order
) -> None:
    await run(fake, sender, shipment(order, ()))
    assert told(fake, order)[0][0] == []
    with pytest.raises(Invalid, match="cannot be recognised"):
        await verify(fake, sender, shipment(order, ()))


async def test_the_customer_is_mailed_only_where_the_account_says_so(fake: FakeShopify) -> None:
    for setting, expected in (("true", b'"notifyCustomer":true'), ("false", b'"notifyCustomer":false')):
        account = fake.account(notify_customer=setting)
        order = fake.shop.create_order({"TEE-M": 1})
        bodies: list[bytes] = []

        async def send(request: Any, bodies: list[bytes] = bodies) -> Any:
            bodies.append(request.body)
            answer = fake.api.answer("2026-10", dict(request.headers), request.body)
            return response(answer.status, orjson.dumps(answer.body))

        await drive(DESTINATION.write(account, shipment(order)), send)
        assert expected in bodies[-1]
    assert PLATFORM.check is not None
    with pytest.raises(Misconfigured, match="notify_customer"):
        PLATFORM.check(fake.account(notify_customer="yes"))


async def test_the_order_that_comes_back_says_what_was_shipped(
    fake: FakeShopify, sender: HttpSender, order: Order
) -> None:
    await run(fake, sender, shipment(order, ["T1"], [(None, "TEE-M", 1)]))
    assert fake.state()["orders"][str(order.id)]["fulfillment_status"] == "partial"
    assert fake.state()["orders"][str(order.id)]["fulfilments"][0]["tracking"] == ["T1"]


class TestAShipment(CommandContract):
    """Telling a shipment of everything."""

    # The API has no key: the same request again ships again where units are left, and is refused where none are.
    test_the_very_request_that_was_repeated_is_carried_out_once = None  # type: ignore[assignment]

    @pytest.fixture
    async def live(self, fake: FakeShopify, sender: HttpSender, order: Order) -> LiveCommand:
        account = fake.account()
        return LiveCommand(
            DESTINATION,
            PLATFORM.mapping,
            account,
            sending(sender, account),
            shipment(order),
            value=lambda: ", ".join(number for one in order.fulfillments for number in one.numbers),
            wanted="T1",
            fetch=("product", str(fake.shop.by_sku("TEE-M").product_id)),
            gone=("product", "999999"),
            revoked=replace(account, secrets={"access_token": ["revoked"]}),
            verify=DESTINATION.verify,
            done=lambda: len(order.fulfillments),
        )
