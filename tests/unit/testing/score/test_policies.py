"""A modelled API's limits beside its bucket let through what they say and nothing else."""

from __future__ import annotations

import random
from email.utils import parsedate_to_datetime

from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.contract import Request, Response
from streams.testing.score.api import EPOCH, Account, Api, Dialect, Shape, read
from streams.testing.score.bucket import Closure, Quota
from streams.testing.score.loop import START
from streams.testing.score.policies import AtOnce, PerWindow, Places, Windows

WRITE = Request("PUT", "a", "write", "/write")


def asked(api: Api, at: float) -> tuple[Account, Response]:
    account = Account(api, {"write": Shape()}, random.Random(1))
    reply = account.ask(at, WRITE)
    return account, Response(reply.status, reply.headers, b"", round((START + at) * 1e6), round((START + at) * 1e6))


@given(st.lists(st.floats(0, 5), max_size=80))
def test_no_window_lets_through_more_than_its_limit(pauses: list[float]) -> None:
    windows, now, through = Windows(PerWindow("w", 3, 10.0)), 0.0, dict[int, int]()
    for pause in pauses:
        now += pause
        if windows.room(now):
            windows.take(now)
            through[int(now // 10.0)] = through.get(int(now // 10.0), 0) + 1
    assert all(count <= 3 for count in through.values())
    assert sum(through.values()) <= windows.supply(now)


def test_a_place_is_free_again_when_its_time_is_over() -> None:
    places = Places(AtOnce("p", 2, 1.0))
    places.take(0.0)
    places.take(0.5)
    assert not places.room(0.9)
    assert places.room(1.0)


def test_a_clock_that_is_wrong_is_seen_through_where_the_api_says_what_it_shows() -> None:
    api = Api((Quota(100.0, 100.0),), dialect=Dialect.RESETS, also=(PerWindow("", 400, 10.0),), skew=300.0)
    _, response = asked(api, 3.0)
    told = read(response)
    assert (told.level, told.limit, told.resets_after) == (399.0, 400.0, 7.0)
    assert float(response.headers["x-ratelimit-reset"]) == EPOCH + 310.0


def test_a_retry_after_is_told_as_a_date_of_the_apis_own_clock() -> None:
    _, response = asked(Api(dialect=Dialect.DATES, skew=-300.0, closures=(Closure(0.0, 30.0),)), 3.0)
    assert response.status == 429
    assert parsedate_to_datetime(response.headers["retry-after"]).timestamp() == EPOCH - 300.0 + 30.0
    assert read(response).retry_after == 27.0


def test_a_refusal_of_one_limit_charges_none_of_the_others() -> None:
    api = Api(dialect=Dialect.POLICIES, also=(PerWindow("m", 1, 60.0), AtOnce("p", 9, 0.1)))
    account, first = asked(api, 0.0)
    level = account.bucket.level
    assert account.ask(0.0, WRITE).status == 429
    assert account.bucket.level == level
    named = read(first).named
    assert (named["m"].level, named["m"].limit, named["m"].window) == (0.0, 1.0, 60.0)
    assert (named["p"].limit, named["p"].unit) == (9.0, "concurrent-requests")
