"""What a pacer's snapshot says of each of its buckets. Pure."""

from __future__ import annotations

from collections.abc import Mapping

OWN = ""  # the account's own bucket
_SEPARATOR = "/"  # between the name of a further bucket and its number


def buckets(snapshot: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """The numbers of each bucket by its name, the account's own first. A pacer of several buckets says `name/number`
    of the further ones."""
    found: dict[str, dict[str, float]] = {OWN: {}}
    for key, value in snapshot.items():
        name, _, number = key.rpartition(_SEPARATOR)
        found.setdefault(name, {})[number] = value
    return found


def used_share(numbers: Mapping[str, float]) -> float | None:
    """Share of a quota per window that is used up; None while its level is unknown, and for a bucket that refills all
    the time."""
    limit = numbers.get("limit", 0.0)
    if not numbers.get("window") or limit <= 0.0 or numbers["level"] < 0.0:
        return None
    return min(1.0, max(0.0, 1.0 - numbers["level"] / limit))
