"""The shop's naive times."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from connectors.prestashop import times

PARIS = ZoneInfo("Europe/Paris")
HOUR = 3600 * 1_000_000
# In 2026 Paris goes back from 03:00 to 02:00 on 25 October, at 01:00 UTC.
BACK = 1_792_890_000_000_000


def test_a_shop_time_is_read_in_the_zone_of_the_shop() -> None:
    assert times.micros("2026-03-01 12:00:00", PARIS) == 1_772_362_800_000_000
    assert times.micros("2026-07-01 12:00:00", PARIS) == 1_782_900_000_000_000
    assert times.text(1_772_362_800_999_999, PARIS) == "2026-03-01 12:00:00"


def test_the_hour_that_comes_twice_is_read_as_its_first() -> None:
    assert times.text(BACK - HOUR // 2, PARIS) == times.text(BACK + HOUR // 2, PARIS) == "2026-10-25 02:30:00"
    assert times.micros("2026-10-25 02:30:00", PARIS) == BACK - HOUR // 2


def test_the_hour_that_does_not_exist_is_read_without_failing() -> None:
    assert times.micros("2026-03-29 02:30:00", PARIS) == times.micros("2026-03-29 03:30:00", PARIS)


def test_an_empty_date_is_no_time() -> None:
    assert times.micros("0000-00-00 00:00:00", PARIS) is None
    assert times.micros("0000-00-00", PARIS) is None
    assert times.micros("1969-01-01 00:00:00", PARIS) is None


@pytest.mark.parametrize("text", ["", "2026-03-01", "2026-03-01T12:00:00", "2026-13-01 12:00:00", "now"])
def test_what_is_no_shop_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"time data|unconverted"):
        times.micros(text, PARIS)


def test_a_window_covers_every_text_of_its_moments_when_the_clocks_go_back() -> None:
    for start in range(-3 * 60, 60, 7):
        since = BACK + start * 60_000_000
        for minutes in (1, 5, 59, 61, 180):
            until = since + minutes * 60_000_000
            lower, upper = times.window(since, until, PARIS)
            texts = [times.text(since + step * 60_000_000, PARIS) for step in range(minutes + 1)]
            assert lower <= min(texts)
            assert max(texts) <= upper


def test_a_window_on_an_ordinary_day_is_as_wide_as_it_says() -> None:
    noon = 1_772_362_800_000_000
    assert times.window(noon, noon + HOUR, PARIS) == ("2026-03-01 12:00:00", "2026-03-01 13:00:00")


def test_the_next_second_is_one_on_the_wall() -> None:
    assert times.next_second("2026-10-25 02:59:59") == "2026-10-25 03:00:00"
    assert times.next_second("2026-12-31 23:59:59") == "2027-01-01 00:00:00"
