"""Work for couriers without a resolver: push tasks and links, written as the resolver and the mapper write them."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Producer

from connectors.kit.contract import Account
from schemas import identity, topics
from schemas.codec import Codec
from schemas.entities import EntityType, Lane
from schemas.identity import GoldenKey, SourceKey
from schemas.topics import Profile, Sizing
from streams.testing import plain


class Desk:
    """Writes to the topics that couriers read. `given`: tasks so far, by account; `versions`: the newest one of each
    golden key, from 1."""

    def __init__(self, kafka: Mapping[str, Any], codec: Codec, prefix: str, profile: Profile) -> None:
        self._producer: Any = Producer({**kafka, "acks": "all", "linger.ms": 5})
        self._codec = codec
        self._prefix = prefix
        self._profile = profile
        self.given: Counter[str] = Counter()
        self.versions: Counter[str] = Counter()

    def link(self, account: Account, golden_key: GoldenKey, remote_id: str, aliases: Mapping[str, str]) -> None:
        """The record `remote_id` of the account is this entity."""
        source = SourceKey(account.tenant, golden_key.type, account.id, remote_id)
        record = {
            "tenant": account.tenant,
            "type": golden_key.type.value,
            "account": account.id,
            "remote_id": remote_id,
            "golden_key": str(golden_key),
            "status": "LINKED",
            "link_revision": 1,
            "linked_by": "sku",
            "linked_at": _now(),
            "aliases": dict(aliases),
        }
        key = str(source).encode()
        self._write(topics.XREF, Sizing.SMALL, key, self._codec.encode("xref", record), key)

    def ask(
        self,
        account: Account,
        golden_key: GoldenKey,
        fields: Mapping[str, Any],
        *,
        version: int = 0,
        operation_id: str = "",
        lane: Lane = Lane.NORMAL,
    ) -> int:
        """The account should hold these fields of the record from now on; with an operation id it is a command. Without
        `version` it is the next one of the entity. Returns the version."""
        text, now = str(golden_key), _now()
        version = version or self.versions[text] + 1
        self.versions[text] = max(self.versions[text], version)
        said = plain.Said(account, golden_key.type, golden_key.golden_id, fields, now, now, now, f"{text}/{version}")
        _, record, _ = plain.event(self._codec, said)
        task = {
            "tenant": account.tenant,
            "account": account.id,
            "platform": account.platform,
            "type": golden_key.type.value,
            "golden_key": text,
            "golden_version": version,
            "kind": "command" if operation_id else "set",
            "op": "upsert",
            "flow": "desk",
            "fields": sorted(fields),
            "lane": lane.value,
            "fingerprint": bytes(8),
            "record": record,
            "operation_id": operation_id or None,
            "wanted_at": now,
            "origin_at": now,
        }
        key = identity.join(account.tenant, account.id, text).encode()
        partition = identity.account_partition(account.tenant, account.id, self._profile.partitions(Sizing.PLATFORM))
        value = self._codec.encode("push_task", task)
        self._producer.produce(self._prefix + topics.push(account.platform), value, key, partition)
        self._producer.poll(0)
        self.given[identity.join(account.tenant, account.id)] += 1
        return version

    def flush(self) -> None:
        """Return when everything is acknowledged. Raises RuntimeError."""
        if self._producer.flush(30):
            raise RuntimeError("the broker did not take the tasks within 30 s")

    def _write(self, topic: str, sizing: Sizing, key: bytes, value: bytes, by: bytes) -> None:
        partition = identity.partition(by, self._profile.partitions(sizing))
        self._producer.produce(self._prefix + topic, value, key, partition)


def stock(tenant: str, sku: str, location: str) -> GoldenKey:
    """The stock level of a SKU at a place."""
    return GoldenKey(tenant, EntityType.INVENTORY_LEVEL, identity.composite(sku, location))


def price(tenant: str, sku: str, currency: str = "EUR") -> GoldenKey:
    """The default price of a SKU."""
    return GoldenKey(tenant, EntityType.PRICE, identity.composite(sku, "default", currency))


def _now() -> int:
    return time.time_ns() // 1000
