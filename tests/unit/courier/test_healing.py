"""Webhook subscriptions that are gone are made anew, and what they did not tell of is polled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from connectors.kit.contract import Account, Request, Response
from streams.core import courier_rows as rows
from tests.unit.courier.shop import Shop
from tests.unit.courier.test_reads import hold_pages
from tests.unit.courier.world import START, World, breathe

TOPICS = {"orders/create": ("orders",), "orders/updated": ("orders",), "stock/changed": ("stock",)}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """All topics are subscribed, and polls come every hour; tests start it."""
    made = World()
    made.with_poller, made.topics = True, TOPICS
    made.shop.subscribed = set(TOPICS)
    made.vendor.scan, made.vendor.interval = False, 3600.0
    made.vendor.resource_names = ("orders", "stock")
    made.shop.pages |= {"orders": [[("1", b"order")]], "stock": [[("2", b"stock")]]}
    yield made
    await made.stop()


def operations(world: World, *names: str) -> list[str]:
    return [one.operation for _, one in world.shop.requests if not names or one.operation in names]


def holes(world: World) -> list[str]:
    return [rows.rest_of(key)[0] for key, _ in world.shard.rows.scan(rows.HOLE)]


def hold(world: World, until: asyncio.Event, *, before: bool) -> None:
    """Subscriptions are made, but before or behind that the shop waits."""
    send = world.shop.send

    async def held(account: Account, request: Request, seconds: float, /) -> Response:
        if request.operation != "subscribe":
            return await send(account, request, seconds)
        if before:
            await until.wait()
        reply = await send(account, request, seconds)
        await until.wait()
        return reply

    world.shop.send = held  # type: ignore[method-assign]


async def test_what_is_there_is_left_alone_and_looked_at_again(world: World) -> None:
    await world.start()
    assert operations(world, "read_subscriptions", "subscribe") == ["read_subscriptions"]
    await world.advance(899)
    assert operations(world, "read_subscriptions") == ["read_subscriptions"]
    await world.advance(2)
    assert operations(world, "read_subscriptions") == ["read_subscriptions"] * 2
    assert world.noted.topics == []


async def test_what_is_gone_is_made_anew_and_counted(world: World) -> None:
    await world.start()
    world.shop.subscribed -= {"orders/create"}
    await world.advance(901)
    assert world.shop.subscribed == set(TOPICS)
    assert world.noted.topics == ["orders/create"]


async def test_what_a_healed_topic_did_not_tell_of_is_polled_at_once_and_the_rest_is_not(world: World) -> None:
    await world.start()
    world.shop.subscribed -= {"orders/create", "orders/updated"}
    world.shop.pages["orders"] = [[("3", b"lost")]]
    await world.advance(901)
    assert [one["resource_id"] for one in world.raw()] == ["1", "2", "3"]
    assert world.raw()[-1]["channel"] == "backfill"
    assert operations(world, "poll.stock") == ["poll.stock"]
    assert world.noted.holes[0] == ("orders", "healed")
    assert holes(world) == []


async def test_what_changes_while_the_subscription_is_made_is_polled_behind_it(world: World) -> None:
    await world.start()
    world.shop.subscribed -= {"stock/changed"}
    held = asyncio.Event()
    hold(world, held, before=True)
    await world.advance(905)
    world.shop.pages["stock"] = [[("4", b"changed meanwhile")]]
    held.set()
    await breathe()
    assert world.raw()[-1]["resource_id"] == "4"
    assert holes(world) == []


async def test_a_crash_behind_the_subscription_does_not_lose_the_hole(world: World) -> None:
    await world.start()
    world.shop.subscribed -= {"orders/create"}
    hold(world, asyncio.Event(), before=False)
    hold_pages(world, asyncio.Event())
    await world.advance(901)
    assert "orders/create" in world.shop.subscribed
    assert world.noted.topics == []
    world.shop.send = Shop.send.__get__(world.shop)  # type: ignore[method-assign]
    world.shop.pages["orders"] = [[("3", b"lost")]]
    await world.restart()
    assert world.raw()[-1]["resource_id"] == "3"
    assert world.noted.topics == []
    assert holes(world) == []


async def test_a_lost_reply_is_answered_by_the_next_look(world: World) -> None:
    await world.start()
    world.shop.subscribed -= {"orders/create"}
    world.shop.script.append(lambda _: (200, {}, b"orders/updated stock/changed"))
    world.shop.script.append(lambda _: (503, {}, b""))
    await world.advance(905)
    assert world.shop.subscribed == set(TOPICS)
    assert world.noted.topics == ["orders/create"]


async def test_a_shop_that_refuses_the_subscription_is_asked_again_with_the_next_look_only(world: World) -> None:
    world.shop.subscribed -= {"orders/create"}
    world.shop.script.append(lambda _: (200, {}, b"orders/updated stock/changed"))
    world.shop.status(422, b"no such topic")
    world.with_poller = False
    await world.start()
    await world.advance(890)
    assert operations(world) == ["read_subscriptions", "subscribe"]
    await world.advance(20)
    assert operations(world) == ["read_subscriptions", "subscribe"] * 2


async def test_an_account_whose_subscriptions_are_not_ours_is_never_asked(world: World) -> None:
    world.topics = {}
    await world.start()
    await world.advance(1000)
    assert operations(world, "read_subscriptions", "subscribe") == []
    assert world.clock.now() > START
