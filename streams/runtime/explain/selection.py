"""Which entities are asked for: one golden key, or everything of a SKU. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from connectors.kit import golden
from schemas import identity
from schemas.entities import EntityType
from schemas.identity import COMPONENT, SEPARATOR, GoldenKey

OF_A_SKU = (EntityType.PRICE, EntityType.INVENTORY_LEVEL, EntityType.VARIANT, EntityType.PRODUCT)
_COMPOSITE = (EntityType.PRICE, EntityType.INVENTORY_LEVEL)


@dataclass(frozen=True, slots=True)
class Selection:
    """`keys`: golden keys that match as they stand; `prefixes`: what others begin with; `roots`: the aggregate roots
    of all of them, which say where they are."""

    text: str
    tenants: tuple[str, ...]
    types: tuple[EntityType, ...]
    keys: frozenset[str]
    prefixes: tuple[str, ...]
    roots: frozenset[str]

    def matches(self, golden_key: str) -> bool:
        """Whether this entity is asked for."""
        return golden_key in self.keys or golden_key.startswith(self.prefixes)

    def partitions(self, count: int) -> list[int]:
        """Where these entities stand in a topic of `count` partitions that is keyed by entity."""
        return sorted({identity.partition(root.encode(), count) for root in self.roots})


def select(text: str, tenants: Iterable[str]) -> Selection:
    """A golden key (`tenant|type|id`), or a SKU in any tenant. Raises InvalidKey for what is neither."""
    if SEPARATOR in text:
        key = GoldenKey.parse(text)
        return Selection(str(key), (key.tenant,), (key.type,), frozenset({str(key)}), (), frozenset({key.root}))
    return _of_sku(golden.variant(text), tuple(sorted(set(tenants))))


def _of_sku(first: str, tenants: tuple[str, ...]) -> Selection:
    """Variant and product are named by the SKU alone, price and stock by it and more; all share one root."""
    plain = [GoldenKey(tenant, kind, first) for tenant in tenants for kind in OF_A_SKU if kind not in _COMPOSITE]
    longer = [GoldenKey(tenant, kind, first + COMPONENT) for tenant in tenants for kind in _COMPOSITE]
    roots = frozenset(key.root for key in plain)
    return Selection(first, tenants, OF_A_SKU, frozenset(map(str, plain)), tuple(map(str, longer)), roots)
