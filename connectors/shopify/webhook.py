"""Webhooks of a shop: authenticity and the facts the receiver needs. Pure, on the receiver's hot path.

Source: shopify.dev, webhooks/verify-deliveries and webhooks/delivery: base64(HMAC-SHA256(app client secret, raw
body)); nothing time-based is signed and retries keep their first trigger time, so age is never a reason to refuse.
Deliveries of the newer Events product carry the same headers without the `X-`.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

from connectors.kit.contract import Account, Delivery, DeliveryFacts
from connectors.kit.errors import BadSignature
from connectors.kit.signatures import HmacBase64

COMPLIANCE_TOPICS = frozenset({"customers/data_request", "customers/redact", "shop/redact"})
_FAMILIES = ("x-shopify-", "shopify-")
_SCHEMES = {family: HmacBase64(header=f"{family}hmac-sha256") for family in _FAMILIES}
_KEPT = ("topic", "webhook-id", "event-id", "triggered-at", "api-version", "shop-domain")


def header(headers: Mapping[str, str], name: str) -> str:
    """The header `name` of either family, trimmed; the empty text when there is none."""
    for family in _FAMILIES:
        value = headers.get(family + name, "").strip()
        if value:
            return value
    return ""


class ShopifySource:
    """Implements contract.Source."""

    # Orders with hundreds of lines pass 1 MB; what does not fit raw's largest message could not be kept anyway.
    max_body = 5 * 1024 * 1024
    kept_headers = tuple(family + name for family in _FAMILIES for name in _KEPT)

    def authenticate(self, account: Account, delivery: Delivery) -> None:
        """Signature of the raw body, then the shop's domain against the account's. Raises BadSignature."""
        signed = [family for family in _FAMILIES if f"{family}hmac-sha256" in delivery.headers]
        if len(signed) != 1:
            found = "no signature header" if not signed else "two signature headers"
            raise BadSignature(f"account {account.id!r}: a delivery with {found}", hint="x-shopify-hmac-sha256")
        _SCHEMES[signed[0]].verify(delivery, account.secrets.get("webhook", ()))
        _check_domain(account, delivery)

    def facts(self, account: Account, delivery: Delivery) -> DeliveryFacts:
        """Never raises: without a webhook id the id is derived from topic and content."""
        topic = header(delivery.headers, "topic")
        delivery_id = header(delivery.headers, "webhook-id") or _content_id(topic, delivery.body)
        return DeliveryFacts(delivery_id, topic, acknowledge_only=topic in COMPLIANCE_TOPICS)


def _check_domain(account: Account, delivery: Delivery) -> None:
    """One app secret signs for every shop that installed the app, so the signature alone does not name the shop."""
    expected = account.settings.get("shop_domain", "").lower()
    found = header(delivery.headers, "shop-domain").lower()
    if not expected or found != expected:
        raise BadSignature(
            f"account {account.id!r} is shop {expected!r}, the delivery says {found!r}",
            hint="check the webhook's address or the account's setting shop_domain",
        )


def _content_id(topic: str, body: bytes) -> str:
    return "content-" + blake2b(topic.encode("utf-8", "surrogateescape") + b"\0" + body, digest_size=16).hexdigest()
