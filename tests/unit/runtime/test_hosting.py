"""What a hosted role says of its shards in its metrics."""

from __future__ import annotations

from connectors.kit.health import Health
from connectors.kit.metrics import (
    SHARD_RESTORE_ROWS,
    SHARD_RESTORE_SECONDS,
    SHARD_RESTORE_TO_GO,
    SHARD_RESTORING,
    SHARD_SKIPPED,
    SHARD_UNREADABLE,
    Metrics,
)
from streams.runtime.hosting import MeteredShards


def _made() -> tuple[MeteredShards, Metrics]:
    metrics = Metrics()
    return MeteredShards(metrics, Health(), "resolver", "sluice."), metrics


def test_the_shards_that_restore_and_what_each_has_still_to_read_are_told_until_all_are_open() -> None:
    shards, metrics = _made()
    shards.restoring({0: 900, 3: 20})
    assert metrics.value(SHARD_RESTORING, "resolver") == 2
    assert metrics.value(SHARD_RESTORE_TO_GO, "resolver", "3") == 20
    shards.restoring({0: 400})
    assert metrics.value(SHARD_RESTORING, "resolver") == 1
    assert metrics.value(SHARD_RESTORE_TO_GO, "resolver", "0") == 400
    assert metrics.value(SHARD_RESTORE_TO_GO, "resolver", "3") == 0
    shards.restoring({})
    assert metrics.value(SHARD_RESTORING, "resolver") == 0
    assert metrics.value(SHARD_RESTORE_TO_GO, "resolver", "0") == 0


def test_a_restore_is_counted_when_it_is_done_and_each_time_it_could_not_read() -> None:
    shards, metrics = _made()
    shards.unreadable(1)
    shards.unreadable(1)
    shards.restored(1, 2.5, 400)
    assert metrics.value(SHARD_UNREADABLE, "resolver") == 2
    assert metrics.value(SHARD_RESTORE_ROWS, "resolver") == 400
    assert metrics.value(SHARD_RESTORE_SECONDS, "resolver") == 1


def test_records_that_were_lost_to_retention_are_counted_by_their_topic() -> None:
    shards, metrics = _made()
    shards.skipped("sluice.inbound.v1", 30)
    shards.skipped("sluice.inbound.v1", 12)
    assert metrics.value(SHARD_SKIPPED, "resolver", "inbound.v1") == 42
