"""Where the time of one change goes: when each topic showed it to a reader of committed records."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from schemas import topics
from schemas.codec import Codec, Record
from schemas.entities import Channel
from streams.runtime.raw import micros

PUSH = topics.push("prestashop")
RAW = topics.raw("shopify")
WATCHED = (RAW, topics.INBOUND, PUSH, topics.CALLS)
_SKU = re.compile(rb'"sku":"([^"]+)"')
_PRICE_OF = re.compile(r"\|price\|([^~|]+)~")
Times = dict[str, float]  # moment -> seconds UTC


class Hops:
    """Follows prices from the webhook to the calls of the other shop's courier while its block runs. Each SKU changes
    once, so a SKU names its change. `times`: by SKU."""

    def __init__(self, kafka: Mapping[str, Any], prefix: str, codec: Codec) -> None:
        self._codec = codec
        self._prefix = prefix
        options = {"group.id": "hops", "enable.auto.commit": False, "isolation.level": "read_committed"}
        self._tail = Consumer({**kafka, **options, "fetch.wait.max.ms": 100, "fetch.queue.backoff.ms": 1})
        self._take: Mapping[str, Callable[[Any, float], None]] = {
            RAW: self._raw,
            topics.INBOUND: self._inbound,
            PUSH: self._push,
            topics.CALLS: self._call,
        }
        self.times: dict[str, Times] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="hops", daemon=True)

    def __enter__(self) -> Hops:
        starts = []
        for topic in WATCHED:
            name = self._prefix + topic
            for number in self._tail.list_topics(name, timeout=30).topics[name].partitions:
                partition = TopicPartition(name, number)
                partition.offset = self._tail.get_watermark_offsets(partition, 30)[1]
                starts.append(partition)
        self._tail.assign(starts)
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._over.set()
        self._thread.join()
        self._tail.close()

    def _run(self) -> None:
        while not self._over.is_set():
            message = self._tail.poll(0.1)
            if message is not None and message.error() is None:
                self._take[message.topic().removeprefix(self._prefix)](message, time.time())

    def _note(self, sku: str, **moments: float) -> None:
        """The first of each kind counts: what comes later is an echo."""
        times = self.times.setdefault(sku, {})
        for name, at in moments.items():
            times.setdefault(name, at)

    def _raw(self, message: Any, now: float) -> None:
        envelope = self._codec.decode(message.value())
        sku = _SKU.search(envelope["body"])
        if envelope["channel"] == Channel.WEBHOOK and sku is not None:
            self._note(sku.group(1).decode(), received=_seconds(envelope, "received_at"), raw=now)

    def _inbound(self, message: Any, now: float) -> None:
        found = _PRICE_OF.search(message.key().decode())
        if found is not None:
            self._note(found.group(1), inbound=now)

    def _push(self, message: Any, now: float) -> None:
        task = self._codec.decode(message.value())
        found = _PRICE_OF.search(task["golden_key"])
        if found is not None:
            self._note(found.group(1), push=now)

    def _call(self, message: Any, now: float) -> None:
        call = self._codec.decode(message.value())
        found = _PRICE_OF.search(call["op_id"])
        if found is None or call["platform"] != "prestashop":
            return
        at = _seconds(call, "at")
        if call["method"] == "GET":
            self._note(found.group(1), read=at, read_end=at + call["latency_ms"] / 1000)
        else:
            self._note(found.group(1), write=at)


def _seconds(record: Record, field: str) -> float:
    return micros(record[field]) / 1e6
