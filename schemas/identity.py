"""Keys, ids and the one partition function. Pure.

A key is parts joined by `|`, each percent-encoded, so any vendor id can be a part and a key splits without ambiguity.
The partition is Kafka's murmur2 of the *aggregate root*, a function of the key alone: librdkafka's default hash puts
most keys elsewhere than a Java producer would, so every producer of ours passes the number this module computes.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from urllib.parse import quote, unquote

from schemas.entities import EntityType

SEPARATOR = "|"
COMPONENT = "~"  # joins the components of a composite id before it is encoded; roots are the first component
_SAFE = "~.:@+-_ "
_plain = re.compile(r"[A-Za-z0-9~.:@+\-_ ]*").fullmatch  # most parts: looking at them is a quarter of quoting them


class InvalidKey(ValueError):
    """A key that does not have the shape its kind promises."""


def join(*parts: str) -> str:
    """Percent-encode each part and join them. Raises InvalidKey for an empty part or one that is not Unicode text."""
    for part in parts:
        if not part:
            raise InvalidKey(f"a key has an empty part: {parts!r}")
    try:
        return SEPARATOR.join([part if _plain(part) else quote(part, safe=_SAFE) for part in parts])
    except UnicodeEncodeError as error:
        raise InvalidKey(f"a key part holds half a surrogate pair: {parts!r}") from error


def split(key: str) -> tuple[str, ...]:
    """The decoded parts of a key. Raises InvalidKey for an empty part or one that is not UTF-8."""
    try:
        parts = tuple([unquote(part, errors="strict") if "%" in part else part for part in key.split(SEPARATOR)])
    except UnicodeDecodeError as error:
        raise InvalidKey(f"a key part is not UTF-8: {key!r}") from error
    if not all(parts):
        raise InvalidKey(f"a key has an empty part: {key!r}")
    return parts


@dataclass(frozen=True, slots=True)
class SourceKey:
    """tenant|type|account|remote id: one record as one system knows it."""

    tenant: str
    type: EntityType
    account: str
    remote_id: str

    def __str__(self) -> str:
        return join(self.tenant, self.type, self.account, self.remote_id)

    @classmethod
    def parse(cls, key: str) -> SourceKey:
        """Raises InvalidKey when the text is not a source key."""
        parts = split(key)
        if len(parts) != 4:
            raise InvalidKey(f"a source key has four parts, this has {len(parts)}: {key!r}")
        return cls(parts[0], _entity_type(parts[1], key), parts[2], parts[3])


@dataclass(frozen=True, slots=True)
class GoldenKey:
    """tenant|type|golden id: one entity, whichever systems know it. The Kafka key of everything after the mapper."""

    tenant: str
    type: EntityType
    golden_id: str

    def __str__(self) -> str:
        return join(self.tenant, self.type, self.golden_id)

    @classmethod
    def parse(cls, key: str) -> GoldenKey:
        """Raises InvalidKey when the text is not a golden key."""
        parts = split(key)
        if len(parts) != 3:
            raise InvalidKey(f"a golden key has three parts, this has {len(parts)}: {key!r}")
        return cls(parts[0], _entity_type(parts[1], key), parts[2])

    @property
    def root(self) -> str:
        """The aggregate root: what is ordered together shares it (a SKU's price and stock, an order's refunds)."""
        return join(self.tenant, self.golden_id.split(COMPONENT, 1)[0])


def _entity_type(text: str, key: str) -> EntityType:
    try:
        return EntityType(text)
    except ValueError:
        raise InvalidKey(f"unknown entity type {text!r} in key {key!r}") from None


def normalise_sku(sku: str) -> str:
    """The form in which SKUs of two platforms meet: white space and invisible characters removed, upper case, NFC.

    Raises InvalidKey for a SKU without a visible character.
    """
    visible = "".join(char for char in sku if not (char.isspace() or unicodedata.category(char) in ("Cc", "Cf")))
    normal = unicodedata.normalize("NFC", visible.upper()).replace(COMPONENT, "-")
    if not normal:
        raise InvalidKey("a SKU without a visible character cannot link anything")
    return normal


def composite(*components: str) -> str:
    """A golden id of several components; the first is the aggregate root (a tilde inside one is encoded).

    Raises InvalidKey when the first is missing or empty: nothing would say where the entity belongs.
    """
    if not components or not components[0]:
        raise InvalidKey(f"a golden id needs a first component, its aggregate root: {components!r}")
    return COMPONENT.join(component.replace("%", "%25").replace(COMPONENT, "%7E") for component in components)


def extend(golden_id: str, *components: str) -> str:
    """A golden id with further components behind it; what it is made of already is not encoded again."""
    return COMPONENT.join((golden_id, *(composite(component) for component in components)))


def event_id(tenant: str, account: str, ce_id: str, mapping_revision: int) -> bytes:
    """16 bytes that name one canonical event; a remap carries a new mapping revision and so a new id."""
    text = "\0".join((tenant, account, ce_id, str(mapping_revision)))
    return blake2b(text.encode(), digest_size=16).digest()


@lru_cache(maxsize=4096)
def account_hash(tenant: str, account: str) -> bytes:
    """8 bytes that stand for an account in packed headers and rows."""
    return blake2b(f"{tenant}\0{account}".encode(), digest_size=8).digest()


def fingerprint(canonical: bytes) -> bytes:
    """8 bytes of content: equal when two accounts hold the same business values."""
    return blake2b(canonical, digest_size=8).digest()


def partition(key: bytes, count: int) -> int:
    """The partition Kafka's Java default partitioner gives to `key`.

    Source: org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey (Kafka 4.3).
    """
    return (murmur2(key) & 0x7FFFFFFF) % count


@lru_cache(maxsize=65536)
def golden_partition(golden_key: str, count: int) -> int:
    """The partition of everything that belongs to this golden key's aggregate root."""
    return partition(GoldenKey.parse(golden_key).root.encode(), count)


def account_partition(tenant: str, account: str, count: int) -> int:
    """The partition of all work for one account: its buckets have one owner."""
    return partition(join(tenant, account).encode(), count)


def murmur2(data: bytes) -> int:
    """Kafka's 32-bit murmur2 (seed 0x9747b28c), as an unsigned int.

    Source: org.apache.kafka.common.utils.Utils.murmur2 (Kafka 4.3).
    """
    length = len(data)
    mask = 0xFFFFFFFF
    multiplier = 0x5BD1E995
    h = 0x9747B28C ^ length
    tail = length & ~3
    for at in range(0, tail, 4):
        k = int.from_bytes(data[at : at + 4], "little")
        k = (k * multiplier) & mask
        k ^= k >> 24
        k = (k * multiplier) & mask
        h = ((h * multiplier) & mask) ^ k
    if tail < length:
        h ^= int.from_bytes(data[tail:], "little")
        h = (h * multiplier) & mask
    h ^= h >> 13
    h = (h * multiplier) & mask
    return h ^ (h >> 15)
