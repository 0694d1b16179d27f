"""Lanes, floors, fairness, due times: which work comes next."""

from __future__ import annotations

from collections import Counter

from schemas.entities import Lane
from streams.core.schedule import Item, Schedule


def filled(*items: Item) -> Schedule:
    schedule = Schedule()
    for item in items:
        schedule.put(item)
    return schedule


def drain(schedule: Schedule, now: float = 0.0) -> list[str]:
    taken = []
    while (item := schedule.take(now)) is not None:
        taken.append(item.key)
    return taken


def refilled(schedule: Schedule, lanes: tuple[Lane, ...], rounds: int) -> Counter[Lane]:
    """Cost served per lane while each of these lanes always has work."""
    served: Counter[Lane] = Counter()
    for lane in lanes:
        schedule.put(Item(f"{lane}-0", lane, "a"))
    for number in range(1, rounds + 1):
        item = schedule.take(0.0)
        assert item is not None
        served[item.lane] += 1
        schedule.put(Item(f"{item.lane}-{number}", item.lane, "a"))
    return served


def close(served: Counter[Lane], expected: dict[Lane, int]) -> bool:
    return all(abs(served[lane] - expected.get(lane, 0)) <= 3 for lane in Lane)


def test_what_is_urgent_comes_first() -> None:
    schedule = filled(Item("b", Lane.BULK, "a"), Item("n", Lane.NORMAL, "a"), Item("h", Lane.HIGH, "a"))
    assert drain(schedule) == ["h", "n", "b"]


def test_a_backlog_in_every_lane_is_served_70_20_10() -> None:
    assert close(refilled(Schedule(), tuple(Lane), 1000), {Lane.HIGH: 700, Lane.NORMAL: 200, Lane.BULK: 100})


def test_what_a_lane_does_not_use_the_others_borrow() -> None:
    assert close(refilled(Schedule(), (Lane.HIGH, Lane.BULK), 1000), {Lane.HIGH: 900, Lane.BULK: 100})
    assert close(refilled(Schedule(), (Lane.NORMAL, Lane.BULK), 1000), {Lane.NORMAL: 900, Lane.BULK: 100})
    assert refilled(Schedule(), (Lane.BULK,), 10) == {Lane.BULK: 10}


def test_an_empty_lane_saves_nothing_up() -> None:
    schedule = Schedule()
    schedule.put(Item("bulk", Lane.BULK, "a"))
    refilled(schedule, (Lane.HIGH,), 9)
    schedule.remove("bulk")
    refilled(schedule, (Lane.HIGH,), 1)
    schedule.put(Item("bulk", Lane.BULK, "a"))
    assert refilled(schedule, (Lane.HIGH,), 9) == {Lane.HIGH: 9}


def test_floors_are_counted_in_cost_and_not_in_pieces() -> None:
    schedule = Schedule()
    for number in range(400):
        schedule.put(Item(f"h{number}", Lane.HIGH, "a", cost=1.0))
        schedule.put(Item(f"b{number}", Lane.BULK, "a", cost=10.0))
    taken = [schedule.take(0.0) for _ in range(200)]
    bulk = sum(item.cost for item in taken if item is not None and item.lane is Lane.BULK)
    total = sum(item.cost for item in taken if item is not None)
    assert 0.05 <= bulk / total <= 0.15


def test_shares_of_one_lane_take_turns_by_cost() -> None:
    schedule = Schedule()
    for number in range(300):
        schedule.put(Item(f"cheap{number}", Lane.NORMAL, "cheap", cost=1.0))
        schedule.put(Item(f"dear{number}", Lane.NORMAL, "dear", cost=10.0))
    cost: Counter[str] = Counter()
    for _ in range(220):
        item = schedule.take(0.0)
        assert item is not None
        cost[item.share] += int(item.cost)
    assert abs(cost["cheap"] - cost["dear"]) <= 20


def test_within_a_share_the_first_comes_first() -> None:
    schedule = filled(*(Item(f"{n}", Lane.NORMAL, "a", cost=float(1 + n % 3)) for n in range(20)))
    assert drain(schedule) == [f"{n}" for n in range(20)]


def test_work_is_not_taken_before_it_is_due() -> None:
    schedule = filled(Item("later", Lane.HIGH, "a", due=10.0), Item("now", Lane.BULK, "a"))
    assert drain(schedule, 9.999) == ["now"]
    assert schedule.next_due() == 10.0
    assert drain(schedule, 10.0) == ["later"]
    assert schedule.next_due() is None


def test_peek_names_what_take_returns() -> None:
    schedule = filled(*(Item(f"{n}", list(Lane)[n % 3], f"s{n % 4}", cost=float(1 + n % 5)) for n in range(60)))
    while (seen := schedule.peek(0.0)) is not None:
        assert schedule.peek(0.0) == seen
        assert schedule.take(0.0) == seen
    assert len(schedule) == 0


def test_putting_again_keeps_the_place_and_a_more_urgent_lane_moves_it() -> None:
    schedule = filled(Item("a", Lane.NORMAL, "s"), Item("b", Lane.NORMAL, "s"), Item("c", Lane.NORMAL, "s"))
    assert schedule.peek(0.0) == Item("a", Lane.NORMAL, "s")
    schedule.put(Item("a", Lane.NORMAL, "s"))
    schedule.put(Item("c", Lane.HIGH, "s"))
    assert drain(schedule) == ["c", "a", "b"]


def test_removed_work_is_never_taken() -> None:
    schedule = filled(Item("a", Lane.NORMAL, "s"), Item("b", Lane.NORMAL, "s", due=5.0))
    schedule.remove("a")
    schedule.remove("b")
    schedule.remove("unknown")
    assert (len(schedule), schedule.next_due(), drain(schedule, 9.0)) == (0, None, [])


def test_bulk_work_that_waited_long_moves_up_one_lane_and_no_further() -> None:
    schedule = Schedule(age_after=60.0)
    schedule.put(Item("old", Lane.BULK, "a"))
    assert schedule.peek(0.0) is not None
    for number in range(100):
        schedule.put(Item(f"n{number}", Lane.NORMAL, "b"))
        schedule.put(Item(f"h{number}", Lane.HIGH, "b"))
    first = [item.key for _ in range(12) if (item := schedule.take(61.0)) is not None]
    assert "old" in first
    assert first[0] == "h0"


def test_a_price_holds_for_what_waits_already() -> None:
    schedule = Schedule()
    for number in range(100):
        schedule.put(Item(f"dear{number}", Lane.NORMAL, "dear"))
        schedule.put(Item(f"cheap{number}", Lane.NORMAL, "cheap"))
    schedule.price("dear", 10.0)
    taken = [item for _ in range(66) if (item := schedule.take(0.0)) is not None]
    assert sum(item.share == "dear" for item in taken) == 6
    assert {item.cost for item in taken if item.share == "dear"} == {10.0}


def test_only_what_is_neither_urgent_nor_owed_is_spare() -> None:
    schedule, spare = Schedule(), list[tuple[Lane, bool]]()
    for number in range(20):
        schedule.put(Item(f"h{number}", Lane.HIGH, "s"))
        schedule.put(Item(f"n{number}", Lane.NORMAL, "s"))
    for _ in range(40):
        schedule.peek(0.0)
        is_spare = schedule.spare
        item = schedule.take(0.0)
        assert item is not None
        spare.append((item.lane, is_spare))
    while_both_wait = spare[:24]
    assert {lane for lane, _ in while_both_wait} == {Lane.HIGH, Lane.NORMAL}
    assert not any(is_spare for _, is_spare in while_both_wait)
    assert spare[-1] == (Lane.NORMAL, True)
