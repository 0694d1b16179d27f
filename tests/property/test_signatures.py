"""Laws of webhook signatures."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.contract import Delivery
from connectors.kit.errors import BadSignature
from connectors.kit.signatures import HmacBase64, digest

HEADER = "x-shopify-hmac-sha256"
SECRETS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
BODIES = st.binary(min_size=1, max_size=300)


def signed(secret: str, body: bytes) -> Delivery:
    return Delivery({HEADER: b64encode(digest(secret, body)).decode()}, body, 0)


@given(st.lists(SECRETS, min_size=1, max_size=4), st.data(), BODIES)
def test_a_body_signed_with_any_active_secret_is_accepted(secrets: list[str], data: st.DataObject, body: bytes) -> None:
    HmacBase64().verify(signed(data.draw(st.sampled_from(secrets)), body), secrets)


@given(SECRETS, BODIES, st.data())
def test_any_flipped_bit_of_the_body_is_refused(secret: str, body: bytes, data: st.DataObject) -> None:
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    tampered = bytearray(body)
    tampered[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSignature):
        HmacBase64().verify(Delivery(signed(secret, body).headers, bytes(tampered), 0), [secret])


@given(SECRETS, BODIES, st.text(max_size=60))
def test_any_other_header_text_is_refused(secret: str, body: bytes, text: str) -> None:
    good = signed(secret, body)
    if text.strip() == good.headers[HEADER]:
        return
    with pytest.raises(BadSignature):
        HmacBase64().verify(Delivery({HEADER: text}, body, 0), [secret])
