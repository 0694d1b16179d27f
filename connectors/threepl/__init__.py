"""A warehouse that ships for shops (3PL): orders in as commands, shipments and stock out. A REST platform."""

from __future__ import annotations

from connectors.kit.contract import Platform
from connectors.rest.destination import RestDestination
from connectors.rest.poller import RestPoller
from connectors.rest.webhooks import RestSource
from connectors.threepl import api, orders, settings
from connectors.threepl.limits import LIMITS
from connectors.threepl.mapping import MAPPING, VERSION
from schemas.entities import EntityType, Op

_ORDERS = ((EntityType.ORDER, Op.UPSERT), (EntityType.ORDER, Op.DELETE))

PLATFORM = Platform(
    name="threepl",
    mapping=MAPPING,
    source=RestSource(api.SIGNATURE, id_header=api.EVENT_HEADER, topic_header=api.TOPIC_HEADER),
    poller=RestPoller(api.API, api.PAGING, (api.SHIPMENTS, api.STOCK)),
    destination=RestDestination(
        api.API,
        writes=dict.fromkeys(_ORDERS, orders.write),
        verifies=dict.fromkeys(_ORDERS, orders.verify),
        operations=dict.fromkeys(_ORDERS, api.ONCE),
        fetches=(api.SHIPMENTS, api.STOCK),
    ),
    check=settings.check,
    clocks={EntityType.FULFILMENT: VERSION, EntityType.INVENTORY_LEVEL: VERSION},
    limits=LIMITS,
)
