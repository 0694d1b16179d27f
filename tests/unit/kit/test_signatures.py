"""Signatures over the raw body: published vectors, and what must be refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.kit.contract import Delivery, Signature
from connectors.kit.errors import BadSignature
from connectors.kit.signatures import HmacBase64, HmacHex

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "signature_vectors.json").read_text(encoding="utf-8")
)
SCHEMES: dict[str, tuple[str, Signature]] = {
    "shopify": ("x-shopify-hmac-sha256", HmacBase64()),
    "woocommerce": ("x-wc-webhook-signature", HmacBase64("x-wc-webhook-signature")),
    "github-256": ("x-hub-signature-256", HmacHex("x-hub-signature-256", prefix="sha256=")),
    "hmac-sha256-hex": ("x-convoy-signature", HmacHex("x-convoy-signature")),
}


def verify(vector: dict[str, Any]) -> None:
    header, scheme = SCHEMES[vector["scheme"]]
    delivery = Delivery({header: vector["signature"]}, vector["body"].encode(), 0)
    scheme.verify(delivery, vector["secrets"])


@pytest.mark.parametrize("vector", [one for one in VECTORS if one["valid"]], ids=lambda one: one["id"])
def test_a_signature_made_by_the_vendor_is_accepted(vector: dict[str, Any]) -> None:
    verify(vector)


@pytest.mark.parametrize("vector", [one for one in VECTORS if not one["valid"]], ids=lambda one: one["id"])
def test_what_the_vendor_did_not_sign_so_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(BadSignature):
        verify(vector)


def test_a_missing_header_is_refused_and_named() -> None:
    with pytest.raises(BadSignature, match="x-shopify-hmac-sha256 is missing"):
        HmacBase64().verify(Delivery({}, b"{}", 0), ["secret"])


def test_an_account_without_secret_is_told_so() -> None:
    with pytest.raises(BadSignature, match="no secret"):
        HmacBase64().verify(Delivery({"x-shopify-hmac-sha256": "abc="}, b"{}", 0), [])


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
def test_an_error_tells_neither_the_secret_nor_the_valid_signature(scheme: str) -> None:
    vector = next(one for one in VECTORS if one["scheme"] == scheme and one["valid"])
    with pytest.raises(BadSignature) as caught:
        verify({**vector, "signature": "bm90IHRoaXMgb25l"})
    told = str(caught.value) + repr(caught.value)
    assert vector["secrets"][0] not in told
    assert vector["signature"] not in told
    assert caught.value.status == 401
