"""The fate of a delivery report, without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from streams.receiver.producer import Away, KafkaProducer, Pace, Record

RECORD = Record("raw.shopify.v1", b"k", b"v", [])


@pytest.fixture
async def producer() -> AsyncIterator[KafkaProducer]:
    """Its broker's address leads nowhere, and nothing is resolved before a record needs it."""
    made = KafkaProducer({"bootstrap.servers": "localhost:1", "log_level": 0}, "t.", Pace(request=0.5, delivery=0.45))
    made.start()
    yield made
    await made.close(0)


async def test_a_report_that_does_not_come_is_away_within_the_requests_time(producer: KafkaProducer) -> None:
    began = asyncio.get_running_loop().time()
    with pytest.raises(Away):
        await producer.send(RECORD)
    assert asyncio.get_running_loop().time() - began < 0.6


async def test_a_record_larger_than_any_message_is_away_at_once(producer: KafkaProducer) -> None:
    with pytest.raises(Away):
        producer.send(Record("raw.shopify.v1", b"k", bytes(10_000_000), []))


async def test_a_closed_producer_leaves_nobody_waiting(producer: KafkaProducer) -> None:
    waiting = producer.send(RECORD)
    assert await producer.close(0) == 1
    with pytest.raises(Away):
        await waiting
