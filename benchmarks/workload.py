"""The W2 workload: canonical events with duplicates, displacement and bursts, and its truth.

As described in the peers' comparison: `events` logical changes over `keys` entities, about 545-byte values, 30 % of the
changes in bursts on one key, 20 % displaced by up to 50 positions, 10 % repeated within the next 2,000 events.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from confluent_kafka import Producer

from schemas import headers, identity
from schemas.entities import Channel, Completeness, EntityType, Op, Rank
from schemas.headers import Header, Version
from schemas.topics import INBOUND, Profile

TENANT, ACCOUNT = "bench", "shop"
BURST, DISPLACED, DUPLICATED = 0.3, 0.2, 0.1
DISPLACEMENT, REPEAT_WITHIN = 50, 2_000
VALUE_BYTES = 545
_EPOCH = 1_700_000_000_000_000


@dataclass(frozen=True, slots=True)
class Workload:
    """What was produced. `winners`: golden key -> highest sequence."""

    records: int
    unique: int
    winners: Mapping[bytes, int]


def produce(kafka: Mapping[str, Any], prefix: str, profile: Profile, events: int, keys: int, seed: int) -> Workload:
    """Write the workload to `inbound`; the same arguments write the same events."""
    rnd = random.Random(seed)
    names = [identity.join(TENANT, EntityType.INVENTORY_LEVEL.value, f"SKU{n}~MAIN") for n in range(keys)]
    places = [identity.golden_partition(name, profile.shard) for name in names]
    logical = list(changes(rnd, events, keys))
    producer = Producer(
        {**kafka, "linger.ms": 20, "compression.type": "lz4", "enable.idempotence": True,
         "queue.buffering.max.messages": 2_000_000, "queue.buffering.max.kbytes": 1_000_000}
    )  # fmt: skip
    account = identity.account_hash(TENANT, ACCOUNT)
    filler = rnd.randbytes(VALUE_BYTES // 2 - 7).hex().encode()
    records = 0
    for number in arrivals(rnd, events):
        key, sequence = logical[number]
        producer.produce(
            prefix + INBOUND, value(sequence, filler), names[key], places[key],
            headers=[(headers.NAME, header(number, key, sequence, account))],
        )  # fmt: skip
        records += 1
        if records % 5_000 == 0:
            producer.poll(0)
    producer.flush()
    winners: dict[bytes, int] = {}
    for key, sequence in logical:
        winners[names[key].encode()] = sequence
    return Workload(records, events, winners)


def changes(rnd: random.Random, events: int, keys: int) -> Iterator[tuple[int, int]]:
    """(key, sequence) of each logical change, in the order of the source."""
    sequences = [0] * keys
    key = 0
    for _ in range(events):
        if rnd.random() >= BURST:
            key = rnd.randrange(keys)
        sequences[key] += 1
        yield key, sequences[key]


def arrivals(rnd: random.Random, events: int) -> list[int]:
    """Numbers of changes in the order of arrival, repeats included."""
    order = sorted(
        range(events), key=lambda n: n + (rnd.randrange(DISPLACEMENT) + 0.5 if rnd.random() < DISPLACED else 0)
    )
    arrivals = [(float(at), number) for at, number in enumerate(order)]
    arrivals += [(at + rnd.randrange(1, REPEAT_WITHIN), number) for at, number in arrivals if rnd.random() < DUPLICATED]
    return [number for _, number in sorted(arrivals)]


def value(sequence: int, filler: bytes) -> bytes:
    """A value of this workload; `filler` is what it consists of otherwise."""
    return struct.pack(">bIQ", 0, 1, sequence) + filler


def sequence_of(value: bytes) -> int:
    """The sequence in a value of this workload."""
    return int(struct.unpack_from(">Q", value, 5)[0])


def header(number: int, key: int, sequence: int, account: bytes) -> bytes:
    """The packed header of change `number`: a version of entity `key`."""
    event_id = blake2b(b"%d/%d" % (key, sequence), digest_size=16).digest()
    clock = _EPOCH + number * 1_000
    version = Version(clock, Rank.PUSH, sequence, 1, event_id[:8])
    return Header(
        event_id, version, clock, account, time.time_ns() // 1_000,
        EntityType.INVENTORY_LEVEL, Op.UPSERT, Completeness.FULL, Channel.WEBHOOK,
    ).pack()  # fmt: skip
