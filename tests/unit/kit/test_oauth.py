"""The token request: what is asked for, what is understood, and what each refusal means."""

from __future__ import annotations

import base64
from urllib.parse import parse_qs

import orjson
import pytest

from connectors.kit import errors, oauth
from connectors.kit.contract import Request, Response, Token
from connectors.kit.testing import refusal, replay, response

CLIENT = ("our id", "s3:cret")


def ask(reply: Response, *, basic: bool = False) -> tuple[Token, Request]:
    token, (request,) = replay(oauth.client_credentials("/token", CLIENT, scope="a b", basic=basic), [reply])
    return token, request


def granted(**fields: object) -> Response:
    return response(200, orjson.dumps({"access_token": "t1", "token_type": "Bearer", **fields}))


def test_the_client_travels_in_the_form() -> None:
    _, request = ask(granted())
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"], "scope": ["a b"], "client_id": ["our id"], "client_secret": ["s3:cret"],
    }  # fmt: skip


def test_the_client_travels_in_the_header_encoded_apart() -> None:
    _, request = ask(granted(), basic=True)
    scheme, _, pair = request.headers["authorization"].partition(" ")
    assert (scheme, base64.b64decode(pair)) == ("Basic", b"our+id:s3%3Acret")
    assert b"s3" not in request.body


def test_neither_the_request_nor_the_token_shows_its_secrets() -> None:
    token, request = ask(granted(refresh_token="r1"))
    assert "s3" not in repr(request)
    assert "t1" not in repr(token)
    assert token.secrets == {"access_token": "t1", "refresh_token": "r1"}


@pytest.mark.parametrize(
    ("said", "life"), [(86399, 86399.0), ("3600", 3600.0), (None, oauth.LIFE), (-1, oauth.LIFE), ("soon", oauth.LIFE)]
)
def test_a_life_that_is_not_said_is_an_hour(said: object, life: float) -> None:
    assert ask(granted(expires_in=said))[0].lives_for == life


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"error": "invalid_client"}, errors.Unauthorised),
        (401, {}, errors.Unauthorised),
        (400, {"error": "invalid_scope"}, errors.Invalid),
        (200, {"error": "unauthorized_client"}, errors.Unauthorised),
        (429, {}, errors.Throttled),
        (503, {}, errors.Unavailable),
        (200, {"token": "t1"}, errors.Unavailable),
    ],
)
def test_a_refusal_says_what_must_be_done(status: int, body: dict[str, str], kind: type[errors.SluiceError]) -> None:
    assert isinstance(refusal(lambda: ask(response(status, orjson.dumps(body)))), kind)


def test_a_refusal_does_not_repeat_a_body_that_is_not_understood() -> None:
    error = refusal(lambda: ask(response(400, b"client_secret=s3:cret is wrong")))
    assert "s3" not in str(error)
