"""The decision that all Python peers share."""

from __future__ import annotations

from benchmarks.peers.job import ID, KEPT, VERSION, decide


def header(number: int, version: int) -> bytes:
    return number.to_bytes(ID, "big") + version.to_bytes(VERSION, "big") + b"rest of the packed header"


def rows_after(*events: bytes) -> tuple[bytes | None, list[bool]]:
    row, outcomes = None, []
    for event in events:
        decision = decide(row, event)
        if decision is None:
            outcomes.append(False)
            continue
        row = decision[0]
        outcomes.append(decision[1])
    return row, outcomes


def test_the_highest_version_wins_whatever_the_order() -> None:
    row, outcomes = rows_after(header(1, 5), header(2, 9), header(3, 7))
    assert outcomes == [True, True, False]
    assert row is not None
    assert int.from_bytes(row[:VERSION], "big") == 9


def test_an_equal_version_does_not_win_again() -> None:
    assert rows_after(header(1, 5), header(2, 5))[1] == [True, False]


def test_a_repeated_event_is_no_decision() -> None:
    row, _ = rows_after(header(1, 5))
    assert decide(row, header(1, 5)) is None


def test_a_late_event_is_remembered_too() -> None:
    row, _ = rows_after(header(1, 5), header(2, 3))
    assert decide(row, header(2, 3)) is None


def test_a_row_holds_the_last_16_ids_and_forgets_the_17th() -> None:
    row, _ = rows_after(*(header(number, number) for number in range(1, 18)))
    assert row is not None
    assert len(row) == KEPT + ID
    assert decide(row, header(2, 2)) is None
    assert decide(row, header(1, 1)) is not None


def test_an_id_that_lies_across_two_others_is_not_known() -> None:
    row, _ = rows_after(header(1 << 64, 1), header(1, 2))
    across = row[VERSION + 8 : VERSION + 8 + ID] if row else b""
    assert decide(row, across + bytes(VERSION)) is not None
