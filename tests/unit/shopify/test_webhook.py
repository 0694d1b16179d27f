"""Who may deliver, and what the receiver learns of a delivery."""

from __future__ import annotations

import pytest

from connectors.kit.contract import Delivery
from connectors.kit.errors import BadSignature
from connectors.shopify.fake.delivery import signature
from connectors.shopify.webhook import ShopifySource
from tests.unit.shopify.support import account, body

SOURCE = ShopifySource()
BODY = body("orders_updated")


def delivery(payload: bytes = BODY, secret: str = "new", family: str = "x-shopify-", **changes: str) -> Delivery:
    """A signed delivery; `changes` replace headers by their name behind the prefix."""
    named = {
        "hmac-sha256": signature(secret, payload),
        "topic": "orders/updated",
        "shop-domain": "demo.myshopify.com",
        "webhook-id": "b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    return Delivery({family + name: value for name, value in named.items()}, payload, 0)


def test_the_published_vector_verifies() -> None:
    # Shopify/shopify-api-js, validate.test.ts
    known = "B23tXN681gZ0qIWNRrgtzBE9XSDo5yaUu6wfmhu3a7g="
    assert signature("test_secret_key", b'{"foo": "bar"}') == known
    with pytest.raises(BadSignature):
        SOURCE.authenticate(account(), delivery(b'{"foo": "bar"}', hmac_sha256=known))


@pytest.mark.parametrize("family", ["x-shopify-", "shopify-"])
@pytest.mark.parametrize("secret", ["new", "old"])
def test_both_header_families_and_all_active_secrets_are_accepted(family: str, secret: str) -> None:
    SOURCE.authenticate(account(), delivery(secret=secret, family=family))


def test_a_trailing_line_break_of_the_signature_is_trimmed() -> None:
    SOURCE.authenticate(account(), delivery(hmac_sha256=signature("new", BODY) + "\n"))


@pytest.mark.parametrize(
    "refused",
    [
        delivery(secret="retired"),
        delivery(hmac_sha256=""),
        delivery(hmac_sha256="not base64"),
        delivery(hmac_sha256=signature("new", BODY).lower()),
        Delivery(delivery().headers, BODY + b"\n", 0),
        Delivery(delivery().headers, BODY.replace(b"\\/", b"/"), 0),
    ],
)
def test_a_signature_that_does_not_fit_the_raw_body_is_refused(refused: Delivery) -> None:
    with pytest.raises(BadSignature):
        SOURCE.authenticate(account(), refused)


def test_two_signature_headers_are_refused() -> None:
    both = {**delivery().headers, **delivery(family="shopify-").headers}
    with pytest.raises(BadSignature, match="two signature headers"):
        SOURCE.authenticate(account(), Delivery(both, BODY, 0))


@pytest.mark.parametrize("domain", ["other.myshopify.com", ""])
def test_a_well_signed_delivery_of_another_shop_is_refused(domain: str) -> None:
    with pytest.raises(BadSignature, match="shop_domain"):
        SOURCE.authenticate(account(), delivery(shop_domain=domain))


def test_an_account_without_a_shop_domain_accepts_nothing() -> None:
    with pytest.raises(BadSignature, match="shop_domain"):
        SOURCE.authenticate(account(shop_domain=""), delivery(shop_domain=""))


def test_the_shop_domain_is_compared_without_regard_to_case() -> None:
    SOURCE.authenticate(account(), delivery(shop_domain="Demo.MyShopify.com"))


def test_a_delivery_is_named_by_its_webhook_id_and_never_by_its_event_id() -> None:
    facts = SOURCE.facts(account(), delivery(event_id="e1"))
    assert (facts.delivery_id, facts.topic) == ("b54557e4-bdd9-4b37-8a5f-bf7d70bcd043", "orders/updated")
    assert not facts.acknowledge_only


def test_without_a_webhook_id_topic_and_content_name_the_delivery() -> None:
    first, again, other_topic, other_body = (
        SOURCE.facts(account(), one).delivery_id
        for one in (
            delivery(webhook_id=""),
            delivery(webhook_id=""),
            delivery(webhook_id="", topic="orders/paid"),
            delivery(BODY + b" ", webhook_id=""),
        )
    )
    assert first == again
    assert len({first, other_topic, other_body}) == 3


@pytest.mark.parametrize("topic", ["customers/data_request", "customers/redact", "shop/redact"])
def test_compliance_topics_are_acknowledged_and_kept_only(topic: str) -> None:
    assert SOURCE.facts(account(), delivery(topic=topic)).acknowledge_only
