"""The warehouse's webhooks: payload, headers and signature. How they are sent: `connectors.kit.fakedelivery`."""

from __future__ import annotations

from random import Random

import aiohttp
import orjson

from connectors.kit import fakedelivery
from connectors.kit.clock import Clock
from connectors.kit.fakedelivery import Sent
from connectors.kit.signatures import digest
from connectors.rest.payload import iso
from connectors.threepl.api import EVENT_HEADER, SHIPMENT_UPDATED, SIGNATURE, TOPIC_HEADER
from connectors.threepl.fake import render
from connectors.threepl.fake.options import Options
from connectors.threepl.fake.records import Shipment

_TIMEOUT = aiohttp.ClientTimeout(total=10.0, sock_connect=3.0)


def signed(secret: str, event_id: str, topic: str, body: bytes, at: int) -> dict[str, str]:
    """The headers of one attempt at `at` (microseconds UTC)."""
    stamp = str(at // 1_000_000)
    signature = SIGNATURE.written(digest(secret, f"{stamp}.".encode() + body)).decode()
    return {
        "content-type": "application/json",
        EVENT_HEADER: event_id,
        TOPIC_HEADER: topic,
        SIGNATURE.timestamp_header: stamp,
        SIGNATURE.header: signature,
    }


class Deliveries(fakedelivery.Deliveries):
    """One webhook per change of a shipment."""

    def __init__(self, options: Options, random: Random, clock: Clock) -> None:
        super().__init__(options, random, _TIMEOUT)
        self._own, self._clock = options, clock

    def announce(self, shipment: Shipment) -> None:
        """Send the webhook of a change, if the warehouse has an address for it and was started."""
        if not self.wanted:
            return
        event_id, now = f"evt_{self.uuid()}", self._clock.now()
        event = {"id": event_id, "type": SHIPMENT_UPDATED, "created_at": iso(now), "data": render.shipment(shipment)}
        body = orjson.dumps(event)

        def headers() -> dict[str, str]:
            return signed(self._own.webhook_secret, event_id, SHIPMENT_UPDATED, body, self._clock.now())

        self.submit(Sent(event_id, SHIPMENT_UPDATED, shipment.id, now), headers, body)
