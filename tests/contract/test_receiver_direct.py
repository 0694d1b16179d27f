"""Connections that carry plain deliveries: what arrives in pieces, at once, with other requests, or at the end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from connectors.kit.metrics import RECEIVER_REQUESTS
from streams.runtime.raw import from_record
from tests.contract.receiving import CODEC, PATH, Door, door, first_line, plain, sign, talk

__all__ = ["door"]


async def answers(door: Door, *parts: bytes, wanted: int) -> list[bytes]:
    """Status codes on one connection, to parts sent one at a time; fewer than `wanted` when it was closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    codes: list[bytes] = []
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.02)
        async with asyncio.timeout(5):
            while len(codes) < wanted:
                codes += [(await reader.readuntil(b"\r\n\r\n")).split(b" ")[1]]
    except asyncio.IncompleteReadError:
        pass
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)
    return codes


def bodies(door: Door) -> list[bytes]:
    return [from_record(CODEC.decode(record.value)).envelope.body for record in door.sink.records]


async def test_a_body_in_pieces_is_stored_whole(door: Door) -> None:
    request = plain(b"x" * 900)
    head = request.index(b"\r\n\r\n") + 4
    assert await answers(door, request[:head], request[head : head + 300], request[head + 300 :], wanted=1) == [b"200"]
    assert bodies(door) == [b"x" * 900]
    assert door.intake.in_flight == 0


@pytest.mark.parametrize("cut", [1, 20, 100, -1])
async def test_a_request_cut_anywhere_is_stored_whole_and_the_next_one_too(door: Door, cut: int) -> None:
    request = plain(b'{"n": 1}')
    assert await answers(door, request[:cut], request[cut:], plain(b"[]"), wanted=2) == [b"200", b"200"]
    assert bodies(door) == [b'{"n": 1}', b"[]"]


async def test_deliveries_sent_at_once_are_answered_in_their_order(door: Door) -> None:
    forged = plain(b"{}", **{"X-Signature": sign(b"other")})
    got = []
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(plain(b"1") + plain(b"2") + forged + plain(b"3"))
    async with asyncio.timeout(5):
        for _ in range(4):
            head = await reader.readuntil(b"\r\n\r\n")
            got.append(head.split(b" ")[1])
            length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
    writer.close()
    assert got == [b"200", b"200", b"401", b"200"]
    assert bodies(door) == [b"1", b"2", b"3"]


async def test_the_next_delivery_waits_for_the_answer_to_the_last(door: Door) -> None:
    door.sink.holds = True
    waiting = asyncio.create_task(answers(door, plain(b"1") + plain(b"2"), wanted=2))
    await door.until_held(1)
    await asyncio.sleep(0.05)
    assert bodies(door) == [b"1"]
    door.sink.held[0].set_result(None)
    await door.until_held(2)
    door.sink.held[1].set_result(None)
    assert await waiting == [b"200", b"200"]


async def test_another_request_on_the_connection_is_served_and_deliveries_after_it(door: Door) -> None:
    other = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(plain(b"1") + other + plain(b"2"))
    seen = b""
    async with asyncio.timeout(5):
        while seen.count(b"HTTP/1.1 ") < 3:
            seen += await reader.read(4096)
    writer.close()
    assert [line.split(b" ")[0] for line in seen.split(b"HTTP/1.1 ")[1:]] == [b"200", b"404", b"200"]
    assert bodies(door) == [b"1", b"2"]


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 2\r\nTransfer-Encoding: chunked",
        "Content-Length: 2\r\nContent-Length: 3",
        "Content-Length: +2",
        "Content-Length: -1",
        "Content-Length : 2",
        "Content-Length: 2\nX-Other: a\n\n",
        "Content-Length: 2\r\n X-Folded: a\r\nX\x00: b",
    ],
)
async def test_a_request_that_two_parsers_could_read_in_two_ways_is_refused(door: Door, head: str) -> None:
    start = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Signature: {sign(b'{}')}\r\nX-Delivery: d-1\r\n"
    assert b" 400 " in await first_line(door, f"{start}{head}\r\n\r\n{{}}".encode())
    assert door.sink.records == []


async def test_what_is_under_way_at_the_end_is_answered_and_nothing_more_is_taken(door: Door) -> None:
    door.sink.holds = True
    waiting = asyncio.create_task(answers(door, plain(b"1") + plain(b"2"), wanted=2))
    idle, keeps = await asyncio.open_connection("127.0.0.1", door.port)
    await door.until_held(1)
    stopping = asyncio.create_task(door.server.stop())
    await asyncio.sleep(0.05)
    assert await asyncio.wait_for(idle.read(), 5) == b""
    assert not stopping.done()
    door.sink.held[0].set_result(None)
    assert await waiting == [b"200"]
    await stopping
    assert bodies(door) == [b"1"]
    keeps.close()


async def test_an_answer_that_does_not_come_holds_no_stop_up(door: Door) -> None:
    door.sink.holds = True
    waiting = asyncio.create_task(answers(door, plain(b"1"), wanted=1))
    await door.until_held(1)
    async with asyncio.timeout(5):
        await door.server.stop()
    with suppress(ConnectionError):
        assert await waiting == []
    door.sink.held[0].set_result(None)
    await asyncio.sleep(0.01)
    assert door.intake.in_flight == 0


async def test_a_sender_that_hangs_up_before_the_answer_is_stored_all_the_same(door: Door) -> None:
    door.sink.holds = True
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(plain(b"1"))
    await door.until_held(1)
    writer.close()
    await writer.wait_closed()
    await asyncio.sleep(0.02)
    door.sink.held[0].set_result(None)
    await asyncio.sleep(0.01)
    assert door.metrics.value(RECEIVER_REQUESTS, "shopify", "accepted") == 1
    assert door.intake.in_flight == 0


async def test_more_bodies_on_their_way_than_the_limit_are_turned_away(door: Door) -> None:
    request = plain(b"x" * 900)
    writers = []
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", door.port)
        writer.write(request[:-1])
        writers.append(writer)
    await asyncio.sleep(0.05)
    assert (await talk(door, request[:-1]))[0].startswith(b"HTTP/1.1 503 ")
    for writer in writers:
        writer.close()
    await asyncio.sleep(0.05)
    assert door.intake.in_flight == 0
