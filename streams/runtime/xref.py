"""Who is who: remote ids of accounts and the entities behind them, as the mapper and the courier see them.

The truth is the compacted topic `xref`. `MemoryXref` holds what it says, `XrefReplica` follows it from a thread.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from schemas.codec import Codec, CodecError
from schemas.entities import EntityType
from schemas.identity import SEPARATOR, InvalidKey, SourceKey, join
from streams.runtime.links import StoredLink, leads_back_from, linked_at, packed_link, stored_link

log = logging.getLogger(__name__)

_SEPARATOR = SEPARATOR.encode()
_SEPARATORS = 3  # in a source key

Remote = tuple[str, Mapping[str, str]]


class XrefView(Protocol):
    """Reads only; safe from any thread."""

    def golden(self, tenant: str, type: EntityType, account: str, remote_id: str) -> str | None:
        """The golden key of a remote id, or None when it is not linked."""
        ...

    def remote(self, tenant: str, type: EntityType, account: str, golden_key: str) -> Remote | None:
        """(remote id, aliases) of an entity at an account, or None when it was never seen there.

        Of several records of one account that are the same entity, the one that was linked last.
        """
        ...


class LinkView(XrefView, Protocol):
    """What the mapper needs beyond lookups: the whole link, to tell whether there is news."""

    def link(self, source: SourceKey) -> StoredLink | None:
        """The stored link of a remote id, whatever its status."""
        ...


class MemoryXref:
    """A view in two dicts of bytes, forth and back: no objects per link, and none decoded before it is asked for.
    Implements LinkView."""

    def __init__(self) -> None:
        self._links: dict[bytes, bytes] = {}
        self._back: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._links)

    def golden(self, tenant: str, type: EntityType, account: str, remote_id: str) -> str | None:
        link = self.link(SourceKey(tenant, type, account, remote_id))
        return link.golden_key if link is not None and link.linked else None

    def remote(self, tenant: str, type: EntityType, account: str, golden_key: str) -> Remote | None:
        key = self._back.get(_back_key(tenant, type, account, golden_key))
        link = None if key is None else self._stored(key)
        if key is None or link is None:
            return None  # never seen there, or the following thread is between the two dicts
        return SourceKey.parse(key.decode()).remote_id, link.aliases

    def link(self, source: SourceKey) -> StoredLink | None:
        return self._stored(str(source).encode())

    def add(self, source: SourceKey, link: StoredLink) -> None:
        """Put or replace a link."""
        self.put(str(source).encode(), link.pack())

    def discard(self, source: SourceKey) -> None:
        """Remove a link; nothing happens when there is none."""
        self._forget(str(source).encode())

    def apply(self, key: bytes, record: Mapping[str, Any] | None) -> None:
        """Take one record of the xref topic; None is its tombstone. Raises InvalidKey for a strange key."""
        source = SourceKey.parse(key.decode())
        if record is None:
            self.discard(source)
        else:
            self.add(source, stored_link(record))

    def put(self, key: bytes, packed: bytes) -> None:
        """Put or replace a link as streams.runtime.links packs it. `key`: of its record. Raises IndexError when the
        bytes are none, and then leaves everything as it is."""
        golden = leads_back_from(packed)
        if key in self._links:
            self._forget(key)
        self._links[key] = packed
        if golden:
            back = key[: key.rindex(_SEPARATOR) + 1] + golden
            if self._back.setdefault(back, key) is not key:
                self._back[back] = max(key, self._back[back], key=self._rank)

    def _rank(self, key: bytes) -> tuple[int, bytes]:
        return linked_at(self._links[key]), key

    def _stored(self, key: bytes) -> StoredLink | None:
        packed = self._links.get(key)
        try:
            return None if packed is None else StoredLink.unpack(packed)
        except (IndexError, ValueError) as error:
            log.warning("the link of %r cannot be read: %r", key, error)
            return None

    def _forget(self, key: bytes) -> None:
        packed = self._links.get(key)
        if packed is None:
            return
        golden = leads_back_from(packed)
        back = key[: key.rindex(_SEPARATOR) + 1] + golden
        if golden and self._back.get(back) == key:
            del self._back[back]
        del self._links[key]


def _back_key(tenant: str, type: EntityType, account: str, golden_key: str) -> bytes:
    return f"{join(tenant, type, account)}|{golden_key}".encode()


class XrefReplica(MemoryXref):
    """The xref topic, followed by one thread from its beginning; no group, no commits, read_committed.

    A record that cannot be read is logged and passed over: the link it held is then unknown, which costs a fetch.
    """

    def __init__(
        self, kafka: Mapping[str, Any], topic: str, codec: Codec, *, on_failure: Callable[[str], None] = log.error
    ) -> None:
        """`kafka`: librdkafka's client settings; `topic`: full name. `on_failure` is called from the thread, once."""
        super().__init__()
        self._settings = {
            **kafka,
            "group.id": "sluice-xref-replica",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 8_192,
            "fetch.queue.backoff.ms": 5,  # by default a full queue stops fetching for a whole second
        }
        self._topic = topic
        self._codec = codec
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._caught_up = threading.Event()
        self._failure = ""
        self._frame = b""
        self._thread = threading.Thread(target=self._run, name="xref-replica", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    async def caught_up(self, within: float = 120.0) -> None:
        """Return when everything that stood in the topic at the start is here; `within` is in seconds.

        Raises TimeoutError, or RuntimeError when the following thread has failed.
        """
        reached = await asyncio.to_thread(self._caught_up.wait, within)
        if self._failure:
            raise RuntimeError(f"the xref replica of {self._topic} failed: {self._failure}")
        if not reached:
            raise TimeoutError(
                f"the xref replica read {len(self)} links of {self._topic} and not its end within {within:.0f} s: "
                f"the broker is away or an open transaction hangs; see `sluice stack status`"
            )

    def stop(self, timeout: float = 5.0) -> None:
        """Stop following; what was read stays readable."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _run(self) -> None:
        try:
            consumer = Consumer(self._settings)
            try:
                self._follow(consumer)
            finally:
                consumer.close()
        except Exception as error:  # noqa: BLE001 - whatever ended the thread, whoever waits must hear of it
            self._failure = f"{type(error).__name__}: {error}"
            self._caught_up.set()
            self._on_failure(f"the xref replica of {self._topic} stopped: {self._failure}")

    def _follow(self, consumer: Consumer) -> None:
        self._frame = self._codec.frame("xref")
        open_partitions = self._partitions(consumer)
        consumer.assign([TopicPartition(self._topic, number, OFFSET_BEGINNING) for number in open_partitions])
        while not self._stopping.is_set():
            for message in consumer.consume(2_000, 0.1 if self._caught_up.is_set() else 0.02):
                error = message.error()
                if error is None:
                    self._take(message.key() or b"", message.value())
                elif error.code() == KafkaError._PARTITION_EOF:
                    open_partitions.discard(message.partition())
                elif error.fatal():
                    raise RuntimeError(str(error))
            if not open_partitions:
                self._caught_up.set()

    def _partitions(self, consumer: Consumer) -> set[int]:
        metadata = consumer.list_topics(self._topic, timeout=30.0).topics[self._topic]
        if metadata.error is not None or not metadata.partitions:
            raise RuntimeError(f"topic {self._topic} is not there ({metadata.error}); run `sluice topics apply`")
        return set(metadata.partitions)

    def _take(self, key: bytes, value: bytes | None) -> None:
        try:
            if value is not None and value.startswith(self._frame) and key.count(_SEPARATOR) == _SEPARATORS:
                self.put(key, packed_link(value))
            else:
                self.apply(key, None if value is None else self._codec.decode(value))
        except (CodecError, InvalidKey, UnicodeDecodeError, KeyError, IndexError) as error:
            log.warning("a record of %s with key %r cannot be read: %s", self._topic, key, error)
