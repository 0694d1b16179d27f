"""When a shard commits."""

from __future__ import annotations

import pytest

from streams.shard.pace import FULL_BYTES, FULL_RECORDS, SHORTEST, CommitPace


def test_the_first_transaction_does_not_wait() -> None:
    assert CommitPace().wait(0.0, 1, 0, 0) == 0.0


def test_what_comes_after_a_silence_is_committed_at_once() -> None:
    pace = CommitPace()
    pace.committed(10.0, 2)
    assert pace.wait(10.0 + SHORTEST, 1, 0, 0) == 0.0


def test_small_transactions_keep_a_distance_too() -> None:
    pace = CommitPace()
    pace.committed(10.0, 2)
    assert pace.wait(10.0, 1, 0, 0) == pytest.approx(SHORTEST)


def test_a_busy_shard_waits_as_long_as_its_last_transaction_was_large_and_never_beyond_the_interval() -> None:
    pace = CommitPace(interval=0.2)
    pace.committed(10.0, 100)
    assert pace.wait(10.01, 1, 0, 0) == pytest.approx(0.09)
    pace.committed(20.0, 1_000_000)
    assert pace.wait(20.0, 1, 0, 0) == pytest.approx(0.2)
    assert pace.wait(21.0, 1, 0, 0) == 0.0


@pytest.mark.parametrize(("records", "size", "waiters"), [(FULL_RECORDS, 0, 0), (0, FULL_BYTES, 0), (0, 0, 1)])
def test_a_full_transaction_and_one_that_somebody_waits_for_go_at_once(records: int, size: int, waiters: int) -> None:
    pace = CommitPace()
    pace.committed(10.0, 8_000)
    assert pace.wait(10.0, records, size, waiters) == 0.0
