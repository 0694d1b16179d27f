"""What the courier does after an attempt: one table from the error tree to decisions. Pure.

Whatever may have been carried out is never simply repeated: it waits until the request can no longer land.
"""

from __future__ import annotations

from dataclasses import dataclass

from connectors.kit import backoff, errors
from connectors.kit.contract import Written
from streams.core.desired import Kind

UNLINKED = "unlinked"
UNKNOWN_OUTCOME = "outcome_unknown"
NOT_CARRIED_OUT = "not_carried_out"
INTERNAL = "internal_error"
EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and counts. `quarantine`: how long after it was sent a request may still land (the request timeout and a
    margin); `unlinked_attempts`: tries before a row without a link is parked; `bug_attempts`: of our own defects."""

    base: float = 1.0
    cap: float = 300.0
    quarantine: float = 35.0
    unlinked_attempts: int = 6
    unlinked_recheck: float = 30.0
    bug_attempts: int = 3
    auth_recheck: float = 30.0


@dataclass(frozen=True, slots=True)
class Done:
    """Carried out, or found to hold already."""

    written: Written


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Again, not before `at` (seconds UTC). `blocks`: nothing else of the bucket may be sent before either; `away`: the
    destination did not answer, so its other work is likely to fail as well."""

    at: float
    reason: str
    blocks: bool = False
    away: bool = False


@dataclass(frozen=True, slots=True)
class Park:
    """Wait for a link or a person; looked at again at `recheck_at`, None for never."""

    reason: str
    recheck_at: float | None = None


@dataclass(frozen=True, slots=True)
class Dead:
    """It can never succeed as it is."""

    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Filtered:
    """Nothing to do here and nothing lost by it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Verify:
    """A request may have been carried out and may still land until then (seconds UTC)."""

    until: float
    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """The account cannot go on; all its work waits until then (seconds UTC)."""

    until: float
    reason: str


Decision = Done | RetryAt | Park | Dead | Filtered | Verify | Pause


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that ended in an error. `now`: seconds UTC; `number`: first is 1; `jitter`: random in [0, 1);
    `wrote`: a request that writes may have left; `carried`: one of several was answered, so part of it is done."""

    kind: Kind
    now: float
    number: int
    jitter: float
    wrote: bool = False
    carried: bool = False


def decide(error: Exception, attempt: Attempt, limits: Limits) -> Decision:
    """The decision after `error`; anything outside our tree is a defect of ours or of a connector."""
    if _in_doubt(error, attempt, limits):
        return Verify(attempt.now + limits.quarantine, UNKNOWN_OUTCOME)
    if isinstance(error, errors.Stop):
        return Pause(attempt.now + limits.auth_recheck, error.reason)
    if isinstance(error, errors.Renewed):
        return RetryAt(attempt.now, error.reason)
    if isinstance(error, errors.Throttled) and error.retry_after is not None:
        return RetryAt(attempt.now + error.retry_after, error.reason, blocks=True)
    if isinstance(error, errors.Retry | errors.OutcomeUnknown):
        answered = isinstance(error, errors.Throttled | errors.Conflict)
        return RetryAt(_backoff(attempt, limits), error.reason, away=not answered)
    if isinstance(error, errors.Skip):
        return Filtered(error.reason)
    if isinstance(error, errors.Unlinkable) and attempt.kind is not Kind.FETCH:
        return _unlinked(attempt, limits)
    if isinstance(error, errors.SluiceError):
        return Dead(error.reason, str(error))
    if attempt.number < limits.bug_attempts:
        return RetryAt(_backoff(attempt, limits), INTERNAL)
    return Dead(INTERNAL, f"{type(error).__name__}: {error}")


def still_in_doubt(decision: Decision) -> Decision:
    """What a look-up that did not answer means for the command it was about: never that it may be repeated."""
    match decision:
        case RetryAt(at=at, reason=reason) if reason != NOT_CARRIED_OUT:
            return Verify(at, reason)
        case Pause(until, reason):
            return Verify(until, reason)
        case Dead() | Filtered():
            return Park(UNKNOWN_OUTCOME)
    return decision


def _in_doubt(error: Exception, attempt: Attempt, limits: Limits) -> bool:
    """A read changes nothing, whatever became of it; a defect after a write leaves its outcome open."""
    if attempt.kind is Kind.FETCH:
        return False
    if attempt.carried and attempt.kind is Kind.COMMAND:
        return True
    if isinstance(error, errors.SluiceError):
        return isinstance(error, errors.OutcomeUnknown)
    return attempt.wrote and (attempt.kind is Kind.COMMAND or attempt.number < limits.bug_attempts)


def _unlinked(attempt: Attempt, limits: Limits) -> Decision:
    if attempt.number >= limits.unlinked_attempts:
        return Park(UNLINKED, attempt.now + limits.unlinked_recheck)
    return RetryAt(_backoff(attempt, limits), UNLINKED)


def _backoff(attempt: Attempt, limits: Limits) -> float:
    return attempt.now + backoff.delay(attempt.number - 1, attempt.jitter, limits.base, limits.cap)
