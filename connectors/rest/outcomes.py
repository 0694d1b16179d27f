"""Which rule a reply of a REST API stands for: the vendor's own error code before the status. Pure.

What the rules' words mean: `connectors.kit.outcomes`. Source of the defaults: RFC 9110, section 15; RFC 6585. A table
names what its vendor does otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import orjson

from connectors.kit import outcomes, quota
from connectors.kit.contract import Request, Response
from connectors.kit.errors import SluiceError, Throttled
from connectors.kit.outcomes import Meaning, Rule

Path = tuple[str | int, ...]
_LONGEST_MESSAGE = 300  # characters of the vendor's own words

_REFUSED = Rule(Meaning.AUTH, hint="check the account's credential and what it may do at the vendor")
_WRONG_ADDRESS = Rule(Meaning.SETUP, hint="is the account's base URL the API's own, without the version?")
_DISAGREES = Rule(
    Meaning.INVALID, "conflict", "the vendor holds something else; look there before the record is redriven"
)
_BY_STATUS = {
    401: _REFUSED,
    402: Rule(Meaning.SETUP, "payment_required", "the account at the vendor is not paid"),
    403: _REFUSED,
    404: Rule(Meaning.GONE),
    405: _WRONG_ADDRESS,
    408: Rule(Meaning.RETRY_NOW, "request_timeout"),
    409: _DISAGREES,
    410: Rule(Meaning.GONE),
    412: Rule(Meaning.CONFLICT),
    423: Rule(Meaning.RETRY_LATER, "locked"),
    425: Rule(Meaning.RETRY_NOW, "too_early"),
    429: Rule(Meaning.THROTTLED),
    503: Rule(Meaning.RETRY_LATER),
}
_BY_CLASS = {2: Rule(Meaning.SUCCESS), 3: _WRONG_ADDRESS, 4: Rule(Meaning.INVALID)}
_OPEN = Rule(Meaning.UNKNOWN)


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
    by_code: Mapping[str, Rule] = field(default_factory=lambda: MappingProxyType({}))
    by_status: Mapping[int, Rule] = field(default_factory=lambda: MappingProxyType({}))

    def rule(self, response: Response) -> Rule:
        """The rule of a reply; a status that nobody knows leaves open what became of the request.

        A 404 without the vendor's own code is its web server's and says that the address is wrong: it must not look
        like a record that is gone.
        """
        status, code = response.status, self.code(response)
        if status // 100 != 2 and code in self.by_code:
            return self.by_code[code]
        found = self.by_status.get(status) or _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, _OPEN)
        return _WRONG_ADDRESS if found.meaning is Meaning.GONE and not code else found

    def code(self, response: Response) -> str:
        """The vendor's code of an error reply; empty when it names none."""
        return str(lookup(_parsed(response.body), self.body.code) or "")

    def error(self, request: Request, response: Response) -> SluiceError:
        """The error of our tree for a reply that is no success, with the vendor's own message."""
        rule, text, wait = self.rule(response), self._text(request, response), self.wait(response)
        if rule.meaning is Meaning.RETRY_LATER and wait is not None:
            return Throttled(text, retry_after=wait)  # a service that says when it is back is left alone until then
        return outcomes.error(rule, text, writes=request.writes, retry_after=wait)

    def wait(self, response: Response) -> float | None:
        """Seconds that a refusal asks to wait: as Retry-After says, else until the quota is whole again."""
        said = quota.of(response)
        refused = self.rule(response).meaning is Meaning.THROTTLED
        return said.resets_after if said.retry_after is None and refused else said.retry_after

    def _text(self, request: Request, response: Response) -> str:
        body = _parsed(response.body)
        code, message = (lookup(body, path) for path in (self.body.code, self.body.message))
        what = f"{request.operation}: HTTP {response.status}" + (f", {code}" if code else "")
        return f"{what}: {str(message)[:_LONGEST_MESSAGE]}" if message else what


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
