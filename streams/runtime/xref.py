"""Who is who: remote ids of accounts and the entities behind them, as the mapper and the courier see them.

The truth is the compacted topic `xref`. `MemoryXref` holds what it says, `XrefReplica` follows it from a thread.
"""

from __future__ import annotations

import asyncio
import logging
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

from schemas.codec import Codec, CodecError
from schemas.entities import EntityType
from schemas.identity import InvalidKey, SourceKey, join
from streams.runtime.raw import micros

log = logging.getLogger(__name__)

KNOWN_AS = "known_as"  # `linked_by` of further ids of a record: they lead to the entity, the entity not back to them
LINKED = "LINKED"
_LAYOUT = struct.Struct(">qiBH")  # linked at, link revision, flags, length of the golden key
_LINKED, _PRIMARY = 1, 2
_AT = struct.Struct(">q")

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


@dataclass(frozen=True, slots=True)
class StoredLink:
    """What the xref topic says of one remote id. `linked_at`: microseconds UTC."""

    golden_key: str
    aliases: Mapping[str, str] = field(default_factory=dict)
    linked_at: int = 0
    link_revision: int = 1
    primary: bool = True
    linked: bool = True

    def pack(self) -> bytes:
        """A row of about 40 bytes beside the golden key: the form in which a view holds millions of links."""
        golden = self.golden_key.encode()
        flags = self.linked * _LINKED | self.primary * _PRIMARY
        aliases = orjson.dumps(dict(self.aliases)) if self.aliases else b""
        return _LAYOUT.pack(self.linked_at, self.link_revision, flags, len(golden)) + golden + aliases

    @classmethod
    def unpack(cls, data: bytes) -> StoredLink:
        """The inverse of `pack`."""
        at, revision, flags, length = _LAYOUT.unpack_from(data)
        golden = data[_LAYOUT.size : _LAYOUT.size + length]
        aliases = data[_LAYOUT.size + length :]
        decoded = orjson.loads(aliases) if aliases else {}
        return cls(golden.decode(), decoded, at, revision, bool(flags & _PRIMARY), bool(flags & _LINKED))


class LinkView(XrefView, Protocol):
    """What the mapper needs beyond lookups: the whole link, to tell whether there is news."""

    def link(self, source: SourceKey) -> StoredLink | None:
        """The stored link of a remote id, whatever its status."""
        ...


class MemoryXref:
    """A view in two dicts of bytes, forth and back: no objects per link. Implements LinkView."""

    def __init__(self) -> None:
        self._links: dict[bytes, bytes] = {}
        self._back: dict[bytes, bytes] = {}

    def __len__(self) -> int:
        return len(self._links)

    def golden(self, tenant: str, type: EntityType, account: str, remote_id: str) -> str | None:
        link = self.link(SourceKey(tenant, type, account, remote_id))
        return link.golden_key if link is not None and link.linked else None

    def remote(self, tenant: str, type: EntityType, account: str, golden_key: str) -> Remote | None:
        found = self._back.get(_back_key(tenant, type, account, golden_key))
        if found is None:
            return None
        source = found[_AT.size :]
        packed = self._links.get(source)
        if packed is None:
            return None  # the following thread is between the two dicts
        return SourceKey.parse(source.decode()).remote_id, StoredLink.unpack(packed).aliases

    def link(self, source: SourceKey) -> StoredLink | None:
        packed = self._links.get(str(source).encode())
        return None if packed is None else StoredLink.unpack(packed)

    def add(self, source: SourceKey, link: StoredLink) -> None:
        """Put or replace a link."""
        key = str(source).encode()
        self._forget(source, key)
        self._links[key] = link.pack()
        if link.primary and link.linked:
            self._lead_back(source, key, link)

    def discard(self, source: SourceKey) -> None:
        """Remove a link; nothing happens when there is none."""
        key = str(source).encode()
        self._forget(source, key)
        self._links.pop(key, None)

    def apply(self, key: bytes, record: Mapping[str, Any] | None) -> None:
        """Take one record of the xref topic; None is its tombstone. Raises InvalidKey for a strange key."""
        source = SourceKey.parse(key.decode())
        if record is None:
            self.discard(source)
        else:
            self.add(source, stored_link(record))

    def _lead_back(self, source: SourceKey, key: bytes, link: StoredLink) -> None:
        back = _back_key(source.tenant, source.type, source.account, link.golden_key)
        candidate = _AT.pack(max(link.linked_at, 0)) + key
        self._back[back] = max(candidate, self._back.get(back, b""))

    def _forget(self, source: SourceKey, key: bytes) -> None:
        packed = self._links.get(key)
        if packed is None:
            return
        back = _back_key(source.tenant, source.type, source.account, StoredLink.unpack(packed).golden_key)
        if self._back.get(back, b"")[_AT.size :] == key:
            del self._back[back]


def stored_link(record: Mapping[str, Any]) -> StoredLink:
    """The link of a decoded Xref record."""
    return StoredLink(
        record["golden_key"],
        record["aliases"],
        micros(record["linked_at"]),
        record["link_revision"],
        record["linked_by"] != KNOWN_AS,
        record["status"] == LINKED,
    )


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
        }
        self._topic = topic
        self._codec = codec
        self._on_failure = on_failure
        self._stopping = threading.Event()
        self._caught_up = threading.Event()
        self._failure = ""
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
        open_partitions = self._partitions(consumer)
        consumer.assign([TopicPartition(self._topic, number, OFFSET_BEGINNING) for number in open_partitions])
        while not self._stopping.is_set():
            for message in consumer.consume(2_000, 0.1 if self._caught_up.is_set() else 0.02):
                error = message.error()
                if error is None:
                    self._take(message.key(), message.value())
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

    def _take(self, key: bytes | None, value: bytes | None) -> None:
        try:
            self.apply(key or b"", None if value is None else self._codec.decode(value))
        except (CodecError, InvalidKey, UnicodeDecodeError, KeyError) as error:
            log.warning("a record of %s with key %r cannot be read: %s", self._topic, key, error)
