"""Stock faust-streaming: a Table with its changelog topic. `PEER_STORE` is the URL of the table's local store."""

from __future__ import annotations

import os
from typing import Any

import faust

from benchmarks.peers.job import decide, from_environment

JOB = from_environment()
RAW = {"key_type": bytes, "value_type": bytes, "key_serializer": "raw", "value_serializer": "raw"}

app = faust.App(
    JOB.group,
    broker=f"kafka://{JOB.bootstrap}",
    datadir=JOB.folder,
    store=os.environ["PEER_STORE"],
    table_standby_replicas=0,
    topic_replication_factor=1,
    web_enabled=False,
)
source = app.topic(JOB.source, **RAW)
output = app.topic(JOB.output, **RAW)
rows = app.Table("rows", partitions=int(os.environ["PEER_PARTITIONS"]), key_type=bytes, value_type=bytes)


async def resolve(stream: Any) -> None:
    """Remember the event; write it when it wins."""
    async for event in stream.events():
        decision = decide(rows.get(event.key), event.message.headers[0][1])
        if decision is None:
            continue
        rows[event.key] = decision[0]
        if decision[1]:
            await output.send(key=event.key, value=event.value)


app.agent(source)(resolve)

if __name__ == "__main__":
    app.main()
