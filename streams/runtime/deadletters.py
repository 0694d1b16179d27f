"""Dead letters: records that could not be processed, with everything needed to look at them and to redrive them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas import identity, topics
from schemas.codec import Codec
from streams.shard.api import Incoming, Shard

_MAX_DETAIL = 2_000  # characters; a detail may quote a vendor's message of any length


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a record is given up. `reason` is machine-readable; `next_command` is what a person runs next."""

    reason: str
    detail: str
    next_command: str = ""
    attempts: int = 1
    tenant: str = ""
    account: str = ""
    index: int = 0


def poison(deaths: int) -> Trouble:
    """A record on which the process died, alone, `deaths` times: what is wrong with it was never found out."""
    detail = (
        f"the process died {deaths} times while it was at work on nothing but this record, so it is not processed "
        "again; likely it crashes a library or takes more memory than there is. Look at the process's last lines and "
        "at the kernel's log of killed processes before it is sent again"
    )
    return Trouble("poison", detail, attempts=deaths)


def dead_letter_id(topic: str, partition: int, offset: int, index: int = 0) -> str:
    """Equal whenever the same record dies again: `<topic>-<partition>-<offset>/<index>`."""
    return f"{topic}-{partition}-{offset}/{index}"


def dead_letter(
    codec: Codec,
    *,
    stage: str,
    reason: str,
    detail: str,
    next_command: str,
    attempts: int,
    tenant: str,
    account: str,
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]] | None,
    now: int,
    index: int = 0,
) -> tuple[bytes, bytes]:
    """(key, value) of a dead letter. `now`: microseconds UTC; `index` tells several of one record apart.

    The original stands byte for byte; nothing is added to it, so what was no secret before is none now. Without a key
    of its own the dead letter is keyed by its id.
    """
    name = dead_letter_id(topic, partition, offset, index)
    record = {
        "id": name,
        "stage": stage,
        "reason": reason,
        "detail": detail[:_MAX_DETAIL],
        "next_command": next_command or f"sluice deadletters show {name}",
        "attempts": attempts,
        "tenant": tenant,
        "account": account,
        "source_topic": topic,
        "source_partition": partition,
        "source_offset": offset,
        "original_key": key,
        "original_value": value,
        "original_headers": [{"name": header, "value": content} for header, content in headers or ()],
        "dead_at": now,
    }
    return key or name.encode(), codec.encode("dead_letter", record)


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """Emits the dead letters of one role."""

    codec: Codec
    stage: str
    profile: topics.Profile

    def emit(self, shard: Shard, topic: str, record: Incoming, trouble: Trouble, now: int) -> None:
        """Give up `record`, read from `topic` (catalogue name) by this shard, in the shard's transaction."""
        key, value = dead_letter(
            self.codec,
            stage=self.stage,
            reason=trouble.reason,
            detail=trouble.detail,
            next_command=trouble.next_command,
            attempts=trouble.attempts,
            tenant=trouble.tenant,
            account=trouble.account,
            topic=topic,
            partition=shard.number,
            offset=record.offset,
            key=record.key,
            value=record.value,
            headers=record.headers,
            now=now,
            index=trouble.index,
        )
        count = self.profile.partitions(topics.CATALOGUE[topics.DEAD_LETTERS].sizing)
        shard.emit(topics.DEAD_LETTERS, identity.partition(key, count), key, value)
