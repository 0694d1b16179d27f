"""A bare confluent-kafka loop over a dict: nothing survives the process. The upper bound for one Python process."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, Producer

from benchmarks.peers.job import decide, from_environment

COMMIT_SECONDS = 1.0


def main() -> None:
    """Read, decide, write, for ever; offsets are committed after the outputs are acknowledged."""
    job = from_environment()
    consumer = Consumer(
        {
            "bootstrap.servers": job.bootstrap,
            "group.id": job.group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "queued.max.messages.kbytes": 2048,
            "fetch.queue.backoff.ms": 2,
        }
    )
    producer = Producer(
        {"bootstrap.servers": job.bootstrap, "compression.type": "lz4", "linger.ms": 20, "enable.idempotence": True}
    )
    consumer.subscribe([job.source])
    rows: dict[bytes, bytes] = {}
    moved, due = False, time.monotonic() + COMMIT_SECONDS
    while True:
        for message in consumer.consume(500, 0.1):
            if message.error():
                raise RuntimeError(message.error())
            moved = True
            decision = decide(rows.get(message.key()), message.headers()[0][1])
            if decision is None:
                continue
            rows[message.key()], wins = decision
            if wins:
                producer.produce(job.output, message.value(), message.key())
        producer.poll(0)
        if moved and time.monotonic() > due:
            producer.flush()
            consumer.commit(asynchronous=False)
            moved, due = False, time.monotonic() + COMMIT_SECONDS


if __name__ == "__main__":
    main()
