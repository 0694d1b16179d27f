"""What is said of the second half of a backlog."""

from __future__ import annotations

from benchmarks.backlog import second_half


def test_the_second_half_counts_from_the_look_behind_the_half_to_the_end() -> None:
    assert second_half([(0.0, 1.0, 10), (5.0, 3.0, 500_010), (9.0, 4.0, 1_000_010)]) == 2.0


def test_a_half_that_nobody_saw_is_not_told_as_nothing() -> None:
    assert second_half([(0.0, 1.0, 10), (9.0, 4.0, 1_000_010)]) is None
    assert second_half([(9.0, 4.0, 1_000_010)]) is None
