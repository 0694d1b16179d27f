"""What headers say of the rate; malformed ones say nothing."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.contract import Feedback
from connectors.kit.testing import response
from connectors.rest.limits import feedback, retry_after

NOON = 1_772_362_800_000_000


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        ("2.0", 2.0),
        ("0", 0.0),
        ("Sun, 01 Mar 2026 11:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 10:00:00 GMT", 0.0),
        ("999999999", 86_400.0),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_the_wait_is_read_in_seconds_and_as_a_date(text: str, seconds: float | None) -> None:
    reply = replace(response(429, retry_after=text), received_at=NOON)
    assert retry_after(reply) == seconds


@pytest.mark.parametrize("family", ["x_ratelimit_", "ratelimit_"])
def test_level_and_limit_are_read_in_both_spellings(family: str) -> None:
    headers = {f"{family}limit": "100", f"{family}remaining": "42", f"{family}reset": "7"}
    reply = response(200, b"", **headers)
    assert feedback(reply, throttled=False) == Feedback(level=42.0, limit=100.0)


@pytest.mark.parametrize("reset", ["7", str(NOON // 1_000_000 + 7)])
def test_a_refusal_without_a_wait_waits_for_the_reset_be_it_a_wait_or_a_time(reset: str) -> None:
    reply = replace(response(429, x_ratelimit_reset=reset), received_at=NOON)
    assert feedback(reply, throttled=True).retry_after == 7.0
    told = replace(response(429, x_ratelimit_reset=reset, retry_after="3"), received_at=NOON)
    assert feedback(told, throttled=True).retry_after == 3.0


@given(st.text(), st.text(), st.text(), st.booleans())
def test_no_header_is_ever_an_error_or_an_endless_wait(level: str, reset: str, wait: str, throttled: bool) -> None:
    reply = response(429, x_ratelimit_remaining=level, x_ratelimit_reset=reset, retry_after=wait)
    said = feedback(reply, throttled=throttled)
    assert said.retry_after is None or 0 <= said.retry_after <= 86_400
    assert said.level is None or (math.isfinite(said.level) and said.level >= 0)
