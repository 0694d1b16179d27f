"""Webhook signatures over the raw body. Pure; constant time; no message tells a secret or a valid signature."""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from connectors.kit.contract import Delivery
from connectors.kit.errors import BadSignature


def digest(secret: str, message: bytes) -> bytes:
    """HMAC-SHA256, 32 bytes. A secret is used as the text it is given as, in UTF-8."""
    keyed = _keyed(secret).copy()
    keyed.update(message)
    return keyed.digest()


@lru_cache(maxsize=1024)
def _keyed(secret: str) -> hmac.HMAC:
    """The state after the key. `hmac.digest` would let go of the interpreter's lock for every message, and taking it
    back costs more than the digest of a small body where another thread waits for it (measured)."""
    return hmac.new(secret.encode(), digestmod="sha256")


def fits(signature: bytes, message: bytes, secrets: Sequence[str], text_of: Callable[[bytes], bytes]) -> bool:
    """Whether `signature` is the text of `message`'s digest under any secret. Takes the same time whichever fits.

    Texts are compared, not decoded bytes: a second spelling of the same signature is refused. An empty secret fits
    nothing, because anyone can sign with it.
    """
    accepted = False
    for secret in secrets:
        accepted |= bool(secret) and hmac.compare_digest(text_of(digest(secret, message)), signature)
    return accepted


def header(delivery: Delivery, name: str) -> bytes:
    """A signature header's value without surrounding blanks. Raises BadSignature when it is missing or empty."""
    value = delivery.headers.get(name, "").strip()
    if not value:
        raise BadSignature(f"header {name} is missing", hint="was this sent by the vendor, or stripped by a proxy?")
    return value.encode("utf-8", "surrogateescape")


def _refused(name: str, secrets: Sequence[str]) -> BadSignature:
    if not any(secrets):
        return BadSignature(f"{name} cannot be checked: the account has no secret", hint="see `sluice config check`")
    return BadSignature(
        f"{name} fits none of the {len(secrets)} active secrets",
        hint="is the account's secret the one this subscription was made with? Was the body changed on its way?",
    )


@dataclass(frozen=True, slots=True)
class HmacBase64:
    """Base64 of HMAC-SHA256 of the body: Shopify (x-shopify-hmac-sha256) and WooCommerce (x-wc-webhook-signature).

    shopify.dev/docs/apps/build/webhooks/subscribe/https; woocommerce.github.io/woocommerce-rest-api-docs, Webhooks.
    """

    header: str = "x-shopify-hmac-sha256"

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Accept when any of the active secrets fits. Raises BadSignature otherwise."""
        if not fits(header(delivery, self.header), delivery.body, secrets, b64encode):
            raise _refused(self.header, secrets)


@dataclass(frozen=True, slots=True)
class HmacHex:
    """Lower-case hex of HMAC-SHA256 of the body, behind an optional prefix: GitHub's `sha256=...` and many others.

    docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
    """

    header: str
    prefix: str = ""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Accept when any of the active secrets fits. Raises BadSignature otherwise."""
        if not fits(header(delivery, self.header), delivery.body, secrets, self._text):
            raise _refused(self.header, secrets)

    def _text(self, digest: bytes) -> bytes:
        return f"{self.prefix}{digest.hex()}".encode()
