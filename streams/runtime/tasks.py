"""Rows of the couriers' work as people look for them, and the verdicts they give on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from schemas import identity, topics
from schemas.codec import Codec
from streams.core import courier_rows as rows
from streams.core.courier_rows import Intent
from streams.core.desired import Status, Task, Verdict
from streams.runtime.state import UnreadableRow
from streams.runtime.statesource import ChangelogSource
from streams.runtime.topicreader import TopicReader

_HANDLE_BYTES = 5


@dataclass(frozen=True, slots=True)
class Found:
    """One row of work. `account`: `tenant|account`; `shard`: its partition; `intent`: the request that was last sent or
    about to be sent, None when there was none."""

    platform: str
    shard: int
    account: str
    row: str
    task: Task
    intent: Intent | None

    @property
    def handle(self) -> str:
        """Ten hexadecimal digits that name the row in commands; equal for as long as the row is there."""
        text = f"{self.platform}\0{self.account}\0{self.row}"
        return blake2b(text.encode(), digest_size=_HANDLE_BYTES).hexdigest()

    @property
    def name(self) -> str:
        """What the row is about: the golden key of a set, the operation id of a command."""
        wanted = self.task.wanted
        return wanted.operation_id or wanted.subject


def find(reader: TopicReader, platforms: tuple[str, ...], keep: Callable[[Found], bool]) -> list[Found]:
    """The rows for which `keep` holds, of all shards of these platforms' couriers. Memory holds the tasks and intents
    of one shard. Raises KafkaException, and UnreadableRow naming the row."""
    return [found for platform in platforms for found in _of_platform(reader, platform) if keep(found)]


def _of_platform(reader: TopicReader, platform: str) -> Iterator[Found]:
    source = ChangelogSource(reader, topics.courier_changelog(platform))
    for shard in source.shards():
        stored = source.rows(shard, lambda key: key[:1] in (rows.TASK, rows.INTENT))
        for key, row in sorted(stored.items()):
            if key[:1] == rows.TASK:
                intent = stored.get(rows.INTENT + key[1:])
                yield _found(platform, shard, key, row.value, None if intent is None else intent.value)


def _found(platform: str, shard: int, key: bytes, task: bytes, intent: bytes | None) -> Found:
    account, name = key[1:].decode().split("\0", 1)
    try:
        unpacked = None if intent is None else rows.unpack_intent(intent)
        return Found(platform, shard, account, name, rows.unpack_task(task), unpacked)
    except ValueError as error:
        raise UnreadableRow(f"the row {name!r} of {account} at {platform} cannot be read: {error}") from error


def is_parked(found: Found) -> bool:
    """Whether a person may decide about the row."""
    return found.task.status is Status.PARKED


def calls(reader: TopicReader, codec: Codec, found: Found) -> list[Mapping[str, Any]]:
    """The vendor requests made for the row's work, oldest first, as far back as `calls` is kept."""
    tenant, account = identity.split(found.account)
    partition = identity.account_partition(tenant, account, reader.partitions(topics.CALLS))
    op_id, key = found.task.wanted.op_id, found.account.encode()
    seen = reader.scan(topics.CALLS, [partition], lambda one, value: one == key and op_id.encode() in (value or b""))
    said = (codec.decode(one.value or b"") for one in seen)
    return [one for one in said if one["op_id"] == op_id]


def verdicts(reader: TopicReader, codec: Codec, found: Found) -> list[Mapping[str, Any]]:
    """What people have decided about the row so far, oldest first."""
    seen = reader.scan(topics.tasks(found.platform), [found.shard], lambda key, value: key == verdict_key(found))
    return [codec.decode(one.value or b"") for one in seen]


def verdict_key(found: Found) -> bytes:
    """The key of verdicts on the row."""
    return f"{found.account}|{found.handle}".encode()


def verdict(codec: Codec, found: Found, said: Verdict, *, by: str, why: str, now: int) -> bytes:
    """The record that tells the courier. `now`: microseconds UTC. Raises CodecError."""
    tenant, account = identity.split(found.account)
    record = {
        "tenant": tenant,
        "account": account,
        "platform": found.platform,
        "row": found.row,
        "version": found.task.wanted.version,
        "verdict": said.value,
        "by": by,
        "why": why,
        "decided_at": now,
    }
    return codec.encode("task_verdict", record)
