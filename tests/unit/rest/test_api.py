"""Requests of a declared API, and what its replies mean."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit import errors
from connectors.kit.contract import Request, Response
from connectors.kit.outcomes import Meaning
from connectors.kit.testing import refusal, response
from connectors.rest.api import Credential
from connectors.rest.outcomes import PROBLEM, Outcomes, lookup
from tests.unit.rest.support import ACCOUNT, API, READ, WRITE, either


def said(status: int, code: str = "", text: str = "no", **headers: str) -> Response:
    """A refusal in the vendor's words."""
    return response(status, orjson.dumps({"errors": [{"code": code, "text": text}]}), **headers)


# ----------------------------------------------------------------------------------------------- requests


def test_an_id_is_one_segment_of_the_path_and_stands_in_no_name() -> None:
    assert READ.path == "/api/v2/things/a%2Fb%20c"
    assert READ.endpoint == "/api/v2/things/{id}"


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_an_id_that_names_another_address_is_refused(id: str) -> None:
    assert isinstance(refusal(lambda: API.get(ACCOUNT, "/things/{id}", "read_thing", id=id)), errors.Invalid)


def test_a_write_carries_its_operation_where_the_vendor_looks_for_it() -> None:
    assert WRITE.headers["x-request-key"] == WRITE.headers["x-request-id"] == "op-1"
    assert WRITE.writes
    assert not READ.writes
    assert "x-request-key" not in READ.headers
    assert (WRITE.key, READ.key) == ("op-1", "")


def test_the_newest_secret_is_the_credential() -> None:
    assert READ.headers["x-api-key"] == "k1"
    assert Credential("key").headers(ACCOUNT) == {"authorization": "Bearer k1"}


def test_an_account_without_its_secret_is_misconfigured() -> None:
    error = refusal(lambda: Credential("token").headers(ACCOUNT))
    assert isinstance(error, errors.Misconfigured)
    assert "'token'" in str(error)


# ----------------------------------------------------------------------------------------------- outcomes


@pytest.mark.parametrize(
    ("status", "code", "expected", "reason"),
    [
        (400, "wrong", errors.Invalid, "invalid"),
        (401, "", errors.Unauthorised, "unauthorised"),
        (403, "", errors.Unauthorised, "unauthorised"),
        (302, "", errors.Misconfigured, "misconfigured"),
        (404, "missing", errors.Unlinkable, "unlinkable"),
        (404, "other", errors.Unlinkable, "unlinkable"),
        (404, "", errors.Misconfigured, "misconfigured"),
        (405, "", errors.Misconfigured, "misconfigured"),
        (402, "", errors.Misconfigured, "payment_required"),
        (408, "", errors.Conflict, "request_timeout"),
        (409, "strange", errors.Invalid, "conflict"),
        (409, "taken", errors.Conflict, "conflict"),
        (409, "busy", errors.Conflict, "busy"),
        (412, "", errors.Conflict, "conflict"),
        (420, "", errors.Throttled, "throttled"),
        (422, "", errors.Invalid, "invalid"),
        (429, "", errors.Throttled, "throttled"),
        (503, "", errors.Unavailable, "unavailable"),
    ],
)
def test_a_refusal_is_sorted_by_what_is_to_be_done(
    status: int, code: str, expected: type[errors.SluiceError], reason: str
) -> None:
    for request in either():
        error = API.outcomes.error(request, said(status, code))
        assert (type(error), error.reason) == (expected, reason)


@pytest.mark.parametrize("status", [500, 502, 504, 520, 199, 600])
def test_a_status_that_leaves_it_open_is_unknown_for_a_write_and_to_be_repeated_for_a_read(status: int) -> None:
    assert isinstance(API.outcomes.error(WRITE, said(status)), errors.OutcomeUnknown)
    assert isinstance(API.outcomes.error(READ, said(status)), errors.Unavailable)


def test_a_service_that_says_when_it_is_back_is_left_alone_until_then() -> None:
    error = API.outcomes.error(WRITE, said(503, retry_after="12"))
    assert isinstance(error, errors.Throttled)
    assert error.retry_after == 12.0


def test_the_vendors_own_words_are_passed_on_up_to_a_limit() -> None:
    text = str(API.outcomes.error(WRITE, said(400, "wrong", "sku is unknown " + "x" * 5000)))
    assert text.startswith("write_thing: HTTP 400, wrong: sku is unknown")
    assert len(text) < 400


def test_a_problem_of_rfc_9457_is_read_without_a_table() -> None:
    body = orjson.dumps({"type": "https://acme.example/out-of-stock", "detail": "none left"})
    error = Outcomes(PROBLEM).error(WRITE, response(422, body))
    assert str(error) == "write_thing: HTTP 422, https://acme.example/out-of-stock: none left"


def test_a_record_that_is_gone_in_the_vendors_words_is_no_error_of_a_read() -> None:
    assert API.found(READ, said(404, "missing")) is None
    assert isinstance(refusal(lambda: API.found(READ, said(404))), errors.Misconfigured)
    assert API.found(READ, response(200, b'{"id": 1}')) == {"id": 1}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[1]", b"null", b'"text"'])
def test_a_success_that_cannot_be_read_is_none(body: bytes) -> None:
    assert isinstance(refusal(lambda: API.content(WRITE, response(200, body))), errors.OutcomeUnknown)
    error = refusal(lambda: API.content(READ, response(200, body)))
    assert (type(error), error.reason) == (errors.Retry, "unreadable_reply")


@given(st.integers(100, 999), st.binary(max_size=60), st.sampled_from([READ, WRITE]))
def test_every_reply_has_a_meaning_and_every_failure_an_error(status: int, body: bytes, request: Request) -> None:
    reply = response(status, body)
    if API.outcomes.rule(reply).meaning is Meaning.SUCCESS:
        assert 200 <= status < 300
    else:
        error = API.outcomes.error(request, reply)
        assert not isinstance(error, errors.OutcomeUnknown) or request.writes
    assert API.feedback(reply).throttled == (status in (420, 429))


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_path_into_anything_finds_something_or_nothing(value: object) -> None:
    assert lookup({"a": [value]}, ("a", 0)) == value
    lookup(value, ("errors", 0, "code"))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"x_ratelimit_reset": "9", "x_ratelimit_remaining": "0"}, 9.0),
        ({"retry_after": "7", "x_ratelimit_reset": "9", "x_ratelimit_remaining": "0"}, 7.0),
        ({}, None),
    ],
)
def test_a_refusal_waits_as_told_else_until_the_quota_is_whole_again(
    headers: dict[str, str], seconds: float | None
) -> None:
    reply = said(429, **headers)
    error = API.outcomes.error(WRITE, reply)
    assert isinstance(error, errors.Throttled)
    assert (error.retry_after, API.feedback(reply).retry_after) == (seconds, seconds)
    assert API.feedback(said(200, **headers)).retry_after == (7.0 if "retry_after" in headers else None)
