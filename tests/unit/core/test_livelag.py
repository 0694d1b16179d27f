"""When bulk work waits for live work that was not read yet."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.livelag import BEHIND, CAUGHT_UP, SILENCE, LiveLag


def test_it_falls_behind_above_one_mark_and_catches_up_below_another() -> None:
    lag = LiveLag()
    assert lag.read("push", BEHIND, 0.0)
    assert not lag.read("push", BEHIND + 1, 1.0)
    assert not lag.read("push", CAUGHT_UP + 1, 2.0)
    assert lag.read("push", CAUGHT_UP, 3.0)
    assert lag.read("push", BEHIND, 4.0)


def test_all_live_inputs_count_together() -> None:
    lag = LiveLag()
    assert lag.read("push", BEHIND, 0.0)
    assert not lag.read("fetch", 1, 0.0)
    assert lag.unread == BEHIND + 1


def test_what_nobody_can_read_holds_bulk_work_up_for_a_moment_only() -> None:
    lag = LiveLag()
    lag.read("push", BEHIND + 1, 10.0)
    assert not lag.passed(10.0 + SILENCE - 0.1)
    assert lag.passed(10.0 + SILENCE)
    assert lag.unread == 0


@given(st.lists(st.tuples(st.sampled_from(("push", "fetch")), st.integers(0, 3 * BEHIND)), min_size=1))
def test_it_never_says_otherwise_than_both_marks_do(batches: list[tuple[str, int]]) -> None:
    lag, unread = LiveLag(), dict[str, int]()
    for at, (topic, left) in enumerate(batches):
        unread[topic] = left
        caught_up = lag.read(topic, left, float(at))
        assert caught_up or sum(unread.values()) > CAUGHT_UP
        assert not caught_up or sum(unread.values()) <= BEHIND
