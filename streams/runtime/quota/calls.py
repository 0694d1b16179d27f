"""Records of `calls` as the views want them, followed from some time on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from schemas import topics
from schemas.codec import Codec
from streams.runtime.topicreader import TopicReader


@dataclass(frozen=True, slots=True)
class Pace:
    """A bucket as its owner saw it; units and units per second. `name`: empty for the account's own; `cost`: what the
    call was charged there; `blocked_until`: seconds UTC, 0 when it was open; `ends_at`: when a quota per window begins
    anew, seconds UTC, None for a bucket that refills all the time."""

    level: float | None
    limit: float
    restore_rate: float
    refill: float
    blocked_until: float
    name: str = ""
    cost: float = 0.0
    ends_at: float | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request and its reply. `at`, `ended`: sent and answered, seconds UTC; `level`, `limit`, `restore_rate`: as
    the API reported them; `pace`: of the account's own bucket; `further`: of the others it was charged to."""

    at: float
    ended: float
    tenant: str
    account: str
    platform: str
    bucket: str
    lane: str
    purpose: str
    operation: str
    method: str
    endpoint: str
    status: int
    outcome: str
    cost: float
    level: float | None = None
    limit: float | None = None
    restore_rate: float | None = None
    retry_after: float | None = None
    pace: Pace | None = None
    further: tuple[Pace, ...] = ()

    @property
    def seconds(self) -> float:
        """Sent to answered."""
        return self.ended - self.at

    @property
    def throttled(self) -> bool:
        """Whether it was refused for its rate."""
        return self.outcome == "throttled"

    def parts(self) -> Iterator[Call]:
        """This call as each bucket saw it that it was charged to; what the API reported is about the account's own."""
        yield self
        for pace in self.further:
            yield replace(
                self, bucket=f"{self.bucket}/{pace.name}", cost=pace.cost, level=None, limit=None, restore_rate=None,
                pace=pace, further=(),
            )  # fmt: skip


def from_record(record: Mapping[str, Any]) -> Call:
    """A decoded record of api_call.avsc."""
    at, wait = _seconds(record["at"]), record["retry_after_ms"]
    copied = (
        "tenant", "account", "platform", "bucket", "lane", "purpose", "operation", "method", "endpoint", "status",
        "outcome", "cost", "level", "limit", "restore_rate",
    )  # fmt: skip
    paces = [_pace(one) for one in record["paces"]]
    return Call(
        at=at,
        ended=at + record["latency_ms"] / 1000.0,
        retry_after=None if wait is None else wait / 1000.0,
        pace=next((pace for pace in paces if not pace.name), None),
        further=tuple(pace for pace in paces if pace.name),
        **{name: record[name] for name in copied},
    )


def _pace(record: Mapping[str, Any]) -> Pace:
    until, ends = record["blocked_until"], record["ends_at"]
    copied = ("level", "limit", "restore_rate", "refill", "name", "cost")
    return Pace(
        **{name: record[name] for name in copied},
        blocked_until=0.0 if until is None else _seconds(until),
        ends_at=None if ends is None else _seconds(ends),
    )


def _seconds(time: datetime) -> float:
    return time.timestamp()


class Follower:
    """Reads committed calls from `since` (seconds UTC, the broker's clock) on; each `read` goes on where the last one
    ended. `account`: only those of this account, as `tenant|account` or without its tenant."""

    def __init__(self, reader: TopicReader, codec: Codec, since: float, account: str = "") -> None:
        self._reader = reader
        self._codec = codec
        self._account = account.encode()
        self._next = reader.offsets_at(topics.CALLS, round(since * 1000.0))

    def read(self) -> Iterator[Call]:
        """What was committed since, up to now. Raises KafkaException and CodecError."""
        for record in self._reader.scan(topics.CALLS, tuple(self._next), self._wanted, self._next):
            self._next[record.partition] = record.offset + 1
            if record.value is not None:
                yield from_record(self._codec.decode(record.value))

    def _wanted(self, key: bytes | None, value: bytes | None) -> bool:
        key, account = key or b"", self._account
        return not account or key == account or key.endswith(b"|" + account)
