"""Shopify: signed webhooks, GraphQL Admin reads and writes paced by the level the API reports."""

from __future__ import annotations

from connectors.kit.contract import Platform
from connectors.shopify import settings
from connectors.shopify.context import CLOCK_ID
from connectors.shopify.destination import ShopifyDestination
from connectors.shopify.limits import LIMITS
from connectors.shopify.mapping import ShopifyMapping
from connectors.shopify.poller import ShopifyPoller
from connectors.shopify.subscriptions import ShopifySubscriptions
from connectors.shopify.tokens import ShopifyTokens
from connectors.shopify.webhook import ShopifySource
from schemas.entities import EntityType

PLATFORM = Platform(
    name="shopify",
    mapping=ShopifyMapping(),
    source=ShopifySource(),
    poller=ShopifyPoller(),
    destination=ShopifyDestination(),
    check=settings.check,
    tokens=ShopifyTokens(),
    subscriptions=ShopifySubscriptions(),
    clocks=dict.fromkeys(EntityType, CLOCK_ID),
    limits=LIMITS,
)
