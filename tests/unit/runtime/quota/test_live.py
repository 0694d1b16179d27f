"""How buckets stand, told from their calls."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.kit.limits import Kind, Limit
from streams.runtime.quota.calls import Call, Pace
from streams.runtime.quota.live import ALERT, Live, standing
from streams.runtime.quota.tables import standing_data, standings
from tests.unit.runtime.quota.given import GRAPHQL, NOW, call, presta
from tests.unit.runtime.quota.text import shown


def falling(by: float = 50.0, net: float = 60.0, seconds: int = 20) -> list[Call]:
    """One call a second, ending now; the level falls by `by` a second although `net` flows in."""
    return [call(at - seconds, level=1200.0 - by * at, cost=net + by) for at in range(seconds + 1)]


def test_rivals_and_load_are_told_from_levels_although_the_api_advertises_its_whole_rate() -> None:
    one = standing(falling(), NOW)
    assert one.advertised == 100.0
    assert one.net == pytest.approx(60.0)
    assert one.rivals == pytest.approx(0.4)
    assert one.used == pytest.approx(110.0 * 21 / 20)
    assert one.load is not None
    assert one.load > ALERT


def test_a_level_that_falls_says_when_the_bucket_is_empty() -> None:
    one = standing(falling(), NOW)
    assert one.level == pytest.approx(200.0)
    assert one.exhausted_at == pytest.approx(NOW + 4.0)


def test_a_level_that_stands_has_no_end() -> None:
    assert standing(falling(by=0.0), NOW).exhausted_at is None


def test_a_quota_by_the_day_that_begins_anew_before_it_is_used_up_has_no_end() -> None:
    day = Limit("Admin", Kind.WINDOW, 5000, "requests", 86_400.0, "shop", "", "", "", endpoints=(GRAPHQL,))
    slow = falling(by=0.01, net=0.0)
    tenth = [replace(one, restore_rate=None) for one in slow]
    assert standing(tenth, NOW).exhausted_at is not None
    assert standing(tenth, NOW, lambda platform: [day]).exhausted_at is None


def test_an_api_that_reports_nothing_is_told_from_its_owners_account() -> None:
    pace = Pace(level=4.0, limit=10.0, restore_rate=10.0, refill=7.0, blocked_until=NOW + 30)
    one = standing([presta(-5.0), presta(-1.0, pace=pace, outcome="throttled", status=429)], NOW)
    assert (one.limit, one.advertised, one.net, one.reported) == (10.0, 10.0, 7.0, False)
    assert one.level == 10.0  # 4 and a second at 7, at most the limit
    assert one.rivals == pytest.approx(0.3)
    assert one.blocked_until == NOW + 30
    assert (one.calls, one.throttled) == (2, 1)


def test_an_idle_bucket_that_is_full_has_no_rival_whatever_its_owner_thinks() -> None:
    pace = Pace(level=1990.0, limit=2000.0, restore_rate=100.0, refill=10.0, blocked_until=0.0)
    one = standing([call(-at * 10.0, level=1990.0, pace=pace) for at in range(5, 0, -1)], NOW)
    assert (one.net, one.rivals) == (None, None)
    assert one.level == 2000.0


def test_a_retry_after_blocks_until_it_is_over() -> None:
    refused = call(-2.0, retry_after=5.0, outcome="throttled", cost=0.0)
    assert standing([refused], NOW).blocked_until == NOW + 3.0
    assert standing([refused], NOW + 3.0).blocked_until is None


def test_what_is_used_is_told_by_purpose_the_dearest_first() -> None:
    one = standing([call(-10.0, purpose="poll", cost=100.0), call(-5.0, cost=300.0)], NOW)
    assert one.used_for == {"set": 30.0, "poll": 10.0}


def test_buckets_are_apart_and_calls_beyond_the_window_are_forgotten() -> None:
    live = Live(window=300.0)
    for one in (call(-400.0, bucket="acme|old"), call(-400.0), call(-10.0), presta(-1.0)):
        live.add(one)
    found = live.standings(NOW)
    assert [(one.bucket, one.calls) for one in found] == [("acme|presta", 1), ("acme|shop", 1)]
    assert live.standings(NOW + 1000) == []


def test_replies_that_came_in_another_order_say_the_same() -> None:
    calls = falling()
    assert standing(calls[::-1], NOW) == standing(calls, NOW)


def test_the_table_names_every_bucket_with_its_figures() -> None:
    text = shown(standings([standing(falling(), NOW), standing([presta(-1.0)], NOW)], NOW))
    assert "shopify acme|shop" in text
    assert "200 / 2000" in text
    assert "60 / 100" in text
    assert "40 %" in text
    assert "0 of 21" in text
    assert "10 / 10 ~" in text


def test_the_data_for_scripts_has_times_and_the_seconds_until_then() -> None:
    said = standing_data(standing(falling(), NOW), NOW)
    assert said["exhausted_at"] == "2026-03-01T12:00:04Z"
    assert said["exhausted_seconds"] == pytest.approx(4.0)
    assert (said["blocked_until"], said["blocked_seconds"]) == (None, None)


def by_the_day(level: float, at: float) -> Call:
    day = Pace(level, 1000.0, 1000 / 86_400, 1000 / 86_400, 0.0, name="day", cost=1.0, ends_at=NOW + 3600)
    return presta(at, further=(day,))


def test_a_further_quota_is_a_bucket_of_its_own_told_by_its_owner() -> None:
    live = Live(window=300.0)
    for ago in range(20, 0, -1):
        live.add(by_the_day(100.0 + ago, -float(ago)))
    own, day = live.standings(NOW)
    assert (own.bucket, own.limit) == ("acme|presta", 10.0)
    assert own.load == pytest.approx(0.1)
    assert (day.bucket, day.level, day.limit) == ("acme|presta/day", 101.0, 1000.0)
    assert day.load == pytest.approx(0.899)
    assert day.rivals == 0.0
    assert day.exhausted_at == pytest.approx(NOW + 101)
    assert day.ends_at == NOW + 3600


def test_a_quota_whose_window_ends_before_it_is_used_up_is_not_going_to_be_empty() -> None:
    live = Live(window=300.0)
    for ago in range(20, 0, -1):
        live.add(by_the_day(900.0 + ago / 10, -float(ago)))
    _, day = live.standings(NOW)
    assert day.exhausted_at is None


def test_places_for_requests_at_the_same_time_have_neither_refill_nor_rivals() -> None:
    places = Pace(level=3.0, limit=4.0, restore_rate=16.0, refill=0.0, blocked_until=0.0)
    one = standing([presta(-1.0, pace=places)], NOW)
    assert (one.advertised, one.net, one.rivals, one.load) == (None, None, None, None)
