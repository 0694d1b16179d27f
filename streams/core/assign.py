"""Which member works which shard: co-partitioned, balanced, and moving as little as it can. Pure.

A shard is one partition number of *all* topics of a role, so one member must own that number everywhere; neither
round-robin nor the sticky assignor promises it. Rendezvous hashing with a capacity does, without any memory: the same
members always get the same shards, a joining member takes only what it needs, a leaving one frees only what it had.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b


def assign(shards: Iterable[int], members: Iterable[str]) -> dict[str, list[int]]:
    """Shard numbers per member name; loads differ by at most one. Deterministic in the sets, not in their order."""
    names = sorted(set(members))
    numbers = sorted(set(shards))
    if not names:
        return {}
    least, extra = divmod(len(numbers), len(names))
    owned: dict[str, list[int]] = {name: [] for name in names}
    for number in _by_conviction(numbers, names):
        ranked = sorted(names, key=lambda name: _score(number, name), reverse=True)
        owner = next(name for name in ranked if _has_room(owned, name, least, extra))
        owned[owner].append(number)
    return {name: sorted(numbers) for name, numbers in owned.items()}


def _has_room(owned: dict[str, list[int]], name: str, least: int, extra: int) -> bool:
    load = len(owned[name])
    if load < least:
        return True
    above = sum(len(numbers) > least for numbers in owned.values())
    return load == least and above < extra


def _by_conviction(numbers: list[int], names: list[str]) -> list[int]:
    """Shards whose favourite is clearest choose first, so a full member turns away the shards that care least."""
    return sorted(numbers, key=lambda number: max(_score(number, name) for name in names), reverse=True)


def _score(number: int, name: str) -> bytes:
    return blake2b(f"{number}\0{name}".encode(), digest_size=8).digest()
