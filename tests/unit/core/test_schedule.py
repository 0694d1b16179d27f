"""Lanes, floors, fairness, due times: which work comes next."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from connectors.kit.errors import Misconfigured
from schemas.entities import Lane
from streams.core.hours import Hours, parse
from streams.core.lanes import Lanes
from streams.core.schedule import LEAD, Item, Schedule


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


def test_urgent_work_within_its_share_waits_for_no_floor() -> None:
    schedule = Schedule()
    for number in range(400):
        schedule.put(Item(f"n{number}", Lane.NORMAL, "a"))
        schedule.put(Item(f"b{number}", Lane.BULK, "a"))
    for _ in range(60):
        for _ in range(4):
            schedule.take(0.0)
        schedule.put(Item("h", Lane.HIGH, "a"))
        item = schedule.take(0.0)
        assert item is not None
        assert item.lane is Lane.HIGH


def test_a_burst_of_urgent_work_does_not_keep_the_floors_waiting_for_long() -> None:
    schedule = filled(*(Item(f"n{n}", Lane.NORMAL, "a") for n in range(400)))
    for _ in range(100):
        schedule.take(0.0)
    for number in range(400):
        schedule.put(Item(f"h{number}", Lane.HIGH, "a"))
    lanes = [item.lane for _ in range(100) if (item := schedule.take(0.0)) is not None]
    assert Lane.NORMAL in lanes[: round(LEAD / 0.2) + 6]
    assert lanes.count(Lane.NORMAL) >= 10


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


# ------------------------------------------------------------------------------------------------ owners, prices


def test_owners_share_equally_however_many_flows_each_has() -> None:
    schedule, served = Schedule(), Counter[str]()
    for number in range(200):
        for flow in ("a", "b", "c"):
            schedule.put(Item(f"many {flow}{number}", Lane.NORMAL, flow, owner="many"))
        schedule.put(Item(f"one {number}", Lane.NORMAL, "a", owner="one"))
    for _ in range(300):
        item = schedule.take(0.0)
        assert item is not None
        served[item.owner] += 1
    assert abs(served["many"] - served["one"]) <= 1


def test_a_share_that_comes_back_at_once_is_not_served_before_its_turn() -> None:
    schedule, served = Schedule(), Counter[str]()
    for number in range(100):
        schedule.put(Item(f"{number}", Lane.NORMAL, "patient"))
    schedule.put(Item("x", Lane.NORMAL, "single", cost=5.0))
    for number in range(60):
        item = schedule.take(0.0)
        assert item is not None
        served[item.share] += int(item.cost)
        if item.share == "single":
            schedule.put(Item(f"x{number}", Lane.NORMAL, "single", cost=5.0))
    assert abs(served["patient"] - served["single"]) <= 5


def test_what_is_learnt_of_a_share_s_cost_counts_for_what_waits_already() -> None:
    schedule, served = Schedule(), Counter[str]()
    for number in range(200):
        schedule.put(Item(f"cheap{number}", Lane.NORMAL, "cheap"))
        schedule.put(Item(f"dear{number}", Lane.NORMAL, "dear"))
    schedule.price("dear", 10.0)
    for _ in range(110):
        item = schedule.take(0.0)
        assert item is not None
        served[item.share] += int(item.cost)
    assert abs(served["cheap"] - served["dear"]) <= 10


# ------------------------------------------------------------------------------------------------ held back


def test_a_held_class_does_not_hinder_others_and_goes_on_when_it_is_released() -> None:
    schedule = filled(
        Item("broken", Lane.HIGH, "a", group="write:price"), Item("sound", Lane.BULK, "a", group="write:stock")
    )
    schedule.hold("write:price", 50.0)
    assert drain(schedule) == ["sound"]
    assert schedule.next_due() == 50.0
    schedule.release("write:price")
    assert drain(schedule) == ["broken"]


def test_a_hold_ends_by_itself() -> None:
    schedule = filled(Item("a", Lane.HIGH, "a", group="g"))
    schedule.hold("g", 50.0)
    assert drain(schedule, 49.9) == []
    assert drain(schedule, 50.0) == ["a"]


def test_what_is_held_without_end_wakes_nobody() -> None:
    schedule = filled(Item("a", Lane.HIGH, "a", group="g"))
    schedule.hold("g", float("inf"))
    assert schedule.peek(0.0) is None
    assert schedule.next_due() is None


def test_work_put_while_its_class_is_held_waits_too() -> None:
    schedule = Schedule()
    schedule.hold("g", 50.0)
    schedule.put(Item("a", Lane.HIGH, "a", group="g"))
    assert drain(schedule, 10.0) == []
    assert drain(schedule, 60.0) == ["a"]


def test_a_held_lane_gives_its_floor_away_and_does_not_save_it_up() -> None:
    schedule = filled(*(Item(f"b{n}", Lane.BULK, "a", group="g") for n in range(50)))
    schedule.hold("g", float("inf"))
    assert refilled(schedule, (Lane.HIGH,), 100)[Lane.HIGH] == 100
    schedule.release("g")
    assert refilled(schedule, (Lane.HIGH,), 9)[Lane.BULK] <= 1


def test_bulk_work_is_admitted_only_while_live_work_has_caught_up_but_for_what_has_aged() -> None:
    schedule = Schedule(age_after=60.0)
    schedule.bulk_admitted = False
    schedule.put(Item("bulk", Lane.BULK, "a"))
    schedule.put(Item("live", Lane.NORMAL, "a"))
    assert drain(schedule, 0.0) == ["live"]
    assert not schedule.bulk_admitted
    assert drain(schedule, 60.0) == ["bulk"]
    schedule.put(Item("more", Lane.BULK, "a"))
    assert drain(schedule, 61.0) == []
    schedule.bulk_admitted = True
    assert drain(schedule, 61.0) == ["more"]


NIGHT = Hours([(22 * 3600.0, 6 * 3600.0)])


def test_a_lane_runs_within_its_hours_and_others_run_always() -> None:
    schedule = Schedule(Lanes(hours={"bulk": NIGHT}))
    schedule.put(Item("b", Lane.BULK, "a"))
    schedule.put(Item("n", Lane.NORMAL, "a"))
    noon = 12 * 3600.0
    assert drain(schedule, noon) == ["n"]
    assert schedule.next_due() == 22 * 3600.0
    assert drain(schedule, 22 * 3600.0) == ["b"]


def test_age_does_not_break_hours() -> None:
    schedule = Schedule(Lanes(hours={"bulk": NIGHT}), age_after=60.0)
    schedule.put(Item("b", Lane.BULK, "a"))
    assert schedule.peek(12 * 3600.0) is None
    assert schedule.peek(13 * 3600.0) is None
    assert drain(schedule, 23 * 3600.0) == ["b"]


def test_a_flow_runs_within_its_hours() -> None:
    schedule = Schedule(Lanes(hours={"set:texts": NIGHT}))
    schedule.put(Item("t", Lane.HIGH, "set:texts"))
    schedule.put(Item("p", Lane.HIGH, "set:prices"))
    assert drain(schedule, 12 * 3600.0) == ["p"]
    assert drain(schedule, 3 * 3600.0 + 86_400.0) == ["t"]


def test_floors_are_configurable_and_must_add_up() -> None:
    schedule = Schedule(Lanes(floors={Lane.HIGH: 0.4, Lane.NORMAL: 0.5, Lane.BULK: 0.1}))
    assert close(refilled(schedule, tuple(Lane), 1000), {Lane.HIGH: 400, Lane.NORMAL: 500, Lane.BULK: 100})
    with pytest.raises(Misconfigured, match="floors"):
        Lanes(floors={Lane.HIGH: 0.9, Lane.NORMAL: 0.2})


# ------------------------------------------------------------------------------------------------ hours


@pytest.mark.parametrize(
    ("time", "opens"), [(0.0, 0.0), (5.9, 5.9), (6.0, 12.0), (12.0, 12.0), (13.5, 22.0), (22.0, 22.0), (30.0, 36.0)]
)
def test_hours_may_go_over_midnight_and_repeat_every_day(time: float, opens: float) -> None:
    hours = parse("22:00-06:00, 12:00-13:30")
    assert hours.opens_at(time * 3600.0) == opens * 3600.0


def test_hours_are_meant_by_the_clock_of_their_place() -> None:
    assert Hours([(22 * 3600.0, 23 * 3600.0)], timezone(timedelta(hours=1))).opens_at(0.0) == 21 * 3600.0


def test_hours_follow_the_summer_time_of_their_place() -> None:
    night = parse("22:00-06:00", ZoneInfo("Europe/Paris"))
    winter, summer = (datetime(2026, month, 1, 12, tzinfo=UTC).timestamp() for month in (1, 7))
    assert night.opens_at(winter) - winter == 9 * 3600.0
    assert night.opens_at(summer) - summer == 8 * 3600.0


def test_hours_are_told_as_they_are_written() -> None:
    assert str(parse("22:00-06:00, 12:30-13:30")) == "22:00-06:00, 12:30-13:30"
    assert not str(Hours())


@pytest.mark.parametrize("text", ["22-06", "25:00-06:00", "22:00", "22:00-06:00-07:00", "a:b-c:d", "22:61-23:00"])
def test_hours_that_cannot_be_read_are_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="22:00-06:00"):
        parse(text)
