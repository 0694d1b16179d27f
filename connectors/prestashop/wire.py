"""Requests to the webservice and how its replies are read. Pure. What they mean stands in outcomes.py."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

import orjson

from connectors.kit import outcomes as meanings
from connectors.kit.contract import Account, Feedback, Request, Response
from connectors.kit.errors import Invalid, Misconfigured, OutcomeUnknown, Retry, SluiceError
from connectors.prestashop import outcomes, settings, xml
from connectors.prestashop.records import Row

_ENTITIES = {
    "products": "product",
    "combinations": "combination",
    "stock_availables": "stock_available",
    "orders": "order",
    "order_carriers": "order_carrier",
    "order_histories": "order_history",
}
_STOCK_IDS = ("id", "id_product", "id_product_attribute")


# ----------------------------------------------------------------------------------------------- requests


def read(account: Account, resource: str, **options: str) -> Request:
    """A GET of a list. Options are query parameters; `filter_x` stands for `filter[x]`."""
    query = {_parameter(name): value for name, value in options.items()}
    return _request(account, "GET", f"/api/{resource}", f"read_{resource}", resource, query)


def read_one(account: Account, resource: str, remote_id: str) -> Request:
    """A GET of one record with all its fields."""
    return _request(account, "GET", f"/api/{resource}/{_number(remote_id)}", f"read_{_ENTITIES[resource]}", resource)


def replace(account: Account, resource: str, fields: Mapping[str, Any], op_id: str, **options: str) -> Request:
    """A PUT of one record: it must carry every field, an absent one falls back to its default."""
    path = f"/api/{resource}/{_number(str(fields['id']))}"
    return _write(account, "PUT", path, f"/api/{resource}/{{id}}", resource, fields, op_id, options)


def create(account: Account, resource: str, fields: Mapping[str, Any], op_id: str, **options: str) -> Request:
    """A POST of one record. Sent twice it makes two."""
    return _write(account, "POST", f"/api/{resource}", f"/api/{resource}", resource, fields, op_id, options)


def _write(
    account: Account, method: str, path: str, endpoint: str, resource: str, fields: Mapping[str, Any], op_id: str,
    options: Mapping[str, str],
) -> Request:  # fmt: skip
    entity = _ENTITIES[resource]
    return Request(
        method=method,
        path=path,
        operation=f"write_{entity}",
        endpoint=endpoint,
        headers={**_headers(account), "content-type": "application/xml; charset=utf-8", "x-request-id": op_id},
        query={**_common(account), **options},
        body=xml.document(entity, fields),
        writes=True,
    )


def _request(
    account: Account, method: str, path: str, operation: str, resource: str, query: Mapping[str, str] | None = None
) -> Request:
    endpoint = f"/api/{resource}" if query is not None else f"/api/{resource}/{{id}}"
    merged = {**_common(account), **(query or {})}
    return Request(method, path, operation, endpoint, headers=_headers(account), query=merged)


def _parameter(name: str) -> str:
    return f"filter[{name.removeprefix('filter_')}]" if name.startswith("filter_") else name


def _common(account: Account) -> dict[str, str]:
    shop = settings.of(account).id_shop
    return {"output_format": "JSON", **({"id_shop": shop} if shop else {})}


def _headers(account: Account) -> dict[str, str]:
    """Basic authentication: the key is the user name, the password is empty."""
    try:
        key = account.secret("webservice_key")
    except (KeyError, IndexError):
        raise Misconfigured(
            f"account {account.id!r} has no secret 'webservice_key'",
            hint="create a key under Advanced Parameters > Webservice and put it into the account's secrets",
        ) from None
    return {"authorization": "Basic " + b64encode(f"{key}:".encode()).decode(), "accept": "application/json"}


def _number(remote_id: str) -> str:
    if not (remote_id.isascii() and remote_id.isdecimal()):
        raise Invalid(f"{remote_id!r} is not an id of the webservice", hint="its ids are whole numbers")
    return remote_id


# ----------------------------------------------------------------------------------------------- replies


def rows(request: Request, response: Response, resource: str) -> list[Row]:
    """The rows of a list; `[]` is how the webservice writes an empty one. Raises as `refuse` does."""
    if response.status != 200:
        refuse(request, response)
    content = _json(request, response)
    found = content.get(resource, ()) if isinstance(content, dict) else content
    named = isinstance(content, dict) and resource in content
    if not isinstance(found, list) or not (named or content == []):
        raise _unreadable(request, response)
    if not all(_is_row(row, resource) for row in found):
        raise _unreadable(request, response)
    return found


def one(request: Request, response: Response, resource: str) -> Row | None:
    """The one record of a reply, None when the shop has it no more. Raises as `refuse` does."""
    if response.status == 404 and _is_gone(response):
        return None
    if response.status not in (200, 201):
        refuse(request, response)
    content = _json(request, response)
    if isinstance(content, dict):
        found = content.get(_ENTITIES[resource])
        listed = content.get(resource)
        if found is None and isinstance(listed, list) and len(listed) == 1:
            found = listed[0]
        if isinstance(found, dict) and _is_row(found, resource):
            return found
    raise _unreadable(request, response)


def _is_row(row: Any, resource: str) -> bool:
    """Whether it is an object with the whole numbers that name it."""
    names = _STOCK_IDS if resource == "stock_availables" else ("id",)
    return isinstance(row, dict) and all(str(row.get(name)).isdecimal() for name in names)


def refuse(request: Request, response: Response) -> NoReturn:
    """Raises the error of our tree that a reply other than success stands for, with the shop's own message."""
    status, (code, message) = response.status, _first_error(response)
    what = f"{request.operation}: HTTP {status}" + (f", code {code}" if code else "")
    text = f"{what}: {message}" if message else what
    rule = outcomes.rule(status, code, writes=request.writes)
    raise meanings.error(rule, text, writes=request.writes, retry_after=retry_after(response))


