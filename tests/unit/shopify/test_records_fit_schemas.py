"""What the mapping makes can be written under the schemas."""

from __future__ import annotations

import pytest

from connectors.kit.contract import Envelope
from schemas.codec import Codec, Schema, load, names
from tests.unit.shopify.support import body, fetched, mapped, webhook

META = {
    "event_id": b"0" * 16,
    "ce_id": "d1/price/1",
    "delivery_id": "d1",
    "tenant": "t1",
    "account": "shop-1",
    "platform": "shopify",
    "golden_key": "k",
    "source_key": "s",
    "op": "UPSERT",
    "clock_id": "updated_at",
    "source_time": 0,
    "source_time_text": "",
    "corrected_time": 0,
    "version": {"clock": 0, "rank": 1, "sequence": 0, "mapping_revision": 1, "fingerprint": b"0" * 8},
    "completeness": "FULL",
    "channel": "WEBHOOK",
    "received_at": 0,
}


class LocalSchemas:
    """Numbers the local schemas."""

    def id_of(self, name: str) -> int:
        return names().index(name)

    def schema_of(self, schema_id: int) -> Schema:
        return load(names()[schema_id])


@pytest.mark.parametrize(
    "envelope",
    [
        webhook("products/update", body("products_update")),
        webhook("inventory_levels/update", body("inventory_levels_update")),
        webhook("inventory_levels/update", body("inventory_levels_update", available=None)),
        webhook("orders/updated", body("orders_updated")),
        webhook("orders/cancelled", body("orders_cancelled")),
        webhook("orders/updated", body("orders_partly_shipped")),
        fetched("product", body("read_product")),
        fetched("inventory_item", body("read_inventory_item")),
        fetched("inventory_level", body("read_inventory_level")),
        fetched("order", body("read_order")),
    ],
    ids=lambda envelope: f"{envelope.channel}-{envelope.topic}",
)
def test_every_record_survives_its_schema_with_all_its_fields(envelope: Envelope) -> None:
    codec = Codec(LocalSchemas())
    for record in mapped(envelope):
        decoded = codec.decode(codec.encode(record.type.value, {"meta": META, **record.fields}))
        assert set(decoded) == {"meta", *record.fields}
