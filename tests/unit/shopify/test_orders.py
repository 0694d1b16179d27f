"""Orders: one record with its lines, no personal data."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from connectors.kit.contract import Ignored, Mapped
from connectors.kit.errors import Invalid
from connectors.shopify import PLATFORM
from schemas.entities import EntityType, Op
from tests.unit.shopify.support import NOON, account, body, fetched, mapped, one, webhook


def order(file: str = "orders_updated", topic: str = "orders/updated", **changes: Any) -> Mapped:
    return one(mapped(webhook(topic, body(file, **changes))), EntityType.ORDER)


def test_the_documented_minimal_order_is_mapped() -> None:
    record = order()
    assert (record.remote_id, record.link.golden_id, record.clock) == ("5551000111222", "shop-1:5551000111222", NOON)
    assert record.fields["number"] == "#1042"
    assert record.fields["total"] == {"amount": Decimal("49.90"), "currency": "EUR", "tax": "INCLUDED"}
    assert record.fields["fulfilment_status"] == "UNFULFILLED"
    assert record.fields["placed_at"] == NOON - 117_000_000


@pytest.mark.parametrize("topic", ["orders/create", "orders/updated", "orders/paid", "orders/fulfilled"])
def test_every_order_topic_gives_the_same_record(topic: str) -> None:
    assert order(topic=topic) == order()


def test_statuses_keep_the_sources_own_words() -> None:
    fields = order("orders_cancelled", "orders/cancelled").fields
    assert (fields["status"], fields["financial_status"]) == ("CANCELLED", "PARTIALLY_REFUNDED")
    assert (fields["fulfilment_status"], fields["fulfilment_status_raw"]) == ("PARTIAL", "partial")
    assert fields["cancelled_at"] == 1_772_436_600_000_000


def test_an_unknown_financial_status_is_unknown_and_not_lost() -> None:
    fields = order(financial_status="expired").fields
    assert (fields["financial_status"], fields["financial_status_raw"]) == ("UNKNOWN", "expired")


def test_a_closed_order_is_closed() -> None:
    assert order(closed_at="2026-03-01T12:00:00+01:00").fields["status"] == "CLOSED"


def test_lines_keep_their_order_and_may_have_no_sku() -> None:
    first, second = order("orders_cancelled", "orders/cancelled").fields["lines"]
    assert first == {
        "line_id": "866550311766439020",
        "sku": "TEE-M",
        "variant_remote_id": "642667041472713922",
        "quantity": Decimal(2),
        "unit_price": {"amount": Decimal("19.99"), "currency": "EUR", "tax": "INCLUDED"},
    }
    assert (second["sku"], second["variant_remote_id"]) == (None, None)


def test_the_orders_own_tax_basis_beats_the_setting() -> None:
    (line,) = order(taxes_included=False).fields["lines"]
    assert line["unit_price"]["tax"] == "EXCLUDED"
    assert order().fields["lines"][0]["unit_price"]["tax"] == "INCLUDED"


def test_no_personal_data_reaches_the_canonical_record() -> None:
    record = order("orders_cancelled", "orders/cancelled")
    assert record.fields["customer_remote_id"] == "115310627314723954"
    text = repr(record)
    for personal in ("jane", "Jane", "Doe", "Elm Street", "10115", "+49301234567"):
        assert personal not in text


def test_the_fingerprint_covers_the_whole_order() -> None:
    (text,) = order().comparable
    assert orjson.loads(text)["lines"][0]["quantity"] == "1"
    assert order(fulfillment_status="partial").comparable != order().comparable


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"id": None}, r"\$\.id"),
        ({"name": None}, r"\$\.name"),
        ({"total_price": None}, r"\$\.total_price"),
        ({"line_items": [{"id": 1, "quantity": None}]}, r"\$\.line_items\[0\]\.quantity"),
        ({"line_items": [{"id": 1, "quantity": 10**12}]}, r"\$\.line_items\[0\]\.quantity.*12 digits"),
        ({"line_items": "none"}, r"\$\.line_items is str"),
    ],
)
def test_a_broken_order_is_refused_by_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid, match=path):
        order(**change)


# ------------------------------------------------------------------------------------------------------- reads


def said(records: list[Mapped]) -> list[object]:
    """What the records say, without when and how it was heard."""
    return [(each.type, each.remote_id, each.link, each.op, each.clock, each.comparable) for each in records]


def test_a_read_order_gives_the_records_of_its_webhook() -> None:
    read = mapped(fetched("order", body("read_order")))
    pushed = mapped(webhook("orders/updated", body("orders_partly_shipped")))
    assert said(read) == said(pushed)
    assert read[0].fields == pushed[0].fields


@pytest.mark.parametrize(
    ("shown", "meant"),
    [("ON_HOLD", "UNFULFILLED"), ("IN_PROGRESS", "UNFULFILLED"), ("FULFILLED", "FULFILLED"), ("RESTOCKED", "UNKNOWN")],
)
def test_a_shown_status_that_a_webhook_does_not_know_is_read_as_the_webhook_says_it(shown: str, meant: str) -> None:
    records = mapped(fetched("order", body("read_order", displayFulfillmentStatus=shown)))
    assert one(records, EntityType.ORDER).fields["fulfilment_status"] == meant


def test_an_order_that_is_not_shown_any_more_is_not_deleted() -> None:
    made = PLATFORM.mapping.map(account(), fetched("order", b'{"id": "5"}', Op.DELETE))
    assert isinstance(made, Ignored)
