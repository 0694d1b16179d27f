"""Quix Streams: RocksDB with a changelog topic, checkpoints every 5 s (its default). One argument: its guarantee."""

from __future__ import annotations

import sys
from typing import Any, Literal, cast

from quixstreams import Application, State

from benchmarks.peers.job import decide, from_environment


def wins(value: bytes, key: bytes, timestamp: int, headers: Any, state: State) -> bool:
    """Remember the event; whether it goes on."""
    decision = decide(state.get_bytes(b"r"), headers[0][1])
    if decision is None:
        return False
    state.set_bytes(b"r", decision[0])
    return decision[1]


def main() -> None:
    """Run until it is stopped."""
    job = from_environment()
    app = Application(
        broker_address=job.bootstrap,
        consumer_group=job.group,
        auto_offset_reset="earliest",
        state_dir=job.folder,
        processing_guarantee=cast('Literal["at-least-once", "exactly-once"]', sys.argv[1]),
        producer_extra_config={"compression.type": "lz4", "linger.ms": 20},
    )
    source = app.topic(job.source, key_deserializer="bytes", value_deserializer="bytes")
    output = app.topic(job.output, key_serializer="bytes", value_serializer="bytes")
    winners = app.dataframe(source).filter(wins, stateful=True, metadata=True)
    winners.set_headers(lambda value, key, timestamp, headers: []).to_topic(output)
    app.run()


if __name__ == "__main__":
    main()
