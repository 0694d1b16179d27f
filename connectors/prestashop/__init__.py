"""PrestaShop: the webservice polled by windows and scans, written by absolute replacements. It sends no webhooks."""

from __future__ import annotations

from connectors.kit.contract import Platform
from connectors.prestashop import settings
from connectors.prestashop.destination import PrestaShopDestination
from connectors.prestashop.mapping import PrestaShopMapping
from connectors.prestashop.poller import PrestaShopPoller

PLATFORM = Platform(
    name="prestashop",
    mapping=PrestaShopMapping(),
    poller=PrestaShopPoller(),
    destination=PrestaShopDestination(),
    check=settings.check,
)
