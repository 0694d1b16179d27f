"""Records of the topic as the views see them."""

from __future__ import annotations

from typing import Any

from schemas.codec import Codec
from schemas.registry import MemorySchemas
from streams.runtime.quota.calls import Pace, from_record
from tests.unit.runtime.quota.given import NOW

CODEC = Codec(MemorySchemas())
RECORD: dict[str, Any] = {
    "at": round(NOW * 1e6), "tenant": "acme", "account": "shop", "platform": "shopify", "bucket": "acme|shop",
    "lane": "high", "operation": "set_stock", "op_id": "o", "method": "POST", "endpoint": "/graphql", "status": 429,
    "outcome": "throttled", "cost": 0.0, "latency_ms": 250.0, "attempt": 2, "retry_after_ms": 1500.0,
}  # fmt: skip


def test_times_are_seconds_and_what_was_not_said_is_none() -> None:
    call = from_record(CODEC.decode(CODEC.encode("api_call", RECORD)))
    assert (call.at, call.ended, call.seconds, call.retry_after) == (NOW, NOW + 0.25, 0.25, 1.5)
    assert (call.level, call.limit, call.restore_rate, call.pace) == (None, None, None, None)
    assert call.throttled
    assert call.purpose == "other"


def test_the_owners_view_of_the_bucket_comes_with_the_end_of_its_block_in_seconds() -> None:
    pace = {"cost": 2.0, "level": None, "limit": 40.0, "restore_rate": 2.0, "refill": 1.0}
    blocked = pace | {"blocked_until": RECORD["at"] + 7_000_000}
    call = from_record(CODEC.decode(CODEC.encode("api_call", RECORD | {"paces": [blocked]})))
    assert call.pace == Pace(None, 40.0, 2.0, 1.0, NOW + 7, cost=2.0)
    opened = CODEC.encode("api_call", RECORD | {"paces": [pace]})
    found = from_record(CODEC.decode(opened)).pace
    assert found is not None
    assert found.blocked_until == 0.0
