"""One GraphQL Admin call: the request, and the reply read in the order that is safe. Pure.

HTTP status -> JSON -> top-level errors -> userErrors -> cost: a throttled call is HTTP 200, and a mutation that was
refused has data. Sources: shopify.dev, usage/response-codes, graphql-admin/rate-limits, usage/idempotent-requests.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import orjson

from connectors.kit import outcomes as meanings
from connectors.kit.contract import Account, Feedback, Request, Response
from connectors.kit.errors import Misconfigured, OutcomeUnknown, SluiceError
from connectors.kit.outcomes import Meaning, Rule
from connectors.shopify import outcomes, settings

ENDPOINT = "/admin/api/{version}/graphql.json"


class AttemptFailed(OutcomeUnknown):
    """The first call with this idempotency key failed inside; only a new key can carry the operation out."""


def request(
    account: Account,
    operation: str,
    document: str,
    variables: Mapping[str, Any],
    *,
    cost: float,
    op_id: str = "",
    writes: bool = False,
    key: str = "",
) -> Request:
    """One call. `op_id` travels as x-request-id; `key`: the idempotency key among the variables. Raises Misconfigured
    without an access token or with a bad version."""
    try:
        token = account.secret("access_token")
    except (KeyError, IndexError):
        raise Misconfigured(f"account {account.id!r} has no secret access_token", hint="add its file") from None
    headers = {"content-type": "application/json", "accept": "application/json", "x-shopify-access-token": token}
    if op_id:
        headers["x-request-id"] = op_id
    return Request(
        method="POST",
        path=ENDPOINT.format(version=settings.api_version(account)),
        operation=operation,
        endpoint=ENDPOINT,
        headers=headers,
        body=orjson.dumps({"query": document, "variables": variables}),
        cost=cost,
        writes=writes,
        key=key,
    )


def data(sent: Request, reply: Response) -> dict[str, Any]:
    """The `data` object of a reply. Raises what the reply means for the caller, see `_status` and `_errors`."""
    _check_status(sent, reply)
    try:
        body = orjson.loads(reply.body)
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise _unanswered(sent, "the reply is not a JSON object")
    found = _entries(body.get("errors"))
    if found or body.get("errors"):
        raise _error(sent, found, body)
    if not isinstance(body.get("data"), dict):
        raise _unanswered(sent, "the reply has neither data nor errors")
    result: dict[str, Any] = body["data"]
    return result


def payload(sent: Request, reply: Response, mutation: str) -> dict[str, Any]:
    """The payload of a mutation that was carried out. Raises for every entry of its userErrors, and as `data`."""
    result = data(sent, reply).get(mutation)
    if not isinstance(result, dict):
        raise _unanswered(sent, f"the reply has no {mutation}")
    refused = _entries(result.get("userErrors"))
    if refused:
        raise _error(sent, refused, {})
    return result


def refusals(sent: Request, reply: Response, mutation: str) -> dict[int, SluiceError]:
    """Of a mutation of a list that takes all or none, the entries that were refused; none when it was carried out.

    Raises as `payload` does when what was refused is not an entry.
    """
    return divided(sent, reply, mutation)[1]


def divided(sent: Request, reply: Response, mutation: str) -> tuple[dict[str, Any], dict[int, SluiceError]]:
    """The payload of a mutation of a list, and the entries that were refused, by their place.

    Raises as `payload` does when what was refused is not an entry.
    """
    result = data(sent, reply).get(mutation)
    if not isinstance(result, dict):
        raise _unanswered(sent, f"the reply has no {mutation}")
    found: dict[int, list[Mapping[str, Any]]] = {}
    for entry in (refused := _entries(result.get("userErrors"))):
        path = entry.get("field")
        parts = [str(part) for part in path] if isinstance(path, list) else []
        place = next((int(part) for part in parts if part.isascii() and part.isdecimal()), None)
        if place is None:
            raise _error(sent, refused, {})
        found.setdefault(place, []).append(entry)
    return result, {place: _error(sent, entries, {}) for place, entries in found.items()}


# ----------------------------------------------------------------------------------------------- errors


def _check_status(sent: Request, reply: Response) -> None:
    if reply.status != 200:
        rule = outcomes.of_status(reply.status)
        text = f"{sent.operation}: HTTP {reply.status}"
        if rule.meaning is Meaning.INVALID:
            text += f": {reply.body[:200].decode('utf-8', 'replace')}"
        raise meanings.error(rule, text, writes=sent.writes, retry_after=retry_after(reply))


def _unanswered(sent: Request, why: str) -> SluiceError:
    """No usable reply: a write may have been carried out, a read was not answered."""
    return meanings.error(Rule(Meaning.UNKNOWN), f"{sent.operation}: {why}", writes=sent.writes)


def _error(sent: Request, found: list[Mapping[str, Any]], body: Mapping[str, Any]) -> SluiceError:
    """The error of errors or userErrors, in the vendor's own words."""
    codes, text = [_code(entry) for entry in found], _text(sent, found)
    if outcomes.PREVIOUS_ATTEMPT_FAILED in codes:
        return AttemptFailed(text)
    unknown = Rule(Meaning.INVALID, next((code.lower() for code in codes if code), "refused"))
    rule = meanings.first(outcomes.BY_CODE, codes) or unknown
    return meanings.error(rule, text, writes=sent.writes, retry_after=_wait(body))


