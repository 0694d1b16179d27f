"""The token request of OAuth 2.0, as a flow that the platforms with such tokens share. Pure.

Source: RFC 6749, sections 4.4 (client credentials), 5.1, 5.2 and 6 (refresh).
"""

from __future__ import annotations

import base64
import math
from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode

import orjson

from connectors.kit.contract import Request, Response, Token
from connectors.kit.errors import Invalid, SluiceError, Throttled, Unauthorised, Unavailable

LIFE = 3600.0  # seconds of a token whose reply does not say how long it lives
_REFUSED = frozenset({"invalid_client", "unauthorized_client", "invalid_grant", "access_denied"})
TokenFlow = Generator[Request, Response, Token]


def client_credentials(
    path: str, client: tuple[str, str], *, scope: str = "", basic: bool = False, name: str = "access_token"
) -> TokenFlow:
    """A token for id and secret of a client. `basic`: they travel in the Authorization header (client_secret_basic),
    else in the form (client_secret_post); `name`: of the secret that the token is laid over. Raises as `acquire`."""
    form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
    return acquire(path, form, client, basic=basic, name=name)


def acquire(
    path: str, form: Mapping[str, str], client: tuple[str, str], *, basic: bool, name: str = "access_token"
) -> TokenFlow:
    """Any grant. `path` is relative to the account's base URL. The request is paced like any other, but charged to no
    quota: those are of the API behind the token.

    Raises Unauthorised when the client or its grant is refused, Invalid for any other refusal, Throttled, and
    Unavailable when there is no usable answer: asking again costs nothing but a token that nobody uses.
    """
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    if basic:
        pair = ":".join(quote_plus(part) for part in client)
        headers["authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    else:
        form = {**form, "client_id": client[0], "client_secret": client[1]}
    body = urlencode(form).encode()
    request = Request("POST", path, "acquire_token", path, headers=headers, body=body, cost=0.0)
    reply = yield request
    return _token(reply, name)


def _token(reply: Response, name: str) -> Token:
    body = _object(reply.body)
    if reply.status != 200 or "error" in body:
        raise _refusal(reply, body)
    token = body.get("access_token")
    if not isinstance(token, str) or not token:
        raise Unavailable("acquire_token: the reply holds no access_token")
    secrets = {name: token}
    if isinstance(body.get("refresh_token"), str):
        secrets["refresh_token"] = body["refresh_token"]
    return Token(secrets, _life(body.get("expires_in")))


def _refusal(reply: Response, body: Mapping[str, Any]) -> SluiceError:
    """The vendor's code and words; never the body as it is, which might repeat what was sent."""
    code = body.get("error") if isinstance(body.get("error"), str) else ""
    detail = f"acquire_token: HTTP {reply.status} {code} {body.get('error_description') or ''}".rstrip()
    if reply.status == 429:
        return Throttled(detail, retry_after=_seconds(reply.headers.get("retry-after")))
    if reply.status >= 500 or reply.status == 408:
        return Unavailable(detail)
    if code in _REFUSED or reply.status in (401, 403):
        return Unauthorised(detail, hint="check the client id and the client secret of the account")
    return Invalid(detail, reason=str(code) or f"http_{reply.status}")


def _life(value: Any) -> float:
    found = _seconds(value)
    return LIFE if found is None else found


def _seconds(value: Any) -> float | None:
    """A number above 0, also when it is written as text; None for anything else."""
    try:
        found = float(value)
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) and found > 0 else None


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return value if isinstance(value, dict) else {}
