"""Laws of the schedule: nothing is lost, repeated, early or starved, whatever is put and taken."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from schemas.entities import Lane
from streams.core.lanes import FLOORS
from streams.core.schedule import Item, Schedule

ITEMS = st.builds(
    Item,
    key=st.integers(0, 30).map(str),
    lane=st.sampled_from(list(Lane)),
    share=st.sampled_from(["a", "b", "c"]),
    cost=st.sampled_from([0.5, 1.0, 10.0, 1000.0]),
    due=st.floats(0, 100),
)
STEPS = st.lists(st.one_of(ITEMS, st.integers(0, 30).map(str), st.just(None)), max_size=80)


@given(STEPS)
def test_work_is_taken_once_and_never_early(steps: list[Item | str | None]) -> None:
    schedule, waiting, now = Schedule(), dict[str, Item](), 0.0
    for step in steps:
        now += 1.0
        if isinstance(step, Item):
            schedule.put(step)
            waiting[step.key] = step
        elif isinstance(step, str):
            schedule.remove(step)
            waiting.pop(step, None)
        elif (taken := schedule.take(now)) is not None:
            assert taken.due <= now
            assert waiting.pop(taken.key).lane == taken.lane
        else:
            assert all(item.due > now for item in waiting.values())
    left = set()
    while (item := schedule.take(1000.0)) is not None:
        left.add(item.key)
    assert left == set(waiting)
    assert (len(schedule), schedule.next_due()) == (0, None)


@given(
    st.dictionaries(st.sampled_from(list(Lane)), st.sampled_from([1.0, 3.0, 10.0]), min_size=1),
    st.integers(200, 600),
)
def test_a_lane_with_a_backlog_gets_its_floor(costs: dict[Lane, float], rounds: int) -> None:
    schedule, served = Schedule(), Counter[Lane]()
    for lane, cost in costs.items():
        for number in range(rounds):
            schedule.put(Item(f"{lane}{number}", lane, "a", cost))
    for _ in range(rounds):
        item = schedule.take(0.0)
        assert item is not None
        served[item.lane] += item.cost  # type: ignore[assignment]
    total = sum(served.values())
    for lane in costs.keys() & FLOORS.keys():
        assert served[lane] >= FLOORS[lane] * total - 2 * max(costs.values())


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([1.0, 2.0, 7.0, 10.0]), min_size=2))
def test_shares_of_a_lane_differ_by_no_more_than_two_of_the_dearest(costs: dict[str, float]) -> None:
    schedule, served = Schedule(), Counter[str]()
    for share, cost in costs.items():
        for number in range(300):
            schedule.put(Item(f"{share}{number}", Lane.NORMAL, share, cost))
    for _ in range(150):
        item = schedule.take(0.0)
        assert item is not None
        served[item.share] += item.cost  # type: ignore[assignment]
    assert max(served.values()) - min(served[share] for share in costs) <= 2 * max(costs.values())


@given(st.permutations(range(12)))
def test_within_one_share_and_lane_order_of_arrival_is_kept(order: list[int]) -> None:
    schedule = Schedule()
    for number in order:
        schedule.put(Item(str(number), Lane.NORMAL, "a"))
    taken = [schedule.take(0.0) for _ in order]
    assert [int(item.key) for item in taken if item is not None] == order


HOLDS = st.tuples(st.sampled_from(["x", "y"]), st.sampled_from([0.0, 5.0, 50.0, float("inf")]))
GROUPED = st.builds(
    Item,
    key=st.integers(0, 30).map(str),
    lane=st.sampled_from(list(Lane)),
    share=st.sampled_from(["a", "b"]),
    cost=st.sampled_from([1.0, 10.0]),
    due=st.floats(0, 100),
    group=st.sampled_from(["x", "y"]),
    owner=st.sampled_from(["", "p", "q"]),
)


@given(st.lists(st.one_of(GROUPED, HOLDS, st.sampled_from(["x", "y"]), st.just(None)), max_size=80))
def test_held_work_is_never_taken_and_other_work_always_is(steps: list[Item | tuple[str, float] | str | None]) -> None:
    schedule, waiting, holds, now = Schedule(), dict[str, Item](), dict[str, float](), 0.0
    for step in steps:
        now += 1.0
        if isinstance(step, Item):
            schedule.put(step)
            waiting[step.key] = step
        elif isinstance(step, tuple):
            schedule.release(step[0])
            schedule.hold(step[0], now + step[1])
            holds[step[0]] = now + step[1]
        elif step is not None:
            schedule.release(step)
            holds.pop(step, None)
        elif (taken := schedule.take(now)) is not None:
            assert holds.get(taken.group, 0.0) <= now
            del waiting[taken.key]
        else:
            assert all(item.due > now or holds.get(item.group, 0.0) > now for item in waiting.values())
    for group in ("x", "y"):
        schedule.release(group)
    left = 0
    while schedule.take(1000.0) is not None:
        left += 1
    assert left == len(waiting)


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from([1.0, 2.0, 7.0, 800.0]), min_size=2))
def test_at_any_moment_two_shares_that_always_wait_differ_by_no_more_than_one_request_of_each(
    costs: dict[str, float],
) -> None:
    schedule, served = Schedule(), dict.fromkeys(costs, 0.0)
    for share, cost in costs.items():
        for number in range(200):
            schedule.put(Item(f"{share}{number}", Lane.NORMAL, share, cost))
    for _ in range(180):
        item = schedule.take(0.0)
        assert item is not None
        served[item.share] += item.cost
        for one in costs:
            for other in costs:
                assert served[one] - served[other] <= costs[one] + costs[other] + 1e-6


@given(STEPS, st.sampled_from(list(Lane)), st.sampled_from("abc"), st.integers(1, 40))
def test_what_waits_alike_is_what_would_be_taken_in_that_order(
    steps: list[Item | str | None], lane: Lane, share: str, most: int
) -> None:
    schedule, now = Schedule(age_after=1e9), 0.0
    for step in steps:
        now += 1.0
        if isinstance(step, Item):
            schedule.put(step)
        elif isinstance(step, str):
            schedule.remove(step)
        else:
            schedule.take(now)
    schedule.peek(now)
    alike = list(schedule.alike(Item("any", lane, share), most))
    taken = list[str]()
    while (item := schedule.take(now)) is not None:
        if (item.lane, item.share) == (lane, share):
            taken.append(item.key)
    assert alike == taken[:most]
    assert list(schedule.alike(Item("any", lane, share), most)) == []


def test_bulk_work_that_has_aged_still_waits_with_its_like() -> None:
    schedule = Schedule(age_after=10.0)
    for key in "ab":
        schedule.put(Item(key, Lane.BULK, "s"))
    schedule.peek(0.0)
    schedule.peek(11.0)
    assert list(schedule.alike(Item("a", Lane.BULK, "s"), 9)) == ["a", "b"]


def test_bulk_work_ages_from_when_it_is_looked_at_however_long_ago_the_last_look_was() -> None:
    schedule = Schedule(age_after=10.0)
    schedule.peek(0.0)
    schedule.put(Item("old", Lane.BULK, "s"))
    schedule.bulk_admitted = False
    assert schedule.take(100.0) is None
    item = schedule.take(110.0)
    assert item is not None
    assert item.key == "old"
