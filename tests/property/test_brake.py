"""Laws of the brake: it trips for a flood and for nothing else, says so once, lets go, and keeps sources apart."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from streams.core.brake import Brake, Limits, Turn

LIMITS = Limits(share=0.5, least=10, window=60.0)


@dataclass(frozen=True)
class Batch:
    """Some records of a source after a pause."""

    source: str
    received: int
    dead: int
    pause: float


@st.composite
def batches(draw: st.DrawFn, worst: float = 1.0) -> list[Batch]:
    made = []
    for _ in range(draw(st.integers(1, 40))):
        received = draw(st.integers(1, 30))
        dead = draw(st.integers(0, int(received * worst)))
        made.append(Batch(draw(st.sampled_from("ab")), received, dead, draw(st.sampled_from([0.0, 5.0, 31.0, 150.0]))))
    return made


def turns(brake: Brake, said: list[Batch]) -> list[tuple[str, Turn]]:
    """What changed, in order."""
    now, found = 0.0, []
    for batch in said:
        now += batch.pause
        turn = brake.count(batch.source, batch.received, batch.dead, now)
        if turn is not None:
            found.append((batch.source, turn))
    return found


@given(batches())
def test_tripped_and_released_take_turns_and_what_is_braked_is_what_was_said_last(said: list[Batch]) -> None:
    brake = Brake(LIMITS)
    found = turns(brake, said)
    for source in "ab":
        mine = [turn for name, turn in found if name == source]
        assert mine[:1] in ([], [Turn.TRIPPED])
        assert all(one is not other for one, other in pairwise(mine))
        assert (source in brake.braked) == (mine[-1:] == [Turn.TRIPPED])


@given(batches(worst=0.5))
def test_a_source_of_which_no_more_than_the_share_is_ever_dead_is_never_braked(said: list[Batch]) -> None:
    assert turns(Brake(LIMITS), said) == []


@given(batches())
def test_a_source_is_judged_as_if_it_were_alone(said: list[Batch]) -> None:
    together = [turn for source, turn in turns(Brake(LIMITS), said) if source == "a"]
    now, alone = 0.0, []
    for batch in said:
        now += batch.pause
        if batch.source == "a":
            alone.append(Batch("a", batch.received, batch.dead, now))
    brake, found = Brake(LIMITS), []
    for batch in alone:
        turn = brake.count("a", batch.received, batch.dead, batch.pause)
        found += [turn] if turn else []
    assert together == found


@given(st.integers(10, 500), st.integers(1, 50))
def test_a_flood_trips_the_brake_exactly_once_however_long_it_lasts(records: int, rounds: int) -> None:
    brake = Brake(LIMITS)
    found = [brake.count("a", records, records, n * 20.0) for n in range(rounds)]
    assert found == [Turn.TRIPPED] + [None] * (rounds - 1)


@given(batches(), st.floats(0, 1_000))
def test_a_silent_source_is_released_and_forgotten(said: list[Batch], later: float) -> None:
    brake = Brake(LIMITS)
    turns(brake, said)
    braked, end = brake.braked, sum(batch.pause for batch in said)
    assert set(brake.advance(end + 2 * LIMITS.window + later)) == braked
    assert len(brake) == 0


@given(st.lists(st.floats(0, 200), max_size=50))
def test_details_are_told_once_per_window_at_most_and_always_of_the_first(pauses: list[float]) -> None:
    brake, now, told = Brake(LIMITS), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if brake.tells("a", now):
            told.append(now)
        assert told
    assert all(later - sooner >= LIMITS.window for sooner, later in pairwise(told))


def test_a_few_bad_records_are_no_flood() -> None:
    brake = Brake(LIMITS)
    assert brake.count("a", 9, 9, 0.0) is None
    assert brake.count("a", 1, 0, 1.0) is Turn.TRIPPED, "nine of ten"
    assert brake.count("a", 100, 0, 61.0) is None, "the window that is over was a bad one"
    assert brake.count("a", 1, 0, 122.0) is Turn.RELEASED
