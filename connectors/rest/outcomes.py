"""What a reply's status and the vendor's own code mean, as one table per vendor. Pure.

    success       carried out
    retry_now     not carried out yet, the same again in a moment (a request with this key is still running)
    retry_later   not carried out: the service is away or sheds load
    throttled     not carried out: refused for the rate
    auth          credentials refused: a person must act
    setup         address or permissions are wrong: a person must act
    conflict      the service holds something else than the request assumes
    invalid       the content can never be accepted
    gone          the record is not there
    unknown       a read failed; a write may have been carried out

Source of the defaults: RFC 9110, section 15; RFC 6585; draft-ietf-httpapi-idempotency-key-header, section 2.7 (409 and
422). A table names what its vendor does otherwise, by code before status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

import orjson

from connectors.kit.contract import Request, Response
from connectors.kit.errors import (
    Invalid,
    Misconfigured,
    OutcomeUnknown,
    Retry,
    SluiceError,
    Throttled,
    Unauthorised,
    Unavailable,
    Unlinkable,
)
from connectors.rest.limits import retry_after

Path = tuple[str | int, ...]
_LONGEST_MESSAGE = 300  # characters of the vendor's own words
_BASE_URL = "is the account's base URL the API's own, without the version?"


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


_BY_STATUS = {
    401: Meaning.AUTH,
    402: Meaning.SETUP,
    403: Meaning.AUTH,
    404: Meaning.GONE,
    405: Meaning.SETUP,
    408: Meaning.RETRY_NOW,
    409: Meaning.CONFLICT,
    410: Meaning.GONE,
    412: Meaning.CONFLICT,
    423: Meaning.RETRY_LATER,
    425: Meaning.RETRY_NOW,
    429: Meaning.THROTTLED,
    503: Meaning.RETRY_LATER,
}
_BY_CLASS = {2: Meaning.SUCCESS, 3: Meaning.SETUP, 4: Meaning.INVALID}


@dataclass(frozen=True, slots=True)
class ErrorBody:
    """Where an error reply says what is wrong: paths of keys and indexes into its JSON."""

    code: Path
    message: Path


PROBLEM = ErrorBody(("type",), ("detail",))  # RFC 9457


@dataclass(frozen=True, slots=True)
class Outcomes:
    """One vendor's table. `by_code`: the vendor's own error codes; `by_status`: where it departs from the defaults."""

    body: ErrorBody = PROBLEM
    by_code: Mapping[str, Meaning] = field(default_factory=lambda: MappingProxyType({}))
    by_status: Mapping[int, Meaning] = field(default_factory=lambda: MappingProxyType({}))

    def meaning(self, response: Response) -> Meaning:
        """What the reply means; a status that nobody knows leaves open what became of the request."""
        if response.status // 100 != 2 and (told := self.by_code.get(self.code(response))):
            return told
        known = self.by_status.get(response.status) or _BY_STATUS.get(response.status)
        return known or _BY_CLASS.get(response.status // 100, Meaning.UNKNOWN)

    def code(self, response: Response) -> str:
        """The vendor's code of an error reply; empty when it names none."""
        return str(lookup(_parsed(response.body), self.body.code) or "")

    def error(self, request: Request, response: Response) -> SluiceError:
        """The error of our tree that a reply stands for which is no success.

        A 404 without the vendor's own code is its web server's and says that the address is wrong: it must not look
        like a record that is gone.
        """
        text = self._text(request, response)
        match self.meaning(response):
            case Meaning.THROTTLED:
                return Throttled(text, retry_after=retry_after(response))
            case Meaning.RETRY_LATER:
                wait = retry_after(response)
                return Unavailable(text) if wait is None else Throttled(text, retry_after=wait)
            case Meaning.UNKNOWN:
                return OutcomeUnknown(text) if request.writes else Unavailable(text)
            case Meaning.SUCCESS:
                raise AssertionError(f"{text}: a success is no error")
            case Meaning.GONE if not self.code(response):
                return Misconfigured(f"{text}, and not in the API's own words", hint=_BASE_URL)
            case other:
                return _lasting(other, text)

    def _text(self, request: Request, response: Response) -> str:
        body = _parsed(response.body)
        code, message = (lookup(body, path) for path in (self.body.code, self.body.message))
        what = f"{request.operation}: HTTP {response.status}" + (f", {code}" if code else "")
        return f"{what}: {str(message)[:_LONGEST_MESSAGE]}" if message else what


def _lasting(meaning: Meaning, text: str) -> SluiceError:
    if meaning is Meaning.RETRY_NOW:
        return Retry(text, reason="retry_now")
    if meaning is Meaning.AUTH:
        return Unauthorised(text, hint="check the account's credential and what it may do at the vendor")
    if meaning is Meaning.SETUP:
        return Misconfigured(text, hint=_BASE_URL)
    if meaning is Meaning.CONFLICT:
        return Invalid(
            text, reason="conflict", hint="the vendor holds something else; look there before it is redriven"
        )
    return Unlinkable(text) if meaning is Meaning.GONE else Invalid(text)


def lookup(value: Any, path: Path) -> Any:
    """What stands at a path of keys and indexes; None where there is nothing."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _parsed(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
