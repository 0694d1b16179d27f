"""The table from errors to decisions, row by row."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.kit import errors
from streams.core import outcome
from streams.core.desired import Kind
from streams.core.outcome import Attempt, Dead, Filtered, Limits, Park, Pause, RetryAt, Verify, decide

LIMITS = Limits(base=1.0, cap=300.0, quarantine=35.0, unlinked_attempts=6, unlinked_recheck=30.0, auth_recheck=30.0)


def attempt(number: int = 1, **changes: Any) -> Attempt:
    facts: dict[str, Any] = {"kind": Kind.SET, "now": 100.0, "number": number, "jitter": 0.5}
    return Attempt(**{**facts, **changes})


@pytest.mark.parametrize(
    ("error", "decision"),
    [
        (errors.Throttled("slow", retry_after=7.5), RetryAt(107.5, "throttled", blocks=True)),
        (errors.Throttled("slow", retry_after=86_400.0), RetryAt(86_500.0, "throttled", blocks=True)),
        (errors.Throttled("slow"), RetryAt(100.5, "throttled")),
        (errors.Unavailable("away"), RetryAt(100.5, "unavailable", away=True)),
        (errors.Renewed("another token"), RetryAt(100.0, "renewed")),
        (errors.OutcomeUnknown("?"), Verify(135.0, "outcome_unknown")),
        (errors.Skip("nothing", reason="unsupported"), Filtered("unsupported")),
        (errors.Unlinkable("who?"), RetryAt(100.5, "unlinked")),
        (errors.Invalid("no: bad price"), Dead("invalid", "no: bad price")),
        (errors.Unauthorised("401"), Pause(130.0, "unauthorised")),
        (errors.Misconfigured("no key"), Pause(130.0, "misconfigured")),
        (KeyError("a defect"), RetryAt(100.5, "internal_error")),
    ],
)
def test_every_error_has_its_decision(error: Exception, decision: outcome.Decision) -> None:
    assert decide(error, attempt(), LIMITS) == decision


@pytest.mark.parametrize(("number", "wait"), [(1, 0.5), (2, 1.0), (3, 2.0), (9, 128.0), (10, 150.0), (500, 150.0)])
def test_waits_double_up_to_the_cap_with_full_jitter(number: int, wait: float) -> None:
    decision = decide(errors.Unavailable("away"), attempt(number), LIMITS)
    assert isinstance(decision, RetryAt)
    assert decision.at - 100.0 == wait


def test_a_row_without_a_link_is_parked_after_its_attempts_and_looked_at_again() -> None:
    assert isinstance(decide(errors.Unlinkable("who?"), attempt(5), LIMITS), RetryAt)
    assert decide(errors.Unlinkable("who?"), attempt(6), LIMITS) == Park("unlinked", 130.0)


def test_a_read_is_simply_repeated_when_no_reply_came() -> None:
    decision = decide(errors.OutcomeUnknown("?"), attempt(kind=Kind.FETCH, wrote=True), LIMITS)
    assert decision == RetryAt(100.5, "outcome_unknown", away=True)


def test_a_fetch_of_what_cannot_be_linked_is_dead() -> None:
    assert isinstance(decide(errors.Unlinkable("who?"), attempt(kind=Kind.FETCH), LIMITS), Dead)


def test_a_defect_kills_the_record_after_its_attempts() -> None:
    assert decide(KeyError("x"), attempt(3), LIMITS) == Dead("internal_error", "KeyError: 'x'")


def test_a_defect_after_a_write_leaves_the_outcome_open() -> None:
    assert isinstance(decide(KeyError("x"), attempt(wrote=True), LIMITS), Verify)
    assert isinstance(decide(KeyError("x"), attempt(3, wrote=True), LIMITS), Dead)
    assert isinstance(decide(KeyError("x"), attempt(3, wrote=True, kind=Kind.COMMAND), LIMITS), Verify)


@pytest.mark.parametrize(
    ("decision", "kept"),
    [
        (RetryAt(9.0, "unavailable", away=True), Verify(9.0, "unavailable")),
        (RetryAt(9.0, outcome.NOT_CARRIED_OUT), RetryAt(9.0, outcome.NOT_CARRIED_OUT)),
        (Pause(9.0, "unauthorised"), Verify(9.0, "unauthorised")),
        (Dead("invalid", "?"), Park(outcome.UNKNOWN_OUTCOME)),
        (Filtered("?"), Park(outcome.UNKNOWN_OUTCOME)),
        (Park("x"), Park("x")),
    ],
)
def test_a_look_up_that_failed_never_means_that_a_command_may_be_repeated(
    decision: outcome.Decision, kept: outcome.Decision
) -> None:
    assert outcome.still_in_doubt(decision) == kept
