"""What reply headers say about quotas, in every dialect that is read."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.kit.contract import Feedback, Response
from connectors.kit.quota import of, read

NOW = 1_772_366_400.0  # 2026-03-01T12:00:00Z
FIVE_LATER = "Sun, 01 Mar 2026 12:05:00 GMT"


def said(now: float = NOW, status: int = 200, **headers: str) -> Feedback:
    return read({name.replace("_", "-"): value for name, value in headers.items()}, status, now)


def test_several_policies_of_the_draft_are_several_named_buckets() -> None:
    found = said(
        ratelimit_policy='"burst";q=100;w=60, "daily";q=1000;w=86400;pk=:QUJD:',
        ratelimit='"burst";r=50;t=30,"daily";r=9',
    )
    assert found == Feedback(
        named={
            "burst": Feedback(level=50, limit=100, resets_after=30, window=60),
            "daily": Feedback(level=9, limit=1000, window=86400),
        }
    )


def test_a_single_policy_of_requests_is_the_account_s_own_bucket() -> None:
    found = said(ratelimit_policy='"one";q=100;w=60;qu="requests"', ratelimit='"one";r=5;t=3')
    assert found == Feedback(level=5, limit=100, resets_after=3, window=60)


@pytest.mark.parametrize("unit", ["concurrent-requests", "content-bytes"])
def test_a_policy_of_another_unit_is_never_taken_for_requests(unit: str) -> None:
    found = said(ratelimit_policy=f'"c";q=10;qu="{unit}"', ratelimit='"c";r=4')
    assert found == Feedback(named={"c": Feedback(level=4, limit=10, unit=unit)})


def test_the_dictionary_of_older_drafts_is_read_with_the_window_of_its_policy() -> None:
    found = said(ratelimit="limit=100, remaining=50, reset=5", ratelimit_policy="100;w=60, 1000;w=3600")
    assert found == Feedback(level=50, limit=100, resets_after=5, window=60)


def test_limits_with_the_quota_policies_of_older_drafts_are_read() -> None:
    found = said(ratelimit_limit="100, 100;w=10, 1000;w=3600", ratelimit_remaining="3", ratelimit_reset="7")
    assert found == Feedback(level=3, limit=100, resets_after=7, window=10)


@pytest.mark.parametrize("family", ["ratelimit", "x_ratelimit", "x_rate_limit"])
@pytest.mark.parametrize("reset", ["300", str(int(NOW + 300)), str(int((NOW + 300) * 1000)), FIVE_LATER])
def test_a_reset_may_be_seconds_to_go_epoch_seconds_milliseconds_or_a_date(family: str, reset: str) -> None:
    headers: dict[str, Any] = {f"{family}_limit": "5000", f"{family}_remaining": "4999", f"{family}_reset": reset}
    assert said(**headers) == Feedback(level=4999, limit=5000, resets_after=300)


@pytest.mark.parametrize("skew", [-300.0, 0.0, 300.0])
def test_a_reset_as_a_time_is_counted_on_the_server_s_own_clock(skew: float) -> None:
    headers: dict[str, Any] = {
        "x_ratelimit_remaining": "1",
        "x_ratelimit_reset": str(int(NOW + 300)),
        "retry_after": FIVE_LATER,
    }
    found = said(now=NOW + skew, date="Sun, 01 Mar 2026 12:00:00 GMT", **headers)
    assert (found.resets_after, found.retry_after) == (300, 300)


def test_the_call_limit_of_shopify_rest_tells_level_size_and_drain() -> None:
    assert said(x_shopify_shop_api_call_limit="32/40") == Feedback(level=8, limit=40, restore_rate=2)
    assert said(x_shopify_shop_api_call_limit="3/80").restore_rate == 4


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("2.0", 2), ("3600", 3600), (FIVE_LATER, 300), ("Sun, 01 Mar 2026 11:00:00 GMT", 0)]
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float) -> None:
    assert said(retry_after=text, status=429) == Feedback(retry_after=seconds, throttled=True)


def test_a_429_without_any_header_is_a_refusal() -> None:
    assert said(status=429) == Feedback(throttled=True)
    assert said(status=503, retry_after="5") == Feedback(retry_after=5)


@pytest.mark.parametrize(
    "headers",
    [
        {"retry_after": "soon"},
        {"retry_after": "-1"},
        {"retry_after": "1e999"},
        {"retry_after": "99999999999"},
        {"ratelimit": '"one";r=-1'},
        {"ratelimit": '"one";r=5;t=x'},
        {"ratelimit": '"one";r=5,'},
        {"ratelimit": "nonsense"},
        {"ratelimit": "limit=100"},
        {"ratelimit": '"one'},
        {"ratelimit_policy": '"one";q=0'},
        {"ratelimit_policy": '"one";q=5;w=0'},
        {"ratelimit_policy": '"one";w=5'},
        {"x_ratelimit_limit": "many"},
        {"x_ratelimit_remaining": "-3"},
        {"x_ratelimit_remaining": "NaN"},
        {"x_shopify_shop_api_call_limit": "32"},
        {"x_shopify_shop_api_call_limit": "1/0"},
    ],
)
def test_what_makes_no_sense_is_ignored_and_counted(headers: dict[str, Any]) -> None:
    assert said(**headers) == Feedback(malformed=1)


def test_a_malformed_reset_leaves_the_rest_of_its_family() -> None:
    found = said(x_ratelimit_limit="100", x_ratelimit_remaining="4", x_ratelimit_reset="whenever")
    assert found == Feedback(level=4, limit=100, malformed=1)


def test_where_policies_make_no_sense_the_older_headers_count() -> None:
    found = said(ratelimit="?", x_ratelimit_remaining="4")
    assert found == Feedback(level=4, malformed=1)


def test_a_reply_is_read_by_the_time_it_was_received() -> None:
    reply = Response(429, {"retry-after": FIVE_LATER}, b"", 0, int((NOW + 60) * 1e6))
    assert of(reply) == Feedback(retry_after=240, throttled=True)
