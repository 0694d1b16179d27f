"""Laws of the mass-delete brake."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.massdelete import Brake, Window, admit

gaps = st.lists(st.integers(0, 40), max_size=60)


def obeyed(all_gaps: list[int], brake: Brake) -> list[int]:
    """Times (microseconds) of the deletes that may be obeyed."""
    window, at, out = Window(), 1_000_000, []
    for gap in all_gaps:
        at += gap * 1_000_000
        window, admitted = admit(Window.unpack(window.pack()), at, brake)
        if admitted:
            out.append(at)
    return out


@given(gaps, st.integers(1, 5), st.integers(1, 60))
def test_no_window_obeys_more_than_twice_the_limit_and_none_that_begins_with_a_delete_more_than_it(
    all_gaps: list[int], most: int, within: int
) -> None:
    times = obeyed(all_gaps, Brake(most, within))
    for first in times:
        assert sum(first <= at < first + within * 1_000_000 for at in times) <= 2 * most
    assert not times or sum(at < times[0] + within * 1_000_000 for at in times) <= most


@given(gaps, st.integers(1, 5), st.integers(1, 60))
def test_a_source_within_its_limit_is_never_braked(all_gaps: list[int], most: int, within: int) -> None:
    slow = [within for _ in all_gaps]
    assert len(obeyed(slow, Brake(most, within))) == len(slow)
    assert len(obeyed(all_gaps, Brake(0, within))) == len(all_gaps)


def test_a_shard_gets_its_share_and_never_nothing() -> None:
    assert [Brake(1_000).share(shards).most for shards in (1, 10, 1_000)] == [1_000, 200, 10]
    assert Brake(3).share(24).most == 3
    assert Brake(0).share(24).most == 0
