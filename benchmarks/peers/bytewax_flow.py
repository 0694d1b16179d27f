"""Bytewax: state in SQLite snapshots, every 10 s (its default)."""

from __future__ import annotations

from datetime import timedelta

from bytewax import operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.peers.job import Job, decide, from_environment

SNAPSHOT = timedelta(seconds=10)


def step(row: bytes | None, message: KafkaSourceMessage) -> tuple[bytes | None, list[KafkaSinkMessage]]:
    """Remember the event; what goes on."""
    decision = decide(row, message.headers[0][1])
    if decision is None:
        return row, []
    return decision[0], [KafkaSinkMessage(message.key, message.value)] if decision[1] else []


def flow(job: Job) -> Dataflow:
    """Source, state, sink."""
    dataflow = Dataflow("peer")
    events = op.input("events", dataflow, KafkaSource([job.bootstrap], [job.source]))
    keyed = op.map("keyed", events, lambda message: (message.key.decode(), message))
    winners = op.key_rm("unkeyed", op.stateful_flat_map("winners", keyed, step))
    settings = {"compression.type": "lz4", "linger.ms": "20", "enable.idempotence": "true"}
    op.output("output", winners, KafkaSink([job.bootstrap], job.output, settings))
    return dataflow


def main() -> None:
    """Run until it is stopped."""
    job = from_environment()
    init_db_dir(job.folder, 1)
    cli_main(flow(job), epoch_interval=SNAPSHOT, recovery_config=RecoveryConfig(job.folder, timedelta(0)))


if __name__ == "__main__":
    main()
