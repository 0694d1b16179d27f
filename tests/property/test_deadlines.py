"""Laws of deadlines: every row is told of once, when its newest time has come, and memory follows the rows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core.deadlines import Deadlines

ROWS = st.sampled_from("abcd")
STEPS = st.lists(st.tuples(ROWS, st.none() | st.integers(0, 50).map(float)), max_size=60)


@given(STEPS)
def test_a_row_is_told_of_once_when_its_newest_time_has_come(steps: list[tuple[str, float | None]]) -> None:
    deadlines, known = Deadlines(), dict[str, float]()
    for now, (row, at) in enumerate(steps):
        if at is None:
            deadlines.drop(row)
            known.pop(row, None)
        else:
            deadlines.put(row, at)
            known[row] = at
        due = {name for name, time in known.items() if time <= now}
        found = deadlines.passed(float(now))
        assert sorted(found) == sorted(due)
        known = {name: time for name, time in known.items() if name not in due}
        assert len(deadlines) == len(known)


def test_a_row_that_is_put_for_ever_takes_the_room_of_one() -> None:
    deadlines = Deadlines()
    for number in range(1_000):
        deadlines.put("a", 1e9 + number)
    assert len(deadlines) == 1
    assert len(deadlines._heap) < 100
    assert deadlines.passed(2e9) == ["a"]
