"""Whole batches from a real log: the same records as stock aiokafka reads, whatever was aborted in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.consumer import fetcher
from confluent_kafka import Producer

from streams.testing.broker import Endpoints
from streams.worker import records
from tests.integration.support import Bench

pytestmark = pytest.mark.broker


def _write(bench: Bench, codec: str) -> None:
    """Plain batches, committed and aborted transactions of two producers, one inside the other."""
    topic = bench.prefix + "in.v1"
    plain = Producer({**bench.kafka, "compression.type": codec, "linger.ms": 50})
    first, second = (
        Producer({**bench.kafka, "transactional.id": f"{bench.prefix}{n}", "compression.type": codec}) for n in (1, 2)
    )

    def write(producer: Producer, text: str, count: int) -> None:
        for n in range(count):
            value = None if n % 7 == 6 else f"{text} {n}" * 20
            producer.produce(topic, value, f"k{n}", 0, headers=[("name", text.encode())])
        assert producer.flush(30) == 0

    first.init_transactions(30)
    second.init_transactions(30)
    write(plain, "plain", 30)
    first.begin_transaction()
    write(first, "aborted", 20)
    second.begin_transaction()
    write(second, "committed", 20)
    write(plain, "between", 5)
    write(first, "aborted", 20)
    first.abort_transaction(30)
    write(second, "committed", 20)
    second.commit_transaction(30)
    first.begin_transaction()
    write(first, "committed", 3)
    first.commit_transaction(30)
    write(plain, "end", 10)


async def _read(bench: Bench, start: int, isolation: str) -> list[tuple[Any, ...]]:
    tp, end = TopicPartition(bench.prefix + "in.v1", 0), bench.ends()[0]
    reader = AIOKafkaConsumer(
        bootstrap_servers=bench.bootstrap,
        enable_auto_commit=False,
        isolation_level=isolation,
        max_partition_fetch_bytes=4_096,
        fetch_max_wait_ms=10,
    )
    found: list[tuple[Any, ...]] = []
    async with reader:
        reader.assign([tp])
        reader.seek(tp, start)
        async with asyncio.timeout(30):
            while await reader.position(tp) < end:
                fetched = (await reader.getmany(timeout_ms=50)).get(tp, [])
                if isinstance(fetched, records.Fetched):
                    fetched.unpack()
                for record in fetched:
                    headers = tuple(record.headers)
                    found.append((record.offset, record.timestamp, record.key, record.value, headers))
    return found


@pytest.mark.parametrize("codec", ["none", "lz4", "zstd"])
async def test_the_same_records_as_stock_from_every_position_and_at_both_isolation_levels(
    endpoints: Endpoints, codec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(endpoints.bootstrap).create(["in.v1"])
    _write(bench, codec)
    asked = [(0, "read_committed"), (17, "read_committed"), (40, "read_committed"), (61, "read_committed")]
    asked.append((5, "read_uncommitted"))
    stock = [await _read(bench, *what) for what in asked]
    for name in ("PartitionRecords", "FetchResult"):
        monkeypatch.setattr(fetcher, name, getattr(fetcher, name))  # put back after the test
    records.install()
    assert [await _read(bench, *what) for what in asked] == stock
    assert not any(fact[4][0][1] == b"aborted" for fact in stock[0])
    assert any(fact[4][0][1] == b"aborted" for fact in stock[-1])
    assert len(stock[0]) == 30 + 20 + 5 + 20 + 3 + 10
