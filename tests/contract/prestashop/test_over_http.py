"""Polls and writes against the fake shop, and the fake shop's own doors."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

import aiohttp
import pytest

from connectors.kit import errors
from connectors.kit.contract import Account, Mapped, Observation, Write
from connectors.kit.testing import drive, read
from connectors.prestashop import PLATFORM
from connectors.prestashop.fake import FakePrestaShop
from schemas.entities import EntityType, Op
from tests.contract.prestashop.conftest import Sends

NAMES = ["stock_availables", "orders", "products", "combinations"]


async def scan(
    fake: FakePrestaShop, sends: Sends, resource: str, cursor: Mapping[str, Any] | None = None, **settings: str
) -> tuple[list[Observation], Mapping[str, Any]]:
    """One whole pass. Returns what it observed and the cursor after it."""
    assert PLATFORM.poller is not None
    account, found, at = fake.account(**settings), [], cursor or {}
    while True:
        page = await drive(PLATFORM.poller.page(account, resource, at, fake.clock.now()), sends(account))
        found += page.observations
        at = page.cursor
        if page.done:
            return found, at


def mapped(account: Account, found: list[Observation], at: int) -> list[Mapped]:
    """Everything these observations say."""
    records: list[Mapped] = []
    for one in found:
        said = PLATFORM.mapping.map(account, read(account, one, at))
        records += said if isinstance(said, list) else []
    return records


def set_stock(sku: str, variant_id: str, units: int, op_id: str = "op-1") -> Write:
    record = {"sku": sku, "location": "MAIN", "available": Decimal(units)}
    return Write(
        EntityType.INVENTORY_LEVEL,
        Op.UPSERT,
        f"t1|x|{sku}",
        1,
        variant_id,
        {"variant_id": variant_id},
        record,
        (),
        op_id,
    )


@pytest.mark.parametrize("page_size", ["1", "2", "100"])
async def test_a_poll_of_everything_says_what_the_shop_holds(
    fake: FakePrestaShop, sends: Sends, page_size: str
) -> None:
    fake.shop.create_order({"MUG": 2, "P-60": 1})
    found: list[Observation] = []
    for name in NAMES:
        found += (await scan(fake, sends, name, page_size=page_size))[0]
    records = mapped(fake.account(), found, fake.clock.now())
    prices = {one.fields["sku"]: str(one.comparable[0]) for one in records if one.type is EntityType.PRICE}
    levels = {one.remote_id: one.comparable[0] for one in records if one.type is EntityType.INVENTORY_LEVEL}
    assert prices == fake.state()["prices"] == {"MUG": "11.9", "P-40": "29", "P-60": "49"}
    assert levels == {"1:0": "1", "2:1": "2", "2:2": "1"}
    orders = [one for one in records if one.type is EntityType.ORDER]
    assert [(one.fields["number"], len(one.fields["lines"])) for one in orders] == [("FAKE00001", 2)]


@pytest.mark.parametrize("page_size", ["1", "3", "7"])
async def test_a_pass_over_many_products_of_one_second_misses_none_and_repeats_none(
    fake: FakePrestaShop, sends: Sends, page_size: str
) -> None:
    for number in range(12):
        fake.shop.create_product(f"P{number}", {f"S-{number}": "1"})
    for name in ("products", "combinations", "stock_availables"):
        found, _ = await scan(fake, sends, name, page_size=page_size)
        names = [(one.topic, one.resource_id) for one in found]
        assert len(names) == len(set(names))
        products = {one.resource_id.split(":")[0] for one in found}
        assert products == {str(number) for number in range(1, 15)}


async def test_the_next_pass_finds_what_changed_since(fake: FakePrestaShop, sends: Sends) -> None:
    for row in fake.shop.tables["products"].values():
        row["date_upd"] = "2026-01-01 00:00:00"
    _, cursor = await scan(fake, sends, "products")
    fake.shop.update_product(2, name="Poster, framed")
    found, _ = await scan(fake, sends, "products", cursor)
    assert [one.resource_id for one in found] == ["2"]


async def test_a_change_in_a_shop_whose_clock_is_behind_is_found_by_the_next_pass(
    fake: FakePrestaShop, sends: Sends
) -> None:
    fake.options.clock_skew = -600.0
    for row in fake.shop.tables["products"].values():
        row["date_upd"] = "2026-01-01 00:00:00"
    _, cursor = await scan(fake, sends, "products", overlap="1")
    fake.shop.update_product(1, name="Cup")
    found, _ = await scan(fake, sends, "products", cursor, overlap="1")
    assert [one.resource_id for one in found] == ["1"]


async def test_a_change_of_stock_or_of_a_combination_shows_in_a_scan_only(fake: FakePrestaShop, sends: Sends) -> None:
    stock, _ = await scan(fake, sends, "stock_availables")
    catalogue, _ = await scan(fake, sends, "combinations")
    fake.shop.set_available("P-40", 7)
    fake.shop.set_price("P-60", "55")
    again, _ = await scan(fake, sends, "stock_availables")
    assert {one.resource_id for one in set(again) - set(stock)} == {"2:0", "2:1"}
    after, _ = await scan(fake, sends, "combinations")
    assert [(one.topic, one.resource_id) for one in set(after) - set(catalogue)] == [("products", "2")]


async def test_what_is_deleted_is_missing_from_a_complete_scan(fake: FakePrestaShop, sends: Sends) -> None:
    before, _ = await scan(fake, sends, "combinations")
    fake.shop.delete_combination("P-40")
    fake.shop.delete_product(1)
    after, _ = await scan(fake, sends, "combinations")
    lost = {one.resource_id for one in before if one.topic == "combinations"} - {one.resource_id for one in after}
    assert lost == {"1", "1:0", "2:1"}


async def test_a_write_repeated_after_a_lost_reply_is_sent_once(fake: FakePrestaShop, sends: Sends) -> None:
    account, write = fake.account(), set_stock("P-40", "2:1", 9)
    assert PLATFORM.destination is not None
    flow = PLATFORM.destination.write(account, write)
    request = flow.send(await sends(account)(next(flow)))
    fake.options.lost_replies = 1.0
    with pytest.raises(errors.OutcomeUnknown):
        await sends(account)(request)
    fake.options.lost_replies = 0.0
    written = await drive(PLATFORM.destination.write(account, write), sends(account))
    assert written.no_op
    assert [(one.sku, one.value, one.request_id) for one in fake.shop.journal] == [("P-40", "9", "op-1")]
    assert fake.lost_replies == 1


async def test_what_a_write_observes_is_what_the_next_scan_reads(fake: FakePrestaShop, sends: Sends) -> None:
    account = fake.account()
    assert PLATFORM.destination is not None
    written = await drive(PLATFORM.destination.write(account, set_stock("P-40", "2:1", 9)), sends(account))
    found, _ = await scan(fake, sends, "stock_availables")
    assert written.observed[0] in found


async def test_a_text_that_looks_like_markup_survives_a_write_of_the_price(fake: FakePrestaShop, sends: Sends) -> None:
    text = "<p class='x'>A & B ]]> \r\n é 漢</p>"
    fake.shop.update_product(1, description=text)
    amount = {"amount": {"amount": Decimal("12.50"), "currency": "EUR", "tax": "EXCLUDED"}}
    write = Write(EntityType.PRICE, Op.UPSERT, "k", 1, "1:0", {"variant_id": "1:0"}, amount, (), "op-1")
    account = fake.account()
    assert PLATFORM.destination is not None
    await drive(PLATFORM.destination.write(account, write), sends(account))
    assert fake.shop.tables["products"][1]["description"] == {"1": text, "2": text}
    assert fake.shop.tables["products"][1]["name"] == {"1": "Mug", "2": "Mug"}
    assert fake.shop.tables["products"][1]["active"] == "1"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"outage": True}, errors.Throttled),
        ({"server_errors": 1.0}, errors.Unavailable),
        ({"notices": 1.0}, errors.Retry),
        ({"webservice": False}, errors.Stop),
    ],
)
async def test_a_shop_in_trouble_is_told_apart(
    fake: FakePrestaShop, sends: Sends, options: dict[str, Any], expected: type[errors.SluiceError]
) -> None:
    fake.options.change(options)
    with pytest.raises(expected) as caught:
        await scan(fake, sends, "orders")
    assert type(caught.value) is expected


async def test_the_host_refuses_what_is_above_its_rate_and_says_for_how_long(
    fake: FakePrestaShop, sends: Sends
) -> None:
    fake.options.change({"rate": 0.1, "burst": 1.0})
    while fake.limit.take() == 0:
        pass
    with pytest.raises(errors.Throttled) as caught:
        await scan(fake, sends, "orders")
    assert caught.value.retry_after is not None
    assert 1 <= caught.value.retry_after <= 10


async def test_a_wrong_base_url_does_not_look_like_a_deleted_product(fake: FakePrestaShop, sends: Sends) -> None:
    account = replace(fake.account(), base_url=f"{fake.base_url}/shop")
    assert PLATFORM.destination is not None
    with pytest.raises(errors.Misconfigured):
        await drive(PLATFORM.destination.fetch(account, "product", "1"), sends(account))


async def test_other_processes_can_drive_and_watch_the_shop(fake: FakePrestaShop) -> None:
    async with aiohttp.ClientSession(fake.base_url) as session:
        edit = {"do": "set_available", "sku": "MUG", "available": 8}
        assert await (await session.post("/_fake/edit", json=edit)).json() == {"sequence": 1}
        assert (await session.post("/_fake/edit", json={"do": "burn"})).status == 400
        assert (await session.post("/_fake/control", json={"rate": 5, "burst": 1})).status == 200
        assert (await session.post("/_fake/control", json={"speed": 5})).status == 400
        journal = await (await session.get("/_fake/journal?after=0")).json()
        assert [(one["sequence"], one["actor"], one["sku"], one["value"]) for one in journal] == [
            (1, "admin", "MUG", "8")
        ]
        assert await (await session.get("/_fake/journal?after=1")).json() == []
        state = await (await session.get("/_fake/state")).json()
        assert state["levels"]["MUG"] == {"MAIN": 8}
        assert state["variants"]["P-40"] == {"id": "2:1", "product_id": 2}
        stats = await (await session.get("/_fake/stats")).json()
        assert (stats["writes"], stats["options"]["rate"], stats["options"]["key"]) == (1, 5, "")


async def test_the_shop_runs_as_a_process_of_its_own() -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "connectors.prestashop.fake", "--products", "3", "--set", "rate=50"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    address = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
    async with aiohttp.ClientSession(address) as session:
        state = await (await session.get("/_fake/state")).json()
    assert list(state["levels"]) == ["SKU-0", "SKU-1", "SKU-2"]
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0
