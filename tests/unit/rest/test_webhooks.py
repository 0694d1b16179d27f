"""Signatures by declaration."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.contract import Delivery
from connectors.kit.errors import BadSignature
from connectors.rest.webhooks import HmacSha256, RestSource, Text
from tests.unit.rest.support import ACCOUNT

PLAIN = HmacSha256("x-sig", Text.BASE64)
STAMPED = HmacSha256("x-sig", prefix="v1=", timestamp_header="x-at", tolerance=60)
SECOND = 1_000_000


def stamped(body: bytes, at: int, secret: str = "s") -> dict[str, str]:
    """Headers as a vendor makes them, apart from our own code."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return {"x-sig": f"v1={digest}", "x-at": str(at)}


def test_a_published_vector_is_accepted() -> None:
    """docs.github.com, webhooks, validating deliveries: secret, payload and signature."""
    scheme = HmacSha256("x-hub-signature-256", prefix="sha256=")
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    scheme.verify(Delivery({"x-hub-signature-256": signature}, b"Hello, World!", 0), ["It's a Secret to Everybody"])


@given(st.binary(), st.text(min_size=1, alphabet=st.characters(codec="ascii")))
def test_what_the_secret_signed_is_accepted_and_nothing_else(body: bytes, secret: str) -> None:
    written = PLAIN.written(hmac.digest(secret.encode(), body, "sha256")).decode()
    PLAIN.verify(Delivery({"x-sig": written}, body, 0), ["other", secret])
    for forged in (Delivery({"x-sig": written}, body + b"\n", 0), Delivery({"x-sig": written + "="}, body, 0)):
        with pytest.raises(BadSignature):
            PLAIN.verify(forged, ["other", secret])


@pytest.mark.parametrize(("age", "accepted"), [(0, True), (60, True), (-60, True), (61, False), (-61, False)])
def test_a_signed_time_stamp_is_believed_within_its_tolerance(age: int, accepted: bool) -> None:
    delivery = Delivery(stamped(b"{}", 1000), b"{}", (1000 + age) * SECOND)
    if accepted:
        STAMPED.verify(delivery, ["s"])
    else:
        with pytest.raises(BadSignature, match="60 s are allowed"):
            STAMPED.verify(delivery, ["s"])


def test_a_time_stamp_that_is_not_the_signed_one_is_refused() -> None:
    delivery = Delivery({**stamped(b"{}", 1000), "x-at": "2000"}, b"{}", 2000 * SECOND)
    with pytest.raises(BadSignature, match="active secrets"):
        STAMPED.verify(delivery, ["s"])


def test_a_signed_time_stamp_that_is_no_time_is_refused() -> None:
    digest = hmac.new(b"s", b"soon.{}", hashlib.sha256).hexdigest()
    with pytest.raises(BadSignature, match="epoch seconds"):
        STAMPED.verify(Delivery({"x-sig": f"v1={digest}", "x-at": "soon"}, b"{}", 0), ["s"])


def test_an_account_without_a_secret_accepts_nothing() -> None:
    with pytest.raises(BadSignature):
        RestSource(STAMPED, id_header="x-id", topic_header="x-topic").authenticate(
            ACCOUNT, Delivery(stamped(b"{}", 1, ""), b"{}", SECOND)
        )


def test_the_vendors_name_of_the_event_is_the_delivery_id() -> None:
    source = RestSource(STAMPED, id_header="x-id", topic_header="x-topic")
    facts = source.facts(ACCOUNT, Delivery({"x-id": "evt_1", "x-topic": "thing.changed"}, b"{}", 0))
    assert (facts.delivery_id, facts.topic) == ("evt_1", "thing.changed")
    assert source.kept_headers == ("x-id", "x-topic", "x-at")
