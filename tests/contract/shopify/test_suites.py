"""This platform joins the suites every platform keeps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.kit.contract import Account, Delivery
from connectors.kit.http import HttpSender
from connectors.kit.testing import DestinationContract, Live, SourceCase, SourceContract
from connectors.kit.testing_reads import (
    LivePolls,
    LiveSubscriptions,
    LiveTokens,
    PollerContract,
    SubscriptionsContract,
    TokensContract,
)
from connectors.shopify import PLATFORM
from connectors.shopify.destination import ShopifyDestination
from connectors.shopify.fake import FakeShopify
from connectors.shopify.fake.delivery import signature
from connectors.shopify.mapping import ShopifyMapping
from connectors.shopify.poller import ShopifyPoller
from connectors.shopify.subscriptions import ShopifySubscriptions
from connectors.shopify.tokens import ShopifyTokens
from connectors.shopify.webhook import ShopifySource
from tests.contract.shopify.support import price, sending, stock

SHOP = Account("t1", "shop-1", "shopify", "https://x", {"shop_domain": "x.myshopify.com"}, {"webhook": ["mine"]})


def signed(body: bytes) -> Delivery:
    """As the vendor signs with the app secret `mine`."""
    headers = {
        "x-shopify-hmac-sha256": signature("mine", body),
        "x-shopify-shop-domain": "x.myshopify.com",
        "x-shopify-topic": "products/update",
        "x-shopify-webhook-id": "w1",
    }
    return Delivery(headers, body, 0)


class TestShopifySource(SourceContract):
    """Signed webhooks."""

    def case(self) -> SourceCase:
        return SourceCase(ShopifySource(), SHOP, signed, replace(SHOP, secrets={"webhook": ["newer", "mine"]}))


class TestShopifyStock(DestinationContract):
    """Setting a stock level."""

    @pytest.fixture
    async def live(self, fake: FakeShopify, sender: HttpSender) -> Live:
        account, variant = fake.account(), fake.shop.by_sku("TEE-M")
        return Live(
            ShopifyDestination(),
            ShopifyMapping(),
            account,
            sending(sender, account),
            stock(fake, 42),
            value=lambda: str(fake.state()["levels"]["TEE-M"]["BER"]),
            wanted="42",
            fetch=("inventory_item", str(variant.item_id)),
            gone=("inventory_item", "999999"),
            revoked=replace(account, secrets={"access_token": ["revoked"]}),
        )


class TestShopifyPrice(DestinationContract):
    """Setting a price."""

    @pytest.fixture
    async def live(self, fake: FakeShopify, sender: HttpSender) -> Live:
        account, variant = fake.account(), fake.shop.by_sku("TEE-M")
        return Live(
            ShopifyDestination(),
            ShopifyMapping(),
            account,
            sending(sender, account),
            price(fake, "17.50"),
            value=lambda: str(fake.state()["prices"]["TEE-M"]),
            wanted="17.50",
            fetch=("product", str(variant.product_id)),
            gone=("product", "999999"),
            revoked=replace(account, secrets={"access_token": ["revoked"]}),
        )


class TestShopifyPolls(PollerContract):
    """Products, orders, stock and the list of SKUs."""

    @pytest.fixture
    async def polls(self, fake: FakeShopify, sender: HttpSender) -> LivePolls:
        fake.shop.create_order({"TEE-M": 1})
        account = fake.account()
        return LivePolls(ShopifyPoller(), PLATFORM.mapping, account, sending(sender, account), fake.clock.now)


class TestShopifyTokens(TokensContract):
    """Tokens for client id and client secret."""

    @pytest.fixture
    async def doors(self, fake: FakeShopify, sender: HttpSender) -> LiveTokens:
        account, product = fake.account(client_id="fake-client"), next(iter(fake.shop.products))
        return LiveTokens(
            ShopifyTokens(),
            account,
            sending(sender, account),
            opens=lambda one: ShopifyDestination().fetch(one, "product", str(product)),
            stranger=replace(account, secrets={"client_secret": ["guessed"]}),
            fixed=fake.account(),
        )


class TestShopifySubscriptions(SubscriptionsContract):
    """Webhook subscriptions that are made through the API."""

    @pytest.fixture
    async def subscribed(self, fake: FakeShopify, sender: HttpSender) -> LiveSubscriptions:
        account = fake.account(webhook_address="https://in.example/webhooks/shopify/t1/shop-1")
        others = fake.account(webhook_address="https://elsewhere.example/")
        return LiveSubscriptions(
            ShopifySubscriptions(), ShopifyPoller(), account, sending(sender, account), others, fake.account()
        )