def _is_gone(response: Response) -> bool:
    """Whether a 404 is the webservice's own (empty, or with its codes) and not the web server's, which would make
    a wrong base URL look like a deletion."""
    code, _ = _first_error(response)
    return code in (outcomes.UNKNOWN_ID, outcomes.NOT_IN_THIS_SHOP) or (
        not response.body and "psws-version" in response.headers
    )


def _json(request: Request, response: Response) -> Any:
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        raise _unreadable(request, response) from None


def _unreadable(request: Request, response: Response) -> SluiceError:
    """A PHP notice in front of the JSON, an interstitial page of a CDN, a reply cut short."""
    start = response.body[:60].decode("utf-8", "replace")
    text = f"{request.operation}: HTTP {response.status} with a body that cannot be read: {start!r}"
    if request.writes:
        return OutcomeUnknown(text)
    return Retry(text, reason="unreadable_reply", hint="does the shop print PHP notices into its replies?")


def _first_error(response: Response) -> tuple[int, str]:
    """Code and message of the reply's first error; (0, "") when it has none."""
    try:
        content = orjson.loads(response.body)
        first = content["errors"][0]
        return int(first.get("code") or 0), str(first.get("message", ""))[:300]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError, ValueError, AttributeError):
        return 0, ""


# ----------------------------------------------------------------------------------------------- pacing


def feedback(response: Response) -> Feedback:
    """Only refusals say something: the platform reports no level."""
    if response.status not in outcomes.THROTTLE_STATUSES or _first_error(response)[0] == outcomes.DISABLED:
        return Feedback()
    return Feedback(retry_after=retry_after(response), throttled=True)


def retry_after(response: Response) -> float | None:
    """Seconds to wait; None when the header is missing or malformed. Source: RFC 9110, section 10.2.3."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError):
        return None
    until = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, until.timestamp() - response.received_at / 1_000_000)


def shop_time(response: Response) -> int | None:
    """The server's own time in the `Access-Time` header, microseconds UTC; None when it does not say."""
    text = response.headers.get("access-time", "")
    return int(text) * 1_000_000 if text.isascii() and text.isdecimal() and len(text) <= 11 else None
