"""PrestaShop: the webservice polled by windows and scans, written by absolute replacements. It sends no webhooks."""

from __future__ import annotations

from connectors.kit.contract import Platform
from connectors.prestashop import settings
from connectors.prestashop.destination import PrestaShopDestination
from connectors.prestashop.limits import LIMITS
from connectors.prestashop.mapping import DATE_UPD, READ_SEQUENCE, PrestaShopMapping
from connectors.prestashop.poller import PrestaShopPoller
from schemas.entities import EntityType

PLATFORM = Platform(
    name="prestashop",
    mapping=PrestaShopMapping(),
    poller=PrestaShopPoller(),
    destination=PrestaShopDestination(),
    check=settings.check,
    clocks={**dict.fromkeys(EntityType, DATE_UPD), EntityType.INVENTORY_LEVEL: READ_SEQUENCE},
    limits=LIMITS,
)
