"""The replica of the xref topic on a real broker."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from confluent_kafka import Producer

from schemas.codec import Codec
from schemas.entities import EntityType
from schemas.identity import SourceKey
from schemas.registry import MemorySchemas
from streams.mapper.linking import NewLink, xref_record
from streams.runtime.links import StoredLink
from streams.runtime.xref import XrefReplica
from streams.testing.broker import Endpoints
from tests.integration.support import Bench, eventually

pytestmark = pytest.mark.broker

CODEC = Codec(MemorySchemas())
XREF = "xref.v1"
KIND = EntityType.VARIANT


def source(n: int) -> SourceKey:
    return SourceKey("acme", KIND, "shop", str(n))


def value(n: int) -> bytes:
    link = StoredLink(f"acme|variant|SKU-{n}", {"product_id": "3"}, n + 1)
    return CODEC.encode("xref", xref_record(NewLink(source(n), link, "sku")))


@pytest.fixture
def bench(endpoints: Endpoints) -> Bench:
    return Bench(endpoints.bootstrap, partitions=3).create([XREF])


def transactional(bench: Bench) -> Any:
    producer = Producer({**bench.kafka, "transactional.id": f"{bench.prefix}x"})
    producer.init_transactions(30)
    return producer


def write(bench: Bench, producer: Any, numbers: range, *, commit: bool = True) -> None:
    producer.begin_transaction()
    for n in numbers:
        producer.produce(bench.prefix + XREF, value(n), str(source(n)).encode(), n % 3)
    producer.flush(30)
    (producer.commit_transaction if commit else producer.abort_transaction)(30)


async def test_a_replica_holds_what_was_committed_and_follows_what_comes(bench: Bench) -> None:
    producer = await asyncio.to_thread(transactional, bench)
    await asyncio.to_thread(write, bench, producer, range(1_000))
    await asyncio.to_thread(write, bench, producer, range(1_000, 1_010), commit=False)
    bench.write([(0, "junk", "junk")], XREF)
    replica = XrefReplica(bench.kafka, bench.prefix + XREF, CODEC)
    replica.start()
    try:
        await replica.caught_up(within=30)
        assert len(replica) == 1_000
        assert replica.golden("acme", KIND, "shop", "7") == "acme|variant|SKU-7"
        assert replica.remote("acme", KIND, "shop", "acme|variant|SKU-7") == ("7", {"product_id": "3"})
        await asyncio.to_thread(write, bench, producer, range(2_000, 2_003))
        await eventually(lambda: len(replica) == 1_003, "new links are seen")
        plain = Producer(bench.kafka)
        plain.produce(bench.prefix + XREF, None, str(source(7)).encode(), 7 % 3)
        plain.flush(30)
        await eventually(lambda: replica.golden("acme", KIND, "shop", "7") is None, "the tombstone is seen")
    finally:
        replica.stop()


async def test_an_empty_topic_is_caught_up_at_once(bench: Bench) -> None:
    replica = XrefReplica(bench.kafka, bench.prefix + XREF, CODEC)
    replica.start()
    await replica.caught_up(within=30)
    replica.stop()
    assert len(replica) == 0


async def test_a_missing_topic_is_said_with_the_command_that_makes_it(bench: Bench) -> None:
    said: list[str] = []
    replica = XrefReplica(bench.kafka, bench.prefix + "none.v1", CODEC, on_failure=said.append)
    replica.start()
    with pytest.raises(RuntimeError, match="sluice topics"):
        await replica.caught_up(within=40)
    assert len(said) == 1
