"""Laws of tokens: renewed inside their life, given up when refused, and never asked for in a loop."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.core import tokens
from streams.core.tokens import Held

TIMES = st.floats(0, 4e9)
LIVES = st.floats(1, 1e7)


@given(asked_at=TIMES, lives_for=LIVES)
def test_a_token_is_renewed_within_the_second_half_of_its_life(asked_at: float, lives_for: float) -> None:
    held = tokens.acquired(asked_at, lives_for)
    half = asked_at + lives_for / 2 - 1e-6  # what a time of today is rounded to
    assert half <= held.renew_at <= held.ends_at == asked_at + lives_for


@given(asked_at=TIMES, lives_for=st.floats(1200, 1e7))
def test_a_long_life_leaves_a_tenth_of_it_for_the_renewal(asked_at: float, lives_for: float) -> None:
    held = tokens.acquired(asked_at, lives_for)
    assert abs((held.ends_at - held.renew_at) - 0.1 * lives_for) < 1


STEPS = st.lists(st.sampled_from(["acquired", "accepted", "refused", "failed"]), max_size=40)


@given(steps=STEPS)
def test_between_two_hopeful_refusals_something_was_answered(steps: list[str]) -> None:
    held, now, answered = Held(), 0.0, False
    for step in steps:
        now += 1
        if step == "acquired":
            held, answered = tokens.acquired(now, 100.0), False
        elif step == "accepted" and held.good(now):
            held, answered = tokens.accepted(held), True
        elif step == "failed":
            held = tokens.failed(held, now + 5)
            assert held.renew_at >= now + 5
        elif step == "refused" and held.good(now):
            held, hopeful = tokens.refused(held)
            assert hopeful == answered
            assert not held.good(now)


@given(now=TIMES)
def test_nothing_is_good_before_a_token_has_come(now: float) -> None:
    assert not Held().good(now)
