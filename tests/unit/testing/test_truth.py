"""What everybody should hold, worked out from what people did."""

from __future__ import annotations

from streams.testing import truth
from streams.testing.truth import Edit

SECOND = truth.SECOND
PRIORITY = {"shop": 10, "presta": 20}


def edit(
    account: str, at: float, value: str, *, actor: str = "admin", kind: str = truth.PRICE, sequence: int = 1
) -> Edit:
    return Edit(account, sequence, int(at * SECOND), actor, kind, "SKU-1", value, "", f"{account}|acme|k|{sequence}")


def test_the_last_writer_wins_by_whole_seconds_and_ties_go_to_the_lower_priority() -> None:
    later = [edit("shop", 1, "10"), edit("presta", 2, "11")]
    assert truth.lww_truth({}, later, truth.PRICE, PRIORITY) == {"SKU-1": "11"}
    tied = [edit("shop", 2.1, "10"), edit("presta", 2.9, "11")]
    assert truth.lww_truth({}, tied, truth.PRICE, PRIORITY) == {"SKU-1": "10"}


def test_within_one_second_of_one_shop_the_order_of_its_journal_decides() -> None:
    edits = [edit("shop", 2.1, "10", sequence=1), edit("shop", 2.2, "12", sequence=2)]
    assert truth.lww_truth({}, edits, truth.PRICE, PRIORITY) == {"SKU-1": "12"}


def test_our_own_writes_are_no_part_of_the_truth() -> None:
    edits = [edit("shop", 1, "10"), edit("shop", 2, "99", actor="api")]
    assert truth.lww_truth({}, edits, truth.PRICE, PRIORITY) == {"SKU-1": "10"}
    assert truth.owner_truth({"SKU-1": "3"}, [edit("presta", 1, "9", actor="api", kind=truth.STOCK)], truth.STOCK) == {
        "SKU-1": "3"
    }


def test_applied_versions_are_read_from_operation_ids_of_our_own_writes() -> None:
    edits = [edit("shop", 1, "10", actor="api", sequence=4), edit("shop", 1, "10", sequence=5)]
    assert truth.applied(edits) == [("shop", "price SKU-1", 4)]


def test_numbers_are_one_text_however_a_shop_writes_them() -> None:
    assert {truth.plain(value) for value in ("12.50", "12.5", 12.5, "12.500000")} == {"12.5"}
    assert truth.plain("-0.00") == "0"
