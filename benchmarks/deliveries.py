"""Signed Shopify webhooks of the W1 workload: each distinct, each known again by its number. Pure."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass

from connectors.kit.signatures import digest

TENANT, ACCOUNT, SHOP_DOMAIN, SECRET = "bench", "shop", "sluice-bench.myshopify.com", "bench-webhook-secret"
PATH = f"/webhooks/shopify/{TENANT}/{ACCOUNT}"
BODY_BYTES = 1_500
TOPIC = "inventory_levels/update"
_FILLER = '","note":"' + "A stock level as a shop with many apps sends it, with metafields. " * 24


def delivery_id(number: int) -> str:
    """The webhook id of a delivery: a UUID, as Shopify's are."""
    return f"{number:08x}-7d1c-4a5e-9b3f-000000000000"


def body(number: int) -> bytes:
    """The body of a delivery; BODY_BYTES long."""
    text = f'{{"inventory_item_id":{808950810 + number},"location_id":655441491,"available":{number % 1000}{_FILLER}'
    return (text[: BODY_BYTES - 2] + '"}').encode()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery with its signature, which is computed before the clock runs."""

    number: int
    signature: bytes

    def request(self) -> bytes:
        """The HTTP/1.1 request as Shopify makes it (shopify.dev, webhooks/verify-deliveries), ready to be written."""
        name = delivery_id(self.number).encode()
        return b"".join((_HEAD, self.signature, _ID, name, _EVENT, name, _END, body(self.number)))


def signed(number: int, secret: str = SECRET) -> Delivery:
    """A delivery signed with the account's secret, or with another one, which makes a forgery."""
    return Delivery(number, b64encode(digest(secret, body(number))))


_HEAD = (
    f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: Shopify-Captain-Hook\r\nAccept: */*\r\n"
    f"Content-Type: application/json\r\nContent-Length: {BODY_BYTES}\r\nX-Shopify-Topic: {TOPIC}\r\n"
    f"X-Shopify-Shop-Domain: {SHOP_DOMAIN}\r\nX-Shopify-API-Version: 2026-10\r\n"
    "X-Shopify-Triggered-At: 2026-10-01T12:00:00.000000000Z\r\nX-Shopify-Hmac-Sha256: "
).encode()
_ID, _EVENT, _END = b"\r\nX-Shopify-Webhook-Id: ", b"\r\nX-Shopify-Event-Id: ", b"\r\n\r\n"
