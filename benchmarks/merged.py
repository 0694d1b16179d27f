"""The W2 workload of entities that are put together: products of two accounts with field groups, and their truth.

Bursts, displacement and repeats are those of `workload`; the account that says a change is drawn anew each time. The
texts of a product are owned by one account, everything else goes to the last writer.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import Producer

from benchmarks.workload import TENANT, arrivals, changes
from connectors.kit.contract import Account
from schemas import headers, identity
from schemas.codec import Codec
from schemas.entities import Channel, Completeness, EntityType, Op, Rank
from schemas.headers import Header, Version
from schemas.topics import INBOUND, Profile
from streams.testing import plain

KIND = EntityType.PRODUCT
OWNER, OTHER = Account(TENANT, "pim", "shopify", ""), Account(TENANT, "shop", "shopify", "")
ACCOUNTS = (OWNER, OTHER)
CONFIG = """
tenants:
  bench:
    accounts:
      pim: {platform: shopify, base_url: "http://127.0.0.1:1", priority: 10}
      shop: {platform: shopify, base_url: "http://127.0.0.1:1", priority: 20}
policies:
  revision: 1
  product:
    kind: lww
    groups:
      texts: {fields: [title, description_html], kind: owner, owners: [pim, shop]}
      labels: {fields: [tags], kind: lww}
ordering: {default: {mode: none}}
"""
_EPOCH = 1_700_000_000_000_000
_TEXT = 200  # characters of a description: values of about 545 bytes, as in W2a


@dataclass(slots=True)
class Truth:
    """What was produced. `records`: repeats included; `newest`: golden key -> account -> number of its last change."""

    records: int = 0
    newest: dict[str, dict[str, int]] = field(default_factory=dict)

    def expected(self, key: str) -> dict[str, Any]:
        """The fields of the golden record that tell who gave them."""
        said = self.newest[key]
        last = max(said.values())
        return {"title": text(said.get(OWNER.id, last)), "tags": [text(last)], "vendor": text(last)}


def text(number: int) -> str:
    """What change `number` says in a field."""
    return f"change {number}"


def produce(
    kafka: Mapping[str, Any], codec: Codec, prefix: str, profile: Profile, events: int, keys: int, seed: int
) -> Truth:
    """Write the workload to `inbound`; the same arguments write the same events."""
    rnd, truth = random.Random(seed), Truth()
    names = [identity.join(TENANT, KIND.value, f"P{number}") for number in range(keys)]
    places = [identity.golden_partition(name, profile.shard) for name in names]
    said = [(key, rnd.choice(ACCOUNTS)) for key, _ in changes(rnd, events, keys)]
    producer = Producer(
        {**kafka, "linger.ms": 20, "compression.type": "lz4", "enable.idempotence": True,
         "queue.buffering.max.messages": 2_000_000, "queue.buffering.max.kbytes": 1_000_000}
    )  # fmt: skip
    make = _Maker(codec, rnd)
    for number in arrivals(rnd, events):
        key, account = said[number]
        facts, value = make.record(number, names[key], account)
        producer.produce(prefix + INBOUND, value, names[key], places[key], headers=[(headers.NAME, facts)])
        truth.records += 1
        if truth.records % 5_000 == 0:
            producer.poll(0)
    producer.flush()
    for number, (key, account) in enumerate(said):
        truth.newest.setdefault(names[key], {})[account.id] = number
    return truth


class _Maker:
    """Records from a template per account: only what tells changes apart is set anew."""

    def __init__(self, codec: Codec, rnd: random.Random) -> None:
        self._codec = codec
        self._filler = rnd.randbytes(_TEXT // 2).hex()
        self._templates = dict(self._made())

    def _made(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for account in ACCOUNTS:
            fields = {"title": "", "description_html": self._filler, "status": "ACTIVE", "tags": [], "vendor": ""}
            said = plain.Said(account, KIND, "P", fields, _EPOCH, _EPOCH, _EPOCH, "template")
            yield account.id, dict(self._codec.decode(plain.event(self._codec, said)[1]))

    def record(self, number: int, key: str, account: Account) -> tuple[bytes, bytes]:
        """Packed header and value of change `number`."""
        clock = _EPOCH + number * 1_000
        content = identity.fingerprint(b"%d" % number)
        version = Version(clock, Rank.PUSH, 0, 1, content)
        facts = Header(
            content * 2, version, clock, identity.account_hash(TENANT, account.id), clock, KIND, Op.UPSERT,
            Completeness.FULL, Channel.WEBHOOK,
        ).pack()  # fmt: skip
        record = self._templates[account.id]
        record["meta"] |= {"event_id": content * 2, "golden_key": key, "source_time": _time(clock)}
        record["meta"]["version"] |= {"clock": clock, "fingerprint": content}
        record["title"] = record["vendor"] = text(number)
        record["tags"] = [text(number)]
        return facts, self._codec.encode(KIND.value, record)


def _time(micros: int) -> datetime:
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=micros)
