"""What is known of a request's fate, against a real HTTP server that misbehaves on demand."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web

from connectors.kit.clock import ManualClock
from connectors.kit.contract import Account, Request
from connectors.kit.errors import Invalid, OutcomeUnknown, Retry, Unavailable
from connectors.kit.http import HttpSender

READ = Request("GET", "api/orders", "poll.orders", "api/orders")
WRITE = Request("PUT", "api/stock/1", "inventory.set", "api/stock", body=b'{"available":3}', writes=True)


class Shop:
    """A server that does what the last part of the path says, and counts."""

    def __init__(self) -> None:
        self.requests: list[web.Request] = []
        self.connections: list[object] = []
        self.release = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.connections.append(request.transport)
        await request.read()
        action = request.path.rsplit("/", 1)[-1]
        if action == "hang":
            await self.release.wait()
        if action == "drop":
            assert request.transport is not None
            request.transport.close()
        if action == "moved":
            raise web.HTTPFound("/api/elsewhere")
        if action == "bomb":
            return web.Response(body=gzip.compress(b"0" * 3_000_000), headers={"content-encoding": "gzip"})
        if action == "half":
            reply = web.StreamResponse(headers={"content-length": "100"})
            await reply.prepare(request)
            await reply.write(b"{")
            assert request.transport is not None
            request.transport.close()
            return reply
        return web.Response(
            status=201,
            body=b'{"ok":true}',
            headers=[("X-Limit", "32/40"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")],
        )


@pytest.fixture
async def shop() -> Shop:
    return Shop()


@pytest.fixture
async def account(shop: Shop) -> AsyncIterator[Account]:
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", shop.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    yield Account("acme", "shop-de", "shopify", f"http://127.0.0.1:{port}/")
    shop.release.set()
    await runner.cleanup()


@pytest.fixture
async def sender() -> AsyncIterator[HttpSender]:
    one = HttpSender(ManualClock(), largest_reply=1_000_000)
    yield one
    await one.close()


async def test_a_reply_comes_back_whole_with_header_names_in_lower_case(
    sender: HttpSender, account: Account, shop: Shop
) -> None:
    request = replace(READ, query={"status": "any", "ids": "[1,2]"}, headers={"x-request-id": "op-1"})
    response = await sender.send(account, request)
    assert (response.status, response.body) == (201, b'{"ok":true}')
    assert response.headers["x-limit"] == "32/40"
    assert response.headers["set-cookie"] == "a=1, b=2"
    assert response.started_at == response.received_at == ManualClock().now()
    got = shop.requests[0]
    assert (got.path, dict(got.query)) == ("/api/orders", {"status": "any", "ids": "[1,2]"})
    assert got.headers["x-request-id"] == "op-1"


async def test_an_error_status_is_a_reply_and_no_exception(sender: HttpSender, account: Account) -> None:
    assert (await sender.send(account, replace(READ, path="moved"))).status == 302


async def test_no_redirect_is_followed_and_no_cookie_kept(sender: HttpSender, account: Account, shop: Shop) -> None:
    await sender.send(account, READ)
    await sender.send(account, replace(READ, path="api/moved"))
    assert [one.path for one in shop.requests] == ["/api/orders", "/api/moved"]
    assert "cookie" not in shop.requests[1].headers


async def test_a_refused_connection_says_that_nothing_was_sent(sender: HttpSender, account: Account) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = replace(account, base_url=f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(Unavailable, match=r"inventory.set .* at acme/shop-de .* before it was sent"):
            await sender.send(nobody, WRITE)


async def test_an_unknown_name_says_that_nothing_was_sent(sender: HttpSender, account: Account) -> None:
    with pytest.raises(Unavailable):
        await sender.send(replace(account, base_url="http://shop.invalid"), WRITE)


async def test_a_write_without_reply_in_time_has_an_unknown_outcome(sender: HttpSender, account: Account) -> None:
    with pytest.raises(OutcomeUnknown, match="may have been carried out") as caught:
        await sender.send(account, replace(WRITE, path="hang"), timeout=0.2)
    assert caught.value.reason == "timeout"


async def test_a_read_without_reply_in_time_is_to_be_repeated(sender: HttpSender, account: Account) -> None:
    with pytest.raises(Retry) as caught:
        await sender.send(account, replace(READ, path="hang"), timeout=0.2)
    assert not isinstance(caught.value, Unavailable)


@pytest.mark.parametrize("action", ["drop", "half"])
async def test_a_write_whose_connection_breaks_has_an_unknown_outcome(
    sender: HttpSender, account: Account, action: str
) -> None:
    with pytest.raises(OutcomeUnknown):
        await sender.send(account, replace(WRITE, path=action))


@pytest.mark.parametrize("action", ["drop", "half"])
async def test_a_read_whose_connection_breaks_is_to_be_repeated(
    sender: HttpSender, account: Account, action: str
) -> None:
    with pytest.raises(Retry):
        await sender.send(account, replace(READ, path=action))


async def test_nothing_is_sent_twice_behind_the_callers_back(sender: HttpSender, account: Account, shop: Shop) -> None:
    """The connection is a kept-alive one: HTTP libraries like to repeat a PUT on it."""
    await sender.send(account, WRITE)
    with pytest.raises(OutcomeUnknown):
        await sender.send(account, replace(WRITE, path="drop"))
    assert [one.path for one in shop.requests] == ["/api/stock/1", "/drop"]
    assert shop.connections[0] is shop.connections[1]


async def test_a_decompression_bomb_ends_at_the_limit(sender: HttpSender, account: Account) -> None:
    with pytest.raises(Invalid, match="above 1000000 B"):
        await sender.send(account, replace(READ, path="bomb"))
    with pytest.raises(OutcomeUnknown) as caught:
        await sender.send(account, replace(WRITE, path="bomb"))
    assert caught.value.reason == "reply_too_large"


async def test_a_path_cannot_name_another_host(sender: HttpSender, account: Account, shop: Shop) -> None:
    await sender.send(account, replace(READ, path="//127.0.0.2:9/api"))
    assert shop.requests[0].path == "/127.0.0.2:9/api"


async def test_a_header_with_a_line_break_is_not_sent(sender: HttpSender, account: Account, shop: Shop) -> None:
    with pytest.raises(Invalid, match="cannot be sent"):
        await sender.send(account, replace(READ, headers={"x-note": "a\r\nx-admin: 1"}))
    assert shop.requests == []


async def test_a_closed_sender_opens_again_when_it_is_used(sender: HttpSender, account: Account) -> None:
    await sender.send(account, READ)
    await sender.close()
    assert (await sender.send(account, READ)).status == 201
