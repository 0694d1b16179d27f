"""One vendor's REST API as a declaration, and the requests and replies that follow from it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

import orjson

from connectors.kit import quota
from connectors.kit.contract import Account, Budget, Feedback, Json, Request, Response
from connectors.kit.errors import Invalid, Misconfigured, OutcomeUnknown, Retry, SluiceError
from connectors.kit.outcomes import Meaning
from connectors.rest.conditions import strong
from connectors.rest.outcomes import Outcomes, Path, lookup

JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Credential:
    """The header that names us: `Authorization: Bearer <secret>`, or with `scheme=""` a header of the bare key.

    `secret`: the name of the account's secret that holds it.
    """

    secret: str
    header: str = "authorization"
    scheme: str = "Bearer"

    def headers(self, account: Account) -> dict[str, str]:
        """Raises Misconfigured when the account has no such secret."""
        try:
            value = account.secret(self.secret)
        except (KeyError, IndexError):
            raise Misconfigured(
                f"account {account.tenant}/{account.id} has no secret {self.secret!r}",
                hint="create one at the vendor and put it into the account's secrets",
            ) from None
        return {self.header: f"{self.scheme} {value}" if self.scheme else value}


@dataclass(frozen=True, slots=True)
class Api:
    """What a vendor's requests and replies have in common. `budget`: what it grants an account unless the account's
    settings say otherwise; `base`: path in front of all others, e.g. /v1; `idempotency_header`: where a write carries
    the name of its operation, empty when the vendor knows none; `etag_field`: where a record names its own revision,
    empty when only the header of a single read does."""

    vendor: str
    credential: Credential
    budget: Budget
    base: str = ""
    outcomes: Outcomes = field(default_factory=Outcomes)
    idempotency_header: str = "idempotency-key"
    etag_field: Path = ()

    # ------------------------------------------------------------------------------------------- requests

    def get(
        self, account: Account, path: str, operation: str, query: Mapping[str, str] | None = None, **ids: str
    ) -> Request:
        """A read. `path` is a template; `ids` are put into it, encoded. Raises Misconfigured."""
        return self._request(account, "GET", path, operation, ids, query=query)

    def send(
        self,
        account: Account,
        method: str,
        path: str,
        operation: str,
        body: Json,
        op_id: str,
        *,
        if_match: str = "",
        **ids: str,
    ) -> Request:
        """A write of a JSON body under the name of its operation. `if_match`: the ETag of the revision it is meant for,
        any other being refused with 412, which is a Conflict; empty for whatever is there. Raises Misconfigured."""
        key = {self.idempotency_header: op_id} if self.idempotency_header else {}
        condition = {"if-match": if_match} if if_match else {}
        content = {"content-type": JSON, **key, **condition, "x-request-id": op_id}
        request = self._request(account, method, path, operation, ids, headers=content, body=orjson.dumps(body))
        return replace(request, writes=True, key=op_id if key else "")

    def _request(
        self,
        account: Account,
        method: str,
        path: str,
        operation: str,
        ids: Mapping[str, str],
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Request:
        template = self.base + path
        return Request(
            method=method,
            path=template.format(**{name: _segment(value) for name, value in ids.items()}),
            operation=operation,
            endpoint=template,
            headers={"accept": JSON, **self.credential.headers(account), **(headers or {})},
            query=query or {},
            body=body,
        )

    # ------------------------------------------------------------------------------------------- replies

    def content(self, request: Request, response: Response) -> dict[str, Any]:
        """The JSON object of a success. Raises what the vendor's table says of anything else; a success that cannot be
        read leaves a write's outcome unknown, and a read is to be done again."""
        if self.outcomes.rule(response).meaning is not Meaning.SUCCESS:
            raise self.outcomes.error(request, response)
        try:
            value = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            value = None
        if not isinstance(value, dict):
            raise unreadable(request, response, "expected a JSON object")
        return value

    def found(self, request: Request, response: Response) -> dict[str, Any] | None:
        """As `content`; None when the vendor says in its own words that the record is not there."""
        if self.outcomes.rule(response).meaning is Meaning.GONE:
            return None
        return self.content(request, response)

    def etag(self, record: Json, response: Response | None = None) -> str:
        """The revision of a record for `send`; empty when the vendor names none that it would compare.

        `response`: the reply to a read of this record alone; the header of a list is the list's.
        """
        named = strong(lookup(record, self.etag_field)) if self.etag_field else ""
        return named or (strong(response.headers.get("etag")) if response is not None else "")

    def feedback(self, response: Response) -> Feedback:
        """What the reply says of the rate."""
        refused = self.outcomes.rule(response).meaning is Meaning.THROTTLED
        return replace(quota.of(response), throttled=refused, retry_after=self.outcomes.wait(response))


def unreadable(request: Request, response: Response, expected: str) -> SluiceError:
    """The error for a success whose body is not what it should be."""
    start = response.body[:60].decode("utf-8", "replace")
    text = f"{request.operation}: HTTP {response.status} with a body that cannot be read: {start!r}, {expected}"
    return OutcomeUnknown(text) if request.writes else Retry(text, reason="unreadable_reply")


def _segment(remote_id: str) -> str:
    """One path segment. Raises Invalid for an id that would be none: `.` and `..` name other addresses."""
    if remote_id.strip(".") == "":
        raise Invalid(f"{remote_id!r} cannot be an id of the API")
    return quote(remote_id, safe="")
