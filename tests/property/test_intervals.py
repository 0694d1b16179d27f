"""Laws of poll intervals: within their bounds, shorter with more changes, longer with less quota."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.intervals import HALF_LIFE, Bounds, HintRate, following

BOUNDS = st.tuples(st.floats(0.1, 1e5), st.floats(1, 1e3)).map(lambda pair: Bounds(pair[0], pair[0] * pair[1]))
CHANGES = st.integers(0, 100_000)
HINTS = st.floats(0, 1e4)
LEFT = st.floats(0, 1)


def at(bounds: Bounds, place: float) -> float:
    """An interval within the bounds."""
    return bounds.clamp(bounds.shortest + place * (bounds.longest - bounds.shortest))


@given(bounds=BOUNDS, current=st.floats(0.001, 1e9), changes=CHANGES, hints=HINTS, left=LEFT)
def test_an_interval_is_always_within_its_bounds(
    bounds: Bounds, current: float, changes: int, hints: float, left: float
) -> None:
    found = following(current, bounds, changes=changes, hints=hints, quota_left=left)
    assert bounds.shortest <= found <= bounds.longest


@given(bounds=BOUNDS, place=LEFT, changes=CHANGES, more=CHANGES, hints=HINTS, further=HINTS, left=LEFT)
def test_more_changes_or_hints_never_make_it_longer(
    bounds: Bounds, place: float, changes: int, more: int, hints: float, further: float, left: float
) -> None:
    current = at(bounds, place)
    found = following(current, bounds, changes=changes, hints=hints, quota_left=left)
    assert following(current, bounds, changes=changes + more, hints=hints, quota_left=left) <= found
    assert following(current, bounds, changes=changes, hints=hints + further, quota_left=left) <= found


@given(bounds=BOUNDS, place=LEFT, changes=CHANGES, hints=HINTS, lefts=st.tuples(LEFT, LEFT))
def test_less_quota_never_makes_it_shorter(
    bounds: Bounds, place: float, changes: int, hints: float, lefts: tuple[float, float]
) -> None:
    less, more = sorted(lefts)
    current = at(bounds, place)
    short_of = following(current, bounds, changes=changes, hints=hints, quota_left=less)
    assert short_of >= following(current, bounds, changes=changes, hints=hints, quota_left=more)


@given(bounds=BOUNDS, place=LEFT)
def test_a_resource_in_which_nothing_changes_ends_at_its_longest_interval(bounds: Bounds, place: float) -> None:
    current = at(bounds, place)
    for _ in range(20):
        current = following(current, bounds, changes=0, hints=0.0, quota_left=1.0)
    assert current == bounds.longest


@given(bounds=BOUNDS, place=LEFT, changes=st.integers(20, 10_000))
def test_a_resource_in_which_much_changes_ends_at_its_shortest_interval(
    bounds: Bounds, place: float, changes: int
) -> None:
    current = at(bounds, place)
    for _ in range(10):
        current = following(current, bounds, changes=changes, hints=0.0, quota_left=1.0)
    assert current == bounds.shortest


@given(per_second=st.floats(0.01, 5), times=st.integers(10, 20))
def test_the_rate_of_steady_hints_is_found_out(per_second: float, times: int) -> None:
    rate, now = HintRate(), 1e9
    end = now + times * HALF_LIFE
    while now < end:
        rate.hint(now)
        now += max(1 / per_second, 1.0)
    assert rate.per_second(now) == pytest.approx(min(per_second, 1.0), rel=0.3)


@given(now=st.floats(0, 1e9), later=st.floats(0, 1e9))
def test_the_rate_of_hints_only_falls_while_none_comes(now: float, later: float) -> None:
    rate = HintRate()
    rate.hint(now)
    assert 0 <= rate.per_second(now + later) <= rate.per_second(now) <= 1


def test_bounds_that_contradict_are_refused() -> None:
    for shortest, longest in ((0.0, 1.0), (2.0, 1.0)):
        with pytest.raises(ValueError, match="intervals"):
            Bounds(shortest, longest)
