"""What the mapping makes can be written under the schemas."""

from __future__ import annotations

import pytest

from connectors.kit.contract import Observation
from connectors.prestashop import records
from schemas.codec import Codec, Schema, load, names
from tests.unit.prestashop.support import combined_product, mapped, rows, simple_product

META = {
    "event_id": b"0" * 16,
    "ce_id": "r7/price/1",
    "delivery_id": "r7",
    "tenant": "t1",
    "account": "shop-2",
    "platform": "prestashop",
    "golden_key": "k",
    "source_key": "s",
    "op": "UPSERT",
    "clock_id": "date_upd",
    "source_time": 0,
    "source_time_text": "",
    "corrected_time": 0,
    "version": {"clock": 0, "rank": 1, "sequence": 0, "mapping_revision": 1, "fingerprint": b"0" * 8},
    "completeness": "FULL",
    "channel": "POLL",
    "received_at": 0,
}


class LocalSchemas:
    """Numbers the local schemas."""

    def id_of(self, name: str) -> int:
        return names().index(name)

    def schema_of(self, schema_id: int) -> Schema:
        return load(names()[schema_id])


@pytest.mark.parametrize(
    "observation",
    [
        simple_product(),
        combined_product(),
        *records.stock(rows("stock_availables")[1:]),
        records.order(rows("orders")[0]),
    ],
    ids=lambda observation: f"{observation.topic}-{observation.resource_id}",
)
def test_every_record_survives_its_schema_with_all_its_fields(observation: Observation) -> None:
    codec = Codec(LocalSchemas())
    for record in mapped(observation):
        written = {"meta": META, **record.fields}
        decoded = codec.decode(codec.encode(record.type.value, written))
        for name, value in record.fields.items():
            if name != "placed_at":  # read back as a datetime
                assert decoded[name] == value, name
