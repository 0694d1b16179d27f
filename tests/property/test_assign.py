"""Laws of the assignment of shards to members."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.assign import assign

members = st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=9, unique=True)
shards = st.sets(st.integers(0, 200), max_size=60)


def _owners(assignment: dict[str, list[int]]) -> dict[int, str]:
    return {number: name for name, numbers in assignment.items() for number in numbers}


@given(shards, members)
def test_every_shard_has_one_owner_and_loads_differ_by_at_most_one(numbers: set[int], names: list[str]) -> None:
    found = assign(numbers, names)
    assert sorted(n for owned in found.values() for n in owned) == sorted(numbers)
    loads = [len(owned) for owned in found.values()]
    assert found.keys() == set(names)
    assert max(loads) - min(loads) <= 1


@given(shards, members, st.randoms(use_true_random=False))
def test_the_order_and_repetition_of_members_and_shards_do_not_matter(
    numbers: set[int], names: list[str], chance: random.Random
) -> None:
    shuffled = [*names, *names[:2]]
    chance.shuffle(shuffled)
    listed = [*numbers, *list(numbers)[:3]]
    chance.shuffle(listed)
    assert assign(listed, shuffled) == assign(numbers, names)


def test_without_members_nothing_is_assigned() -> None:
    assert assign([1, 2], []) == {}


@given(shards, st.text(max_size=5))
def test_one_member_owns_everything(numbers: set[int], name: str) -> None:
    assert assign(numbers, [name]) == {name: sorted(numbers)}


@given(shards, st.text(min_size=1), st.text(min_size=1))
def test_of_two_members_the_one_that_stays_keeps_all_it_had(numbers: set[int], stays: str, leaves: str) -> None:
    before = assign(numbers, [stays, leaves])
    assert set(before[stays]) <= set(assign(numbers, [stays])[stays])


@pytest.mark.parametrize("count", [6, 12, 24])
@pytest.mark.parametrize("members", range(2, 7))
def test_a_scale_step_of_a_stateful_set_moves_little_beyond_what_it_must(count: int, members: int) -> None:
    names = [f"resolver-{n}" for n in range(members + 1)]
    before, after = _owners(assign(range(count), names[:-1])), _owners(assign(range(count), names))
    must = sum(owner == names[-1] for owner in after.values())
    moved = sum(before[number] != after[number] for number in before)
    assert moved <= must + count // 4


def test_on_average_a_leaving_member_moves_less_than_one_shard_in_ten_that_it_did_not_have() -> None:
    chance, beyond, total = random.Random(1), 0, 0
    for _ in range(300):
        names = [f"{chance.random()}" for _ in range(chance.randrange(2, 8))]
        before, after = _owners(assign(range(24), names)), _owners(assign(range(24), names[:-1]))
        beyond += sum(before[n] != after[n] for n in before if before[n] != names[-1])
        total += len(before)
    assert beyond / total < 0.1
