"""Laws of the mapping: it is total over hostile JSON, deterministic, and never invents a link."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from connectors.kit.contract import Account, Envelope, Ignored, Mapped
from connectors.kit.errors import Invalid
from connectors.shopify import PLATFORM
from connectors.shopify.payload import nanoseconds
from schemas.entities import Channel, Op

ACCOUNT = Account(
    "t1",
    "shop-1",
    "shopify",
    "https://x",
    {"currency": "EUR", "locations": "1=BER, 655441491=MUC", "taxes_included": ""},
)
DATA = Path(__file__).parents[1] / "data" / "shopify"
REAL = {
    "products_update": "products/update",
    "inventory_levels_update": "inventory_levels/update",
    "orders_cancelled": "orders/cancelled",
    "orders_partly_shipped": "orders/updated",
    "read_product": "product",
    "read_inventory_item": "inventory_item",
    "read_inventory_level": "inventory_level",
    "read_order": "order",
}
TOPICS = (
    "products/update",
    "products/delete",
    "inventory_levels/update",
    "inventory_levels/disconnect",
    "inventory_items/update",
    "orders/updated",
    "product",
    "variant",
    "inventory_item",
    "inventory_level",
    "order",
    "sku",
)
# fmt: off
NAMES = (
    "id", "sku", "price", "updated_at", "updatedAt", "variants", "nodes", "inventory_item_id", "location_id",
    "available", "inventoryItem", "inventoryLevels", "quantities", "location", "item", "product", "variant", "name",
    "quantity", "line_items", "total_price", "currency", "tracked", "options", "tags", "status", "weight",
    "weight_unit", "measurement", "fulfillable_quantity", "current_quantity", "fulfillment_status", "fulfillments",
    "refunds", "refund_line_items", "line_item_id", "lineItems", "totalPriceSet", "originalUnitPriceSet", "shopMoney",
    "amount", "currencyCode", "displayFinancialStatus", "displayFulfillmentStatus", "currentQuantity", "customer",
)
# fmt: on
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        ["1", "gid://shopify/X/1", "19.90", "2026-03-01T12:00:00+01:00", "EUR", "kg", "available", "TEE-M"]
    ),
)
VALUES: st.SearchStrategy[Any] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=8),
    max_leaves=30,
)
BODIES = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=12)


def envelope(topic: str, body: bytes, op: Op = Op.UPSERT) -> Envelope:
    return Envelope("shop-1", Channel.WEBHOOK, topic, "d1", body, {}, 1_772_362_800_000_000, op=op)


def outcome(one: Envelope) -> list[Mapped] | Ignored | str:
    """What the mapping makes of it, or the text of the refusal; any other error is a defect."""
    try:
        return PLATFORM.mapping.map(ACCOUNT, one)
    except Invalid as error:
        return error.detail


@given(topic=st.sampled_from(TOPICS), body=BODIES, op=st.sampled_from(Op))
def test_any_json_is_mapped_ignored_or_refused_as_invalid(topic: str, body: dict[str, Any], op: Op) -> None:
    one = envelope(topic, orjson.dumps(body), op)
    result = outcome(one)
    assert result == outcome(one)
    if isinstance(result, str):
        assert topic in result
    elif not isinstance(result, Ignored):
        names = [(record.type, record.remote_id) for record in result]
        assert all(remote_id for _, remote_id in names)
        assert all(bool(record.link.golden_id) + bool(record.link.via) <= 1 for record in result)


@given(topic=st.sampled_from(TOPICS), body=st.binary(max_size=64))
def test_any_bytes_are_mapped_ignored_or_refused_as_invalid(topic: str, body: bytes) -> None:
    result = outcome(envelope(topic, body))
    assert not isinstance(result, str) or topic in result


@given(data=st.data(), value=VALUES, file_and_topic=st.sampled_from(sorted(REAL.items())))
def test_one_wrong_value_in_a_real_payload_is_mapped_or_refused_as_invalid(
    data: st.DataObject, value: Any, file_and_topic: tuple[str, str]
) -> None:
    file, topic = file_and_topic
    payload = orjson.loads((DATA / f"{file}.json").read_bytes())
    place: Any = payload
    while True:
        name = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not (isinstance(place[name], dict | list) and place[name] and data.draw(st.booleans())):
            break
        place = place[name]
    place[name] = value
    result = outcome(envelope(topic, orjson.dumps(payload)))
    assert not isinstance(result, str) or topic in result


@given(st.integers(0, 4_000_000_000), st.integers(0, 999_999_999), st.integers(-14, 14))
def test_nanoseconds_keep_every_digit_and_any_offset(seconds: int, fraction: int, hours: int) -> None:
    there = datetime.fromtimestamp(seconds, UTC).astimezone(timezone(timedelta(hours=hours)))
    text = there.strftime("%Y-%m-%dT%H:%M:%S") + f".{fraction:09d}" + f"{'-' if hours < 0 else '+'}{abs(hours):02d}:00"
    assert nanoseconds(text) == seconds * 1_000_000_000 + fraction


@given(st.text(max_size=40))
def test_no_text_breaks_the_reading_of_a_time(text: str) -> None:
    assert nanoseconds(text) is None or nanoseconds(text) == nanoseconds(text.strip())
