"""What a vendor's reply means for the caller: the words in which every vendor's outcome table is written. Pure.

success       carried out
retry_now     not carried out yet, the same again in a moment (a request with this key is still running)
retry_later   not carried out: the service is away or sheds load
throttled     not carried out: refused for the rate
auth          refused for who we are: a person must act before anything else of the account is sent
setup         address, permissions or settings are wrong: likewise
conflict      not carried out: the vendor holds something else than the request assumes
invalid       the content can never be accepted
gone          the record is not there
unknown       a read failed; a write may have been carried out
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from connectors.kit.errors import (
    Conflict,
    Invalid,
    Misconfigured,
    OutcomeUnknown,
    SluiceError,
    Stop,
    Throttled,
    Unauthorised,
    Unavailable,
    Unlinkable,
)


class Meaning(StrEnum):
    """See the module's table."""

    SUCCESS = "success"
    RETRY_NOW = "retry_now"
    RETRY_LATER = "retry_later"
    THROTTLED = "throttled"
    AUTH = "auth"
    SETUP = "setup"
    CONFLICT = "conflict"
    INVALID = "invalid"
    GONE = "gone"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a table. `reason`: stands in dead letters and metrics where the meaning's own says too little;
    `hint`: what the reader does next."""

    meaning: Meaning
    reason: str = ""
    hint: str = ""


def first(table: Mapping[str, Rule], codes: Collection[str]) -> Rule | None:
    """The rule of a reply with several codes: the one that stands first in the table; None when none is known."""
    return next((rule for code, rule in table.items() if code in codes), None)


def error(rule: Rule, text: str, *, writes: bool, retry_after: float | None = None) -> SluiceError:
    """The error of our tree for a reply that is no success. `text`: what was asked, with the vendor's own message;
    `writes`: of the request; `retry_after`: seconds."""
    match rule.meaning:
        case Meaning.THROTTLED:
            return Throttled(text, retry_after=retry_after)
        case Meaning.RETRY_LATER:
            return Unavailable(text, reason=rule.reason or None, hint=rule.hint)
        case Meaning.UNKNOWN if writes:
            return OutcomeUnknown(text, hint=rule.hint)
        case Meaning.UNKNOWN:
            return Unavailable(text, reason=rule.reason or None, hint=rule.hint)
        case Meaning.AUTH if not rule.reason:
            return Unauthorised(text, hint=rule.hint)
        case Meaning.SUCCESS:
            raise AssertionError(f"{text}: a success is no error")
        case lasting:
            kind = _LASTING[lasting]
            return kind(text, reason=rule.reason or None, hint=rule.hint)


_LASTING: Mapping[Meaning, type[SluiceError]] = {
    Meaning.RETRY_NOW: Conflict,
    Meaning.CONFLICT: Conflict,
    Meaning.AUTH: Stop,
    Meaning.SETUP: Misconfigured,
    Meaning.INVALID: Invalid,
    Meaning.GONE: Unlinkable,
}
