"""Webhooks, polls and faults of the fake warehouse over a real wire, and its own doors."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
import pytest

from connectors.kit import errors
from connectors.kit.contract import Account, Delivery, Envelope, Mapped, Observation
from connectors.kit.testing import drive, read
from connectors.threepl import PLATFORM
from connectors.threepl.fake import FakeThreePl
from schemas.entities import Channel
from tests.contract.threepl.conftest import Receiver, Sends
from tests.unit.threepl.support import order

REFERENCE = "shop-1:1001"


def placed(fake: FakeThreePl, reference: str = REFERENCE, **units: int) -> None:
    """An order of one shirt and a cap, unless said otherwise."""
    lines = [{"sku": sku, "quantity": many} for sku, many in (units or {"TEE": 1, "CAP": 1}).items()]
    fake.shop.create_order({"reference": reference, "lines": lines})


def heard(fake: FakeThreePl, delivery: Delivery) -> Mapped:
    """The record of a delivery, through what the receiver keeps of it."""
    assert PLATFORM.source is not None
    account, source = fake.account(), PLATFORM.source
    facts = source.facts(account, delivery)
    kept = {name: delivery.headers[name] for name in source.kept_headers if name in delivery.headers}
    raw = Envelope(account.id, Channel.WEBHOOK, facts.topic, facts.delivery_id, delivery.body, kept, fake.clock.now())
    (record,) = mapping(account, raw)
    return record


def mapping(account: Account, raw: Envelope) -> list[Mapped]:
    found = PLATFORM.mapping.map(account, raw)
    assert isinstance(found, list), found
    return found


async def poll(
    fake: FakeThreePl, sends: Sends, resource: str, cursor: Mapping[str, Any] | None = None, **settings: str
) -> tuple[list[Observation], Mapping[str, Any]]:
    """One whole pass: what it observed and the cursor after it."""
    assert PLATFORM.poller is not None
    account, found, at = fake.account(**settings), list[Observation](), cursor or {}
    while True:
        page = await drive(PLATFORM.poller.page(account, resource, at, fake.clock.now()), sends(account))
        found += page.observations
        at = page.cursor
        if page.done:
            return found, at


# ----------------------------------------------------------------------------------------------- webhooks


async def test_every_change_of_a_shipment_is_signed_told_and_mapped(fake: FakeThreePl, receiver: Receiver) -> None:
    placed(fake)
    one = fake.shop.pack(REFERENCE)
    for _ in range(2):
        fake.shop.advance(one.id)
    await fake.deliveries.settle()
    assert receiver.refused == []
    records = sorted((heard(fake, one) for one in receiver.received), key=lambda record: record.clock)
    assert [(one.clock, one.fields["status"]) for one in records] == [(1, "PENDING"), (2, "SHIPPED"), (3, "DELIVERED")]
    assert {one.link.golden_id for one in records} == {f"{REFERENCE}~warehouse~SHP-1"}


async def test_a_webhook_and_a_poll_of_one_change_are_the_same_observation(
    fake: FakeThreePl, receiver: Receiver, sends: Sends
) -> None:
    placed(fake)
    fake.shop.advance(fake.shop.pack(REFERENCE).id)
    await fake.deliveries.settle()
    newest = max((heard(fake, one) for one in receiver.received), key=lambda record: record.clock)
    ((found,), _) = await poll(fake, sends, "shipments")
    (record,) = mapping(fake.account(), read(fake.account(), found, fake.clock.now()))
    assert record == newest


async def test_untidy_deliveries_are_repeated_under_their_id_until_they_are_taken(
    fake: FakeThreePl, receiver: Receiver
) -> None:
    fake.options.change({"duplicates": 1.0, "disorder": 0.5})
    receiver.refusals = 3
    placed(fake)
    fake.shop.advance(fake.shop.pack(REFERENCE).id)
    await fake.deliveries.settle()
    ids = [one.headers["x-threepl-event"] for one in receiver.received]
    assert (len(ids), len(set(ids))) == (4, 2)
    assert sum(len(one.answers) for one in fake.deliveries.sent) == 7


async def test_a_delivery_with_an_old_time_stamp_is_refused(fake: FakeThreePl, receiver: Receiver) -> None:
    receiver.now = lambda: fake.clock.now() + 301_000_000
    fake.options.change({"attempts": 1})
    placed(fake)
    fake.shop.pack(REFERENCE)
    await fake.deliveries.settle()
    assert receiver.received == []
    assert ["s are allowed" in one for one in receiver.refused] == [True]


# ----------------------------------------------------------------------------------------------- polls


@pytest.mark.parametrize("page_size", ["1", "2", "100"])
async def test_a_pass_sees_every_record_once(fake: FakeThreePl, sends: Sends, page_size: str) -> None:
    for number in range(7):
        placed(fake, f"shop-1:{number}")
        fake.shop.pack(f"shop-1:{number}")
    shipments, _ = await poll(fake, sends, "shipments", page_size=page_size)
    assert sorted(one.resource_id for one in shipments) == sorted(fake.shop.shipments)
    stock, _ = await poll(fake, sends, "stock", page_size=page_size)
    levels = [mapping(fake.account(), read(fake.account(), one, fake.clock.now()))[0] for one in stock]
    held = {one.id: str(one.available) for one in fake.shop.stock.values()}
    assert {one.remote_id: one.comparable[0] for one in levels} == held


async def test_the_next_pass_reads_what_changed_since_the_start_of_the_one_before(
    fake: FakeThreePl, sends: Sends
) -> None:
    for number in range(3):
        placed(fake, f"shop-1:{number}")
        fake.shop.pack(f"shop-1:{number}").updated_at -= 10_000_000
    _, cursor = await poll(fake, sends, "shipments", poll_overlap="0")
    fake.shop.advance("SHP-2")
    again, _ = await poll(fake, sends, "shipments", cursor, poll_overlap="0")
    assert [one.resource_id for one in again] == ["SHP-2"]
    overlapping, _ = await poll(fake, sends, "shipments", cursor, poll_overlap="60")
    assert len(overlapping) == 3


async def test_a_place_in_a_list_that_was_forgotten_starts_the_pass_anew(fake: FakeThreePl, sends: Sends) -> None:
    assert PLATFORM.poller is not None
    for number in range(3):
        placed(fake, f"shop-1:{number}")
        fake.shop.pack(f"shop-1:{number}")
    account, now = fake.account(page_size="2"), fake.clock.now()
    first = await drive(PLATFORM.poller.page(account, "shipments", {}, now), sends(account))
    lost = {**first.cursor, "at": "c999"}
    second = await drive(PLATFORM.poller.page(account, "shipments", lost, now), sends(account))
    assert (second.observations, second.done) == ((), False)
    rest, cursor = await poll(fake, sends, "shipments", second.cursor, page_size="2")
    assert len(rest) == 3
    assert cursor == {"read_until": now}


# ----------------------------------------------------------------------------------------------- faults


@pytest.mark.parametrize(
    ("options", "reads", "writes"),
    [
        ({"outage": True}, errors.Unavailable, errors.Unavailable),
        ({"server_errors": 1.0}, errors.Unavailable, errors.OutcomeUnknown),
        ({"rate": 0.01, "burst": 0.5}, errors.Throttled, errors.Throttled),
    ],
)
async def test_a_warehouse_in_trouble_is_told_apart(
    fake: FakeThreePl, sends: Sends, options: dict[str, Any], reads: type[Exception], writes: type[Exception]
) -> None:
    assert PLATFORM.destination is not None
    account = fake.account()
    flow = PLATFORM.destination.write(account, order())
    create = flow.send(await sends(account)(next(flow)))
    fake.options.change(options)
    with pytest.raises(reads) as caught:
        await poll(fake, sends, "shipments")
    assert type(caught.value) is reads
    reply = await sends(account)(create)
    with pytest.raises(writes) as caught:
        flow.send(reply)
    assert type(caught.value) is writes
    assert fake.shop.orders == {}


async def test_a_refusal_for_the_rate_says_how_long_and_every_reply_what_is_left(
    fake: FakeThreePl, sends: Sends
) -> None:
    assert PLATFORM.destination is not None
    assert PLATFORM.poller is not None
    fake.options.change({"rate": 1.0, "burst": 2.0})
    account, told = fake.account(), []
    for _ in range(3):
        request = next(PLATFORM.poller.page(account, "stock", {}, 0))
        told.append(PLATFORM.destination.feedback(request, await sends(account)(request)))
    assert [one.limit for one in told] == [2.0] * 3
    assert told[0].level is not None
    assert told[-1].throttled
    assert told[-1].retry_after == 1.0


async def test_a_wrong_base_url_looks_like_no_missing_record(fake: FakeThreePl, sends: Sends) -> None:
    assert PLATFORM.destination is not None
    account = replace(fake.account(), base_url=f"{fake.base_url}/wms")
    with pytest.raises(errors.Misconfigured):
        await drive(PLATFORM.destination.fetch(account, "shipments", "SHP-1"), sends(account))
    with pytest.raises(errors.Misconfigured):
        await drive(PLATFORM.destination.write(account, order()), sends(account))


# ----------------------------------------------------------------------------------------------- the fake's doors


async def test_other_processes_can_drive_and_watch_the_warehouse(fake: FakeThreePl) -> None:
    placed(fake)
    async with aiohttp.ClientSession(fake.base_url) as session:
        ship = {"do": "ship", "order": REFERENCE}
        assert (await (await session.post("/_fake/edit", json=ship)).json())["shipment_id"] == "SHP-1"
        assert (await session.post("/_fake/edit", json=ship)).status == 400
        assert (await session.post("/_fake/edit", json={"do": "burn"})).status == 400
        assert (await session.post("/_fake/control", json={"rate": 5, "burst": 1})).status == 200
        state = await (await session.get("/_fake/state")).json()
        assert state["orders"]["ORD-1"]["status"] == state["shipments"]["SHP-1"]["status"] == "shipped"
        assert state["levels"]["CAP"] == {"HAM1": 8}
        journal = await (await session.get("/_fake/journal?after=2")).json()
        assert [(one["kind"], one["value"], one["reference"]) for one in journal] == [
            ("order", "1 x TEE, 1 x CAP", REFERENCE),
            ("shipment", "packed", REFERENCE),
            ("shipment", "shipped", REFERENCE),
        ]
        stats = await (await session.get("/_fake/stats")).json()
        assert (stats["options"]["rate"], stats["options"]["api_token"], stats["deliveries"]["submitted"]) == (5, "", 2)


async def test_every_accepted_write_is_on_record_with_its_key(fake: FakeThreePl, sends: Sends) -> None:
    assert PLATFORM.destination is not None
    account = fake.account()
    flow = PLATFORM.destination.write(account, order(op_id="op-7"))
    create = flow.send(await sends(account)(next(flow)))
    for _ in range(2):
        await sends(account)(create)
    other = replace(create, body=create.body.replace(b"TEE-M", b"CAP"))
    refused = await sends(account)(other)
    assert (refused.status, orjson.loads(refused.body)["error"]["code"]) == (422, "idempotency_key_reused")
    async with aiohttp.ClientSession(fake.base_url) as session:
        calls = await (await session.get("/_fake/calls")).json()
    assert [(one["key"], one["status"], one["replayed"]) for one in calls] == [
        ("op-7", 201, False),
        ("op-7", 201, True),
    ]


async def test_a_second_request_with_a_key_that_is_at_work_is_asked_to_come_back(
    fake: FakeThreePl, sends: Sends
) -> None:
    assert PLATFORM.destination is not None
    account = fake.account()
    flow = PLATFORM.destination.write(account, order())
    create = flow.send(await sends(account)(next(flow)))
    fake.options.change({"latency": 0.1})
    replies = await asyncio.gather(*(sends(account)(create) for _ in range(2)))
    busy = next(reply for reply in replies if reply.status == 409)
    with pytest.raises(errors.Conflict) as caught:
        flow.send(busy)
    assert caught.value.reason == "request_in_progress"
    assert len(fake.shop.orders) == 1


async def test_the_warehouse_runs_as_a_process_of_its_own_and_works_by_itself() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connectors.threepl.fake", "--products", "3", "--set", "work_after=0.05"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    address = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
    async with aiohttp.ClientSession(address) as session:
        edit = {"do": "create_order", "reference": REFERENCE, "lines": {"SKU-0": 2}}
        assert (await session.post("/_fake/edit", json=edit)).status == 200
        state = await asyncio.wait_for(delivered(session), 20)
    assert state["levels"]["SKU-0"] == {"HAM1": 8}
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0


async def delivered(session: aiohttp.ClientSession) -> Any:
    """The state of a warehouse in another process, once everything it was asked to ship has arrived."""
    while True:
        state = await (await session.get("/_fake/state")).json()
        if {one["status"] for one in state["shipments"].values()} == {"delivered"}:
            return state
        await asyncio.sleep(0.05)
