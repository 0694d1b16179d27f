"""Asking for a record to be read at its source, because what was said of it does not decide."""

from __future__ import annotations

from typing import Any

from schemas import identity, topics
from schemas.codec import Codec
from schemas.entities import Lane
from schemas.topics import Profile
from streams.shard.api import Shard

TIE = "tie"


def fetch(shard: Shard, codec: Codec, profile: Profile, meta: dict[str, Any], reason: str, now: int) -> bool:
    """Emit a fetch request for the record of this `meta`. False when it does not say how to read it."""
    if not meta["read"]:
        return False
    resource, remote_id = identity.split(meta["read"])
    topic = topics.fetch(meta["platform"])
    request = {
        "tenant": meta["tenant"],
        "account": meta["account"],
        "platform": meta["platform"],
        "resource": resource,
        "remote_id": remote_id,
        "reason": reason,
        "lane": Lane.NORMAL.value,
        "requested_at": now,
        "cause": meta["ce_id"],
    }
    partition = identity.account_partition(meta["tenant"], meta["account"], profile.platform)
    key = identity.join(meta["account"], resource, remote_id).encode()
    shard.emit(topic, partition, key, codec.encode("fetch_request", request))
    return True
