"""Laws of holes: whatever was lost in one is read by a pass that began behind it, and no silence is missed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core import holes
from streams.core.holes import Hole, Silences

TIMES = st.floats(0, 4e9)


@given(ends=st.lists(TIMES, min_size=1), started_at=TIMES)
def test_a_pass_closes_joined_holes_only_when_it_closes_each_of_them(ends: list[float], started_at: float) -> None:
    held: Hole | None = None
    for end in ends:
        held = holes.joined(held, Hole(end, "asked"))
    assert held is not None
    assert held.closed_by(started_at) == all(started_at >= end for end in ends)


@given(started_at=TIMES, interval=st.floats(0, 1e6), ends_at=TIMES)
def test_a_hole_makes_the_next_pass_due_at_once(started_at: float, interval: float, ends_at: float) -> None:
    assert holes.due(started_at, interval, Hole(ends_at, "asked")) == 0.0
    assert holes.due(started_at, interval, None) == started_at + interval


@given(steps=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2_000)), max_size=60))
def test_a_silence_is_broken_by_the_push_behind_it_and_by_no_other(steps: list[tuple[str, int]]) -> None:
    silences, at, last = Silences(limit=900.0), 0, dict[str, int]()
    for account, seconds in steps:
        at += seconds
        broken = silences.broken(account, at * 1_000_000)
        assert broken == (account in last and at - last[account] > 900)
        last[account] = at


@given(times=st.lists(st.integers(0, 10**7), min_size=2))
def test_a_push_that_comes_late_ends_no_silence(times: list[int]) -> None:
    silences = Silences(limit=1.0)
    silences.broken("a", max(times) * 1_000_000)
    assert not any(silences.broken("a", at * 1_000_000) for at in times)
