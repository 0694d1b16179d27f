"""The truth of a run with fake shops: what everybody should hold in the end, worked out from the shops' journals. Pure.

It is computed from what people did in the shops' admins and from the rules, never from what Sluice did.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

PRICE, STOCK = "price", "inventory_level"
KINDS = {PRICE, STOCK}
SECOND = 1_000_000  # vendors' times have this resolution, in microseconds


@dataclass(frozen=True, slots=True)
class Edit:
    """One accepted write at a shop. `at`: microseconds UTC; `actor`: admin (a person) or api (us)."""

    account: str
    sequence: int
    at: int
    actor: str
    kind: str
    sku: str
    value: str
    location: str
    request_id: str
    changed: bool = True


def edits(account: str, journal: Iterable[Mapping[str, Any]]) -> list[Edit]:
    """A shop's journal as edits, in the order the shop accepted them. Prices and stocks only."""
    return [
        Edit(
            account, int(e["sequence"]), int(e["at"]), str(e["actor"]), str(e["kind"]),
            str(e["sku"]), plain(e["value"]), str(e.get("location") or ""), str(e.get("request_id") or ""),
            bool(e.get("changed", True)),
        )
        for e in journal
        if e["kind"] in KINDS
    ]  # fmt: skip


def plain(value: object) -> str:
    """Numbers as one text however a shop writes them: 12.50 -> 12.5."""
    text = format(Decimal(str(value)).normalize(), "f")
    return "0" if text == "-0" else text


def owner_truth(start: Mapping[str, str], owner: Sequence[Edit], kind: str) -> dict[str, str]:
    """Owned by one account: what its people did last, else what it held at the start. By SKU."""
    truth = dict(start)
    for edit in owner:
        if edit.kind == kind and edit.actor == "admin":
            truth[edit.sku] = edit.value
    return truth


def lww_truth(
    start: Mapping[str, str], everybody: Iterable[Edit], kind: str, priority: Mapping[str, int]
) -> dict[str, str]:
    """Last writer wins over all accounts by vendor time (whole seconds), then account priority (lower wins), then the
    order within the account. By SKU."""
    best: dict[str, tuple[tuple[int, int, int], str]] = {}
    for edit in everybody:
        if edit.kind != kind or edit.actor != "admin" or not edit.changed:
            continue
        strength = (edit.at // SECOND, -priority[edit.account], edit.sequence)
        if edit.sku not in best or strength > best[edit.sku][0]:
            best[edit.sku] = (strength, edit.value)
    return {**start, **{sku: value for sku, (_, value) in best.items()}}


def applied(all_edits: Iterable[Edit]) -> list[tuple[str, str, int]]:
    """(account, kind and SKU, golden version) of our own writes in the order the shops accepted them; the version is
    the last part of the operation id."""
    found = []
    for edit in all_edits:
        version = edit.request_id.rsplit("|", 1)[-1]
        if edit.actor == "api" and version.isdecimal():
            found.append((edit.account, f"{edit.kind} {edit.sku}", int(version)))
    return found
