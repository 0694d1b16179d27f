"""Laws of the oversell guard's sums."""

from __future__ import annotations

import random
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from streams.core.stock import Guard, Reservation, sellable, still_needed, unknown_to, unpack, with_one

GUARD = Guard(learns_within=2.0)
reservations = st.lists(
    st.builds(
        Reservation,
        st.integers(1, 5).map(lambda n: n.to_bytes(8, "big")),
        st.sampled_from([b"A" * 8, b"B" * 8]),
        st.integers(0, 9).map(lambda n: n * 1_000_000),
        st.integers(0, 9).map(lambda n: n * 1_000_000),
        st.integers(0, 30).map(lambda n: n * 1_000_000),
    ),
    max_size=12,
)
units = st.decimals(0, 100, places=2)


def row_of(said: list[Reservation]) -> bytes:
    row = b""
    for one in said:
        row = with_one(row, one)
    return row


@given(reservations)
def test_a_row_holds_the_last_word_on_every_open_reservation_and_no_closed_one(said: list[Reservation]) -> None:
    last = {one.id: one for one in said}
    assert unpack(row_of(said)) == [last[name] for name in sorted(last) if last[name].units > 0]


@given(reservations, st.randoms(use_true_random=False))
def test_the_order_of_different_reservations_does_not_matter(said: list[Reservation], rnd: random.Random) -> None:
    once = list({one.id: one for one in said}.values())
    shuffled = [*once]
    rnd.shuffle(shuffled)
    assert row_of(once) == row_of(shuffled)


@given(reservations, st.integers(0, 40))
def test_an_owner_read_later_knows_of_no_less(said: list[Reservation], at: int) -> None:
    known = unpack(row_of(said))
    earlier, later = (unknown_to(b"O" * 8, second * 1_000_000, known, GUARD) for second in (at, at + 1))
    assert earlier >= later >= 0
    assert unknown_to(b"O" * 8, 33_000_000, known, GUARD) == 0


@given(units, units, units)
def test_a_channel_is_never_told_more_than_there_is_nor_less_than_nothing(
    available: Decimal, taken: Decimal, kept: Decimal
) -> None:
    told = sellable(available, taken, kept)
    assert 0 <= told <= available
    assert told + taken + kept >= available


@given(reservations, st.integers(0, 40), st.integers(0, 40))
def test_what_is_forgotten_is_missed_by_no_later_figure(said: list[Reservation], at: int, later: int) -> None:
    known, then = unpack(row_of(said)), (at + later) * 1_000_000
    left = still_needed(known, at * 1_000_000, GUARD.learns_within)
    assert unknown_to(b"O" * 8, then, left, GUARD) == unknown_to(b"O" * 8, then, known, GUARD)
    assert all(one in left for one in known if one.open > 0)


@given(reservations, st.integers(0, 40))
def test_orders_placed_at_the_owner_are_in_its_figure(said: list[Reservation], at: int) -> None:
    known = [one for one in unpack(row_of(said)) if one.account == b"A" * 8]
    assert unknown_to(b"A" * 8, at * 1_000_000, known, GUARD) == 0
