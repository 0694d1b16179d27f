"""What W3 says of a shop's numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmarks.delivery.figures import Offered, Quota, available, faults, figures
from benchmarks.delivery.shops import KINDS, Reading
from benchmarks.delivery.work import Piece
from benchmarks.w3 import missed, table
from schemas.entities import Lane

SHOPIFY, PRESTASHOP = KINDS
BEFORE = Reading(accepted=10, refused=1, spent=100.0, level=60.0, refill=600.0)
AFTER = Reading(accepted=110, refused=26, spent=1090.0, level=5.0, refill=1640.0)


def offered(*lanes: Lane) -> dict[str, Offered]:
    pieces = [Piece(f"SKU-{number}", b"", lane, f"op-{number}", 1000 + number) for number, lane in enumerate(lanes)]
    return {piece.op_id: Offered(piece, 1_000_000) for piece in pieces}


def accepted(number: int, after_ms: float, **changes: Any) -> dict[str, Any]:
    entry = {"request_id": f"op-{number}", "sku": f"SKU-{number}", "value": str(1000 + number), "changed": True}
    return {**entry, "at": 1_000_000 + round(after_ms * 1000), **changes}


def test_a_shop_that_counts_its_refill_is_asked_for_it() -> None:
    assert available(SHOPIFY, BEFORE, AFTER, [], 24.0) == 60.0 + 1040.0


def test_else_the_refill_is_told_from_what_was_set_when() -> None:
    quotas = [Quota(0.0, 50.0, 0.0), Quota(8.0, 50.0, 25.0), Quota(16.0, 10.0, 0.0)]
    before, after = replace(BEFORE, refill=None), replace(AFTER, refill=None)
    assert available(PRESTASHOP, before, after, quotas, 24.0) == 60.0 + 400.0 + 200.0 + 80.0


def test_utilisation_refusals_and_waste_are_shares_of_what_was_done_in_the_cell() -> None:
    work = offered(Lane.HIGH, Lane.BULK, Lane.BULK)
    journal = [accepted(0, 40.0), accepted(1, 900.0), accepted(2, 1000.0, changed=False)]
    one = figures(BEFORE, AFTER, 1100.0, work, journal)
    assert one["utilisation"] == 0.9
    assert (one["calls"], one["refusals"], one["refused"]) == (125, 25, 0.2)
    assert one["waste"] == pytest.approx(26 / 125)
    assert (one["high_p99_ms"], one["bulk_p99_ms"], one["high_writes"], one["bulk_writes"]) == (40.0, 1000.0, 1, 2)


def test_urgent_writes_that_were_never_accepted_are_told() -> None:
    one = figures(BEFORE, AFTER, 1100.0, offered(Lane.HIGH, Lane.HIGH), [accepted(0, 40.0)])
    assert one["high_left"] == 1


@pytest.mark.parametrize(
    ("entry", "fault"),
    [
        (accepted(7, 1.0), "a write of SKU-7 that nobody asked for"),
        (accepted(0, 1.0, value="3"), "SKU-0 was set to 3 instead of 1000"),
        (accepted(0, 1.0, sku="SKU-1"), "SKU-1 was set to 1000 instead of 1000"),
    ],
)
def test_a_write_that_was_not_asked_for_like_this_is_a_fault(entry: dict[str, Any], fault: str) -> None:
    assert faults(offered(Lane.BULK), [entry]) == [fault]


def test_a_write_that_was_carried_out_twice_is_a_fault() -> None:
    assert faults(offered(Lane.BULK), [accepted(0, 1.0), accepted(0, 2.0)]) == ["SKU-0 was written twice"]
    assert faults(offered(Lane.BULK), [accepted(0, 1.0)]) == []


def cell(contender: str, **changes: float) -> dict[str, Any]:
    one = figures(BEFORE, AFTER, 1000.0, offered(Lane.HIGH), [accepted(0, 40.0)]) | {"refused": 0.0, "waste": 0.0}
    shops = {kind.platform: {**one, **changes} for kind in KINDS}
    return {"contender": contender, "scenario": "steady", "shops": shops, "cpu_ms_per_call": 1.5}


def test_targets_are_sluices_and_each_that_is_missed_is_named() -> None:
    assert missed([cell("sluice"), cell("limits", utilisation=0.2)]) == []
    assert missed([cell("sluice", utilisation=0.97)]) == [
        "steady, shopify: utilisation 0.97", "steady, prestashop: utilisation 0.97",
    ]  # fmt: skip
    assert missed([cell("sluice", refused=0.001)])[0] == "steady, shopify: refused 0.001"


def test_the_table_has_a_line_for_every_cell_and_shop() -> None:
    lines = table([cell("sluice"), cell("limits")]).splitlines()
    assert len(lines) == 2 + 4
    assert lines[2].startswith("| steady | shopify | sluice | 99.0% | 0.00% | 0.00% | 40 ms | 40 ms | - | 1 |")
