"""The front door over HTTP: every status code, and what 200 promises."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.kit.contract import Envelope
from connectors.kit.metrics import RECEIVER_DELIVERY_SECONDS, RECEIVER_REQUESTS
from schemas.entities import Channel
from streams.runtime.raw import ACKNOWLEDGE_ONLY, from_record
from tests.contract.receiving import CODEC, NOW, PATH, SECRET, Door, door, first_line, plain, sign, signed, talk

__all__ = ["door"]


async def test_a_connection_serves_one_delivery_after_the_other_each_answer_dated(door: Door) -> None:
    heads = await talk(door, plain(b"{}"), plain(b"[]"))
    assert [head.split(b"\r\n")[0] for head in heads] == [b"HTTP/1.1 200 OK"] * 2
    assert all(b"\r\nContent-Length: 0\r\n" in head and b"\r\nDate: " in head for head in heads)
    assert len(door.sink.records) == 2


@pytest.mark.parametrize("old", [{"version": "1.0"}, {"Connection": "close"}])
async def test_a_vendor_that_wants_its_connection_closed_gets_it_closed(door: Door, old: dict[str, Any]) -> None:
    first, second = await talk(door, plain(b"{}", **old), plain(b"[]", **old))
    assert first.split(b"\r\n")[0].endswith(b" 200 OK")
    assert second == b""


@pytest.mark.parametrize("path", ["/webhooks/shopify/acme/sho%70", f"{PATH}?from=here"])
async def test_an_address_in_another_spelling_is_the_same_account(door: Door, path: str) -> None:
    assert (await talk(door, plain(b"{}", path)))[0].startswith(b"HTTP/1.1 200 ")
    assert len(door.sink.records) == 1


async def test_a_vendor_that_asks_first_is_told_to_go_on(door: Door) -> None:
    heads = await talk(door, plain(b"{}", Expect="100-continue"), b"")
    assert [head.split(b" ")[1] for head in heads] == [b"100", b"200"]
    assert len(door.sink.records) == 1


async def test_only_posts_are_deliveries(door: Door) -> None:
    async with door.client.get(PATH) as reply:
        assert reply.status == 405
    assert door.sink.records == []


async def test_an_authentic_delivery_is_stored_byte_for_byte_and_acknowledged(door: Door) -> None:
    body = b'{"id": 1,  "n": 1.10}\r\n'
    assert (await door.post(body, signed(body)))[:2] == (200, b"")
    (record,) = door.sink.records
    raw = from_record(CODEC.decode(record.value))
    headers = {"x-topic": "orders/create", "x-delivery": "d-1"}
    assert raw.envelope == Envelope("shop", Channel.WEBHOOK, "orders/create", "d-1", body, headers, NOW)
    assert (raw.tenant, raw.platform) == ("acme", "shopify")
    assert (record.topic, record.key) == ("raw.shopify.v1", b"shop|d-1")


async def test_outsiders_find_cloud_events_attributes(door: Door) -> None:
    await door.post(b"{}", signed(b"{}"))
    headers = {name: value.decode() for name, value in door.sink.records[0].headers}
    assert headers == {
        "ce_specversion": "1.0",
        "ce_id": "d-1",
        "ce_source": "//shopify/acme/shop",
        "ce_type": "sluice.raw.shopify.orders.create",
        "ce_time": "2026-03-01T12:00:00.123456Z",
        "ce_subject": "d-1",
        "ce_dataschema": "urn:avro:sluice.RawEnvelope",
        "content-type": "application/avro",
    }


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe\x00", b"null", b"\x1f\x8b\x08garbage"])
async def test_a_signed_body_is_kept_whatever_it_holds(door: Door, body: bytes) -> None:
    headers = signed(body, **({"Content-Encoding": "gzip"} if body.startswith(b"\x1f") else {}))
    async with door.client.post(PATH, data=body, headers=headers, compress=False) as reply:
        assert reply.status == 200
    assert from_record(CODEC.decode(door.sink.records[0].value)).envelope.body == body


async def test_a_header_that_is_not_utf_8_does_not_keep_a_signed_body_out(door: Door) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Signature: {sign(b'{}')}\r\nX-Delivery: d-1\r\nContent-Length: 2\r\n"
    assert b" 200 " in await first_line(door, head.encode() + b"X-Topic: \xff\xfe\r\n\r\n{}")
    assert from_record(CODEC.decode(door.sink.records[0].value)).envelope.topic == "\ufffd\ufffd"


async def test_a_bad_signature_is_refused_and_tells_nothing_of_the_account(door: Door) -> None:
    status, answer, _ = await door.post(b'{"id": 2}', signed(b'{"id": 1}'))
    assert (status, answer["error"]) == (401, "bad_signature")
    assert SECRET not in str(answer)
    assert door.sink.records == []


@pytest.mark.parametrize(
    "path",
    [
        "/webhooks/shopify/acme/nobody",
        "/webhooks/shopify/other/shop",
        "/webhooks/prestashop/acme/shop",
        "/webhooks/prestashop/acme/office",
        "/webhooks/unknown/acme/shop",
        "/webhooks/rival/acme/shop",
    ],
)
async def test_a_route_nobody_has_is_not_found(door: Door, path: str) -> None:
    status, answer, _ = await door.post(b"{}", signed(b"{}"), path)
    assert (status, answer["error"]) == (404, "unknown_route")


async def test_another_method_is_not_allowed(door: Door) -> None:
    async with door.client.get(PATH) as reply:
        assert reply.status == 405


async def test_a_body_of_the_largest_size_is_taken_and_one_byte_more_refused(door: Door) -> None:
    whole, more = b"x" * 1_000, b"x" * 1_001
    assert (await door.post(whole, signed(whole)))[0] == 200
    status, answer, _ = await door.post(more, signed(more))
    assert (status, answer["error"]) == (413, "too_large")


async def test_a_large_body_is_refused_before_it_is_sent(door: Door) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 999999999\r\n\r\n"
    assert b" 413 " in await first_line(door, head.encode())


async def test_a_chunked_body_is_counted_as_it_comes(door: Door) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 100
            await asyncio.sleep(0)

    status, _, _ = await door.post(chunks(), signed(b""))
    assert status == 413


async def test_a_body_that_does_not_come_is_given_up(door: Door) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc"
    assert b" 408 " in await first_line(door, head.encode())


async def test_without_an_acknowledgement_the_vendor_is_asked_to_come_again(door: Door) -> None:
    door.sink.fails = True
    status, answer, headers = await door.post(b"{}", signed(b"{}"))
    assert (status, answer["error"], headers["Retry-After"]) == (503, "unavailable", "7")


async def test_a_full_queue_asks_to_come_again(door: Door) -> None:
    door.sink.full = True
    assert (await door.post(b"{}", signed(b"{}")))[0] == 503


async def test_a_defect_of_ours_asks_to_come_again(door: Door) -> None:
    status, answer, _ = await door.post(b"{}", signed(b"{}"), "/webhooks/shopify/acme/broken")
    assert status == 503
    assert "KeyError" not in str(answer)


async def test_nothing_is_answered_before_the_acknowledgement(door: Door) -> None:
    door.sink.holds = True
    waiting = asyncio.create_task(door.post(b"{}", signed(b"{}")))
    await door.until_held(1)
    await asyncio.sleep(0.05)
    assert not waiting.done()
    door.sink.held[0].set_result(None)
    assert (await waiting)[0] == 200


async def test_more_than_the_limit_in_flight_is_turned_away_until_there_is_room(door: Door) -> None:
    door.sink.holds = True
    waiting = [asyncio.create_task(door.post(b"{}", signed(b"{}"))) for _ in range(3)]
    await door.until_held(3)
    assert (await door.post(b"{}", signed(b"{}")))[0] == 503
    for future in door.sink.held:
        future.set_result(None)
    assert [(await one)[0] for one in waiting] == [200, 200, 200]
    door.sink.holds = False
    assert (await door.post(b"{}", signed(b"{}")))[0] == 200
    assert door.intake.in_flight == 0


async def test_a_compliance_delivery_is_kept_and_marked_as_never_to_be_mapped(door: Door) -> None:
    await door.post(b"{}", signed(b"{}", **{"X-Topic": "redact"}))
    assert ACKNOWLEDGE_ONLY in from_record(CODEC.decode(door.sink.records[0].value)).envelope.headers


async def test_a_sender_cannot_mark_a_delivery_as_never_to_be_mapped(door: Door) -> None:
    await door.post(b"{}", signed(b"{}", **{ACKNOWLEDGE_ONLY: "true"}))
    assert ACKNOWLEDGE_ONLY not in from_record(CODEC.decode(door.sink.records[0].value)).envelope.headers


async def test_every_answer_is_counted_under_labels_that_outsiders_cannot_make_up(door: Door) -> None:
    await door.post(b"{}", signed(b"{}"))
    await door.post(b"{}", signed(b"x"))
    await door.post(b"{}", signed(b"{}"), "/webhooks/shopify/acme/nobody")
    await door.post(b"{}", signed(b"{}"), "/webhooks/made-up/acme/shop")
    for outcome in ("accepted", "bad_signature", "unknown_route"):
        assert door.metrics.value(RECEIVER_REQUESTS, "shopify", outcome) == 1, outcome
    assert door.metrics.value(RECEIVER_REQUESTS, "unknown", "unknown_route") == 1
    assert door.metrics.value(RECEIVER_DELIVERY_SECONDS, "shopify") == 1
    assert b"made-up" not in door.metrics.page()[0]


async def test_a_sender_that_leaves_within_the_body_is_counted_and_no_defect(
    door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", door.port)
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc".encode())
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(5):
        while not door.metrics.value(RECEIVER_REQUESTS, "shopify", "broken_body"):  # noqa: ASYNC110 - see until_held
            await asyncio.sleep(0.005)
    assert "could not be stored" not in capsys.readouterr().out
    assert door.sink.records == []
