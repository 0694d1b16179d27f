"""Laws of outcome tables: whatever a vendor answers becomes an error with one recovery action, and nothing that may
have been carried out is taken for something that was not."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit import errors, outcomes
from connectors.kit.contract import Request, Response
from connectors.kit.outcomes import Meaning, Rule
from connectors.prestashop import outcomes as presta
from connectors.prestashop import wire
from connectors.shopify import graphql
from connectors.shopify import outcomes as shopify
from streams.core.desired import Kind
from streams.core.outcome import Attempt, Limits, Park, RetryAt, Verify, decide, still_in_doubt

ACTIONS = (errors.Retry, errors.OutcomeUnknown, errors.Skip, errors.DeadLetter, errors.Stop)
LOST = {500, 502, 504}  # a gateway's or a crashed server's: the work may have been done
RULES = st.builds(Rule, st.sampled_from([one for one in Meaning if one is not Meaning.SUCCESS]), st.text(max_size=8))
BODIES = st.one_of(
    st.binary(max_size=40),
    st.recursive(
        st.none() | st.booleans() | st.integers(-5, 600) | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["errors", "data", "code", "message", "extensions", "userErrors"]), inner)
        ),
        max_leaves=12,
    ).map(orjson.dumps),
)


def reply(status: int, body: bytes) -> Response:
    return Response(status, {}, body, 0, 1)


def request(*, writes: bool) -> Request:
    return Request("POST", "/x", "do", "/x", writes=writes)


def shopify_error(sent: Request, answer: Response) -> Exception | None:
    try:
        graphql.payload(sent, answer, "data")
    except errors.SluiceError as error:
        return error
    return None


def presta_error(sent: Request, answer: Response) -> Exception | None:
    try:
        wire.refuse(sent, answer)
    except errors.SluiceError as error:
        return error


@given(RULES, st.booleans())
def test_every_meaning_has_one_recovery_action(rule: Rule, writes: bool) -> None:
    error = outcomes.error(rule, "do: no", writes=writes)
    assert sum(isinstance(error, action) for action in ACTIONS) == 1
    assert "do: no" in str(error)
    assert isinstance(error, errors.OutcomeUnknown) == (rule.meaning is Meaning.UNKNOWN and writes)


@pytest.mark.parametrize("read", [shopify_error, presta_error])
@given(st.sampled_from([*range(201, 600)]), BODIES, st.booleans())
def test_any_reply_of_any_shape_becomes_an_error_of_the_tree(read: Any, status: int, body: bytes, writes: bool) -> None:
    error = read(request(writes=writes), reply(status, body))
    assert isinstance(error, ACTIONS)


@pytest.mark.parametrize("read", [shopify_error, presta_error])
@given(st.sampled_from(sorted(LOST)), st.binary(max_size=40).filter(lambda body: b"code" not in body))
def test_a_write_that_was_lost_on_the_way_back_is_never_taken_for_one_that_was_not_carried_out(
    read: Any, status: int, body: bytes
) -> None:
    assert isinstance(read(request(writes=True), reply(status, body)), errors.OutcomeUnknown)
    assert isinstance(read(request(writes=False), reply(status, body)), errors.Unavailable)


@given(st.lists(st.sampled_from([*shopify.BY_CODE, "OTHER"]), max_size=4), st.permutations(range(4)))
def test_of_several_codes_the_weightiest_counts_in_whatever_order_they_come(codes: list[str], order: list[int]) -> None:
    shuffled = [codes[at] for at in order if at < len(codes)]
    assert outcomes.first(shopify.BY_CODE, codes) == outcomes.first(shopify.BY_CODE, shuffled)


@given(st.integers(201, 599), st.sampled_from([0, 1, *presta.BY_CODE]), st.booleans())
def test_a_webservice_that_is_switched_off_stops_the_account_whatever_the_status(
    status: int, code: int, writes: bool
) -> None:
    rule = presta.rule(status, code, writes=writes)
    if code == presta.DISABLED:
        assert rule.reason == "webservice_disabled"


# --------------------------------------------------------------------------------------------------- decisions

ERRORS = st.sampled_from(
    [
        errors.Throttled("x", retry_after=3.0),
        errors.Throttled("x"),
        errors.Unavailable("x"),
        errors.Retry("x"),
        errors.Conflict("x"),
        errors.OutcomeUnknown("x"),
        errors.Skip("x"),
        errors.Invalid("x"),
        errors.Unlinkable("x"),
        errors.Unauthorised("x"),
        errors.Misconfigured("x"),
        KeyError("a defect"),
    ]
)
ATTEMPTS = st.builds(
    Attempt,
    st.sampled_from(Kind),
    st.floats(0, 2e9),
    st.integers(1, 50),
    st.floats(0, 1, exclude_max=True),
    wrote=st.booleans(),
    carried=st.booleans(),
)


@given(ERRORS, ATTEMPTS)
def test_a_command_that_may_have_been_carried_out_is_in_doubt_and_no_other_is(error: Any, attempt: Attempt) -> None:
    decision = decide(error, attempt, Limits())
    defect = not isinstance(error, errors.SluiceError)
    may_have = isinstance(error, errors.OutcomeUnknown) or attempt.carried or (defect and attempt.wrote)
    if attempt.kind is Kind.COMMAND:
        assert isinstance(decision, Verify) == may_have
    if attempt.kind is Kind.FETCH:
        assert not isinstance(decision, Verify)


@given(ERRORS, ATTEMPTS)
def test_a_doubt_ends_by_no_error_but_by_a_person_or_another_look(error: Any, attempt: Attempt) -> None:
    kept = still_in_doubt(decide(error, attempt, Limits()))
    assert isinstance(kept, Verify | Park)


@given(ERRORS, ATTEMPTS)
def test_nothing_is_tried_again_before_now_and_a_vendors_wish_is_obeyed_exactly(error: Any, attempt: Attempt) -> None:
    decision = decide(error, attempt, Limits())
    if isinstance(decision, RetryAt):
        assert decision.at >= attempt.now
        if isinstance(error, errors.Throttled) and error.retry_after is not None:
            assert decision.at == attempt.now + error.retry_after
            assert decision.blocks
