"""Other processes drive and watch the fake shop over HTTP."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from connectors.shopify.fake import FakeShopify


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client."""
    async with aiohttp.ClientSession() as session:
        yield session


async def get(http: aiohttp.ClientSession, url: str) -> Any:
    async with http.get(url) as reply:
        return await reply.json()


async def test_edits_state_and_journal_over_http(fake: FakeShopify, http: aiohttp.ClientSession) -> None:
    url = fake.base_url + "/_fake"
    edit = {"do": "set_available", "sku": "TEE-M", "location": "BER", "available": 3}
    async with http.post(url + "/edit", json=edit) as reply:
        assert (reply.status, await reply.json()) == (200, {"sequence": 1})
    assert (await get(http, url + "/state"))["levels"]["TEE-M"] == {"BER": 3, "MUC": 5}
    (entry,) = await get(http, url + "/journal?after=0")
    assert (entry["actor"], entry["value"], entry["location"]) == ("admin", "3", "655441491")
    assert await get(http, url + "/journal?after=1") == []


async def test_options_change_over_http_and_secrets_are_not_shown(
    fake: FakeShopify, http: aiohttp.ClientSession
) -> None:
    url = fake.base_url + "/_fake"
    async with http.post(url + "/control", json={"restore_rate": 50, "outage": True}) as reply:
        assert (reply.status, await reply.json()) == (200, {"changed": ["outage", "restore_rate"]})
    stats = await get(http, url + "/stats")
    assert (stats["options"]["restore_rate"], stats["options"]["access_token"]) == (50, "")
    for path, value in (("/control", {"speed": 1}), ("/control", []), ("/edit", {"do": "burn"}), ("/edit", {})):
        async with http.post(url + path, json=value) as reply:
            assert reply.status == 400
            assert "error" in await reply.json()


async def test_deliveries_are_reported_with_their_answers(fake: FakeShopify, http: aiohttp.ClientSession) -> None:
    fake.shop.create_order({"TEE-M": 1})
    await fake.deliveries.settle()
    (sent,) = await get(http, fake.base_url + "/_fake/deliveries")
    assert (sent["topic"], sent["answers"], sent["accepted"]) == ("orders/create", [204], True)
    stats = await get(http, fake.base_url + "/_fake/stats")
    assert stats["deliveries"]["accepted"] == stats["deliveries"]["submitted"] == 1


async def test_it_runs_as_a_process_of_its_own(http: aiohttp.ClientSession) -> None:
    command = (sys.executable, "-m", "connectors.shopify.fake", "--products", "2", "--stock", "4", "--set", "rival=1.5")
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        url = (await process.stdout.readline()).decode().strip()
        state = await get(http, url + "/_fake/state")
        assert state["levels"]["SKU-1"] == {"BER": 4, "MUC": 4}
        assert (await get(http, url + "/_fake/stats"))["options"]["rival"] == 1.5
    finally:
        process.terminate()
        assert await process.wait() == 0
