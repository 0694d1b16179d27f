"""What is to be delivered: one stock level per SKU and never the same twice, as push tasks of a resolver."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from benchmarks.delivery.shops import TENANT, Shop
from connectors.kit.contract import Account, Write
from schemas import identity, topics
from schemas.codec import Codec
from schemas.entities import EntityType, Lane
from schemas.identity import GoldenKey, SourceKey
from schemas.registry import MemorySchemas
from streams.core.desired import Origin
from streams.courier.wanted import as_write, from_push, links
from streams.runtime.links import StoredLink
from streams.runtime.xref import MemoryXref
from streams.testing import plain

FIRST = 1000  # units of the first write; every further one sets one more, so each changes something
CODEC = Codec(MemorySchemas())


@dataclass(frozen=True, slots=True)
class Piece:
    """One write. `op_id`: what the shop's journal names it by; `units`: what it sets."""

    sku: str
    task: bytes
    lane: Lane
    op_id: str
    units: int


class Work:
    """The writes of one shop, SKU after SKU."""

    def __init__(self, shop: Shop) -> None:
        self.xref = MemoryXref()
        self._account, self._kind = shop.account, shop.kind
        self._skus = iter(enumerate(shop.variants))
        for sku, variant in shop.variants.items():
            aliases = {name: str(variant[name]) for name in ("product_id", "inventory_item_id") if name in variant}
            source = SourceKey(TENANT, EntityType.VARIANT, shop.account.id, str(variant["id"]))
            self.xref.add(source, StoredLink(str(GoldenKey(TENANT, EntityType.VARIANT, sku)), aliases))

    def next(self, lane: Lane) -> Piece:
        """The next write. Raises StopIteration when every SKU had its own."""
        number, sku = next(self._skus)
        golden = identity.extend(sku, self._kind.location)
        task = _task(self._account, golden, sku, self._kind.location, FIRST + number, lane)
        wanted = from_push(CODEC, task, _nowhere(self._account), bulk=False)
        return Piece(sku, task, lane, wanted.op_id, FIRST + number)

    def many(self, lane: Lane, count: int) -> Iterator[Piece]:
        """The next ones."""
        return (self.next(lane) for _ in range(count))

    def write(self, piece: Piece) -> Write:
        """What a destination is asked for; the same for everybody."""
        wanted = from_push(CODEC, piece.task, _nowhere(self._account), bulk=False)
        return as_write(CODEC, wanted, links(self.xref, wanted))


def _nowhere(account: Account) -> Origin:
    return Origin(topics.push(account.platform), 0, 0)


def _task(account: Account, golden: str, sku: str, location: str, units: int, lane: Lane) -> bytes:
    fields = {"sku": sku, "location": location, "available": Decimal(units)}
    said = plain.Said(account, EntityType.INVENTORY_LEVEL, golden, fields, 1, 1, 1, f"d-{sku}")
    key, record, _ = plain.event(CODEC, said)
    values: dict[str, Any] = {
        "tenant": account.tenant, "account": account.id, "platform": account.platform, "type": "inventory_level",
        "golden_key": key.decode(), "golden_version": 1, "kind": "set", "op": "upsert", "flow": "stock",
        "fields": ["available"], "lane": lane.value, "fingerprint": bytes(8), "record": record, "operation_id": None,
        "wanted_at": 1, "origin_at": 1,
    }  # fmt: skip
    return CODEC.encode("push_task", values)