def _entries(value: Any) -> list[Mapping[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _code(entry: Mapping[str, Any]) -> str:
    extensions = entry.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else entry.get("code")
    return code if isinstance(code, str) else ""


def _text(sent: Request, entries: list[Mapping[str, Any]]) -> str:
    texts = [f"{_code(entry)} {entry.get('message', '')} {entry.get('field') or ''}".strip() for entry in entries]
    return f"{sent.operation}: {'; '.join(texts) or 'refused without a reason'}"


# ----------------------------------------------------------------------------------------------- feedback


def feedback(reply: Response) -> Feedback:
    """What a reply says about the bucket; malformed parts are as good as none. Never raises.

    `throttleStatus` can be absent (seen on partner shops); REST replies say used/size in a header instead.
    """
    body = _object(reply.body)
    throttled = reply.status == 429 or any(_code(entry) == "THROTTLED" for entry in _entries(body.get("errors")))
    cost, status = _cost(body), _throttle_status(body)
    used, limit = _call_limit(reply)
    level = _number(status, "currentlyAvailable")
    charged = _number(cost, "actualQueryCost")
    if charged is None:
        charged = _number(cost, "requestedQueryCost")
    wait = retry_after(reply)
    return Feedback(
        cost=0.0 if throttled else charged,
        level=level if level is not None or used is None or limit is None else limit - used,
        limit=_number(status, "maximumAvailable") or limit,
        restore_rate=_number(status, "restoreRate"),
        retry_after=_wait(body) if throttled and wait is None else wait,
        throttled=throttled,
    )


def retry_after(reply: Response) -> float | None:
    """Retry-After in (decimal) seconds; None when absent or something else."""
    return _finite(reply.headers.get("retry-after", ""))


def _wait(body: Mapping[str, Any]) -> float | None:
    """Seconds until the bucket holds what was asked for: (requested - available) / restore rate."""
    asked, status = _number(_cost(body), "requestedQueryCost"), _throttle_status(body)
    available, rate = _number(status, "currentlyAvailable"), _number(status, "restoreRate")
    if asked is None or available is None or not rate:
        return None
    return max(0.0, asked - available) / rate


def _cost(body: Mapping[str, Any]) -> Mapping[str, Any]:
    extensions = body.get("extensions")
    cost = extensions.get("cost") if isinstance(extensions, dict) else None
    return cost if isinstance(cost, dict) else {}


def _throttle_status(body: Mapping[str, Any]) -> Mapping[str, Any]:
    status = _cost(body).get("throttleStatus")
    return status if isinstance(status, dict) else {}


def _call_limit(reply: Response) -> tuple[float | None, float | None]:
    used, _, limit = reply.headers.get("x-shopify-shop-api-call-limit", "").partition("/")
    return _finite(used), _finite(limit)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}


def _number(values: Mapping[str, Any], name: str) -> float | None:
    value = values.get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def _finite(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None
