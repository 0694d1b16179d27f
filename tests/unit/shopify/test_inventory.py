"""Stock levels, thin from webhooks and full from reads."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.kit.contract import Ignored, Link, Mapped
from connectors.kit.errors import Invalid
from connectors.shopify import PLATFORM
from schemas.entities import Completeness, EntityType, Op
from tests.unit.shopify.support import NOON, TRIGGERED_NANOS, account, body, fetched, mapped, one, webhook


def level(**changes: Any) -> Mapped:
    (record,) = mapped(webhook("inventory_levels/update", body("inventory_levels_update", **changes)))
    return record


def test_a_thin_level_links_through_the_variant_that_is_known_as_its_item() -> None:
    record = level()
    assert record.remote_id == "49148385:655441491"
    assert record.link == Link(via=(EntityType.VARIANT, "inventory_item:49148385"), suffix="BER")
    assert record.fetch == ("inventory_item", "49148385")
    assert (record.clock, record.sequence) == (NOON + 5_000_000, TRIGGERED_NANOS)
    assert record.fields["available"] == Decimal(6)
    assert record.comparable == ("6",)


def test_negative_stock_is_mapped_as_it_is() -> None:
    assert level(available=-3).comparable == ("-3",)


def test_a_level_without_quantity_is_untracked_and_not_zero() -> None:
    record = level(available=None)
    assert (record.fields["tracked"], record.fields["available"], record.comparable) == (False, None, ("",))


def test_an_unknown_location_is_refused_and_names_the_setting() -> None:
    with pytest.raises(Invalid, match="add 777=<code> to the account's setting locations") as caught:
        level(location_id=777)
    assert caught.value.reason == "unknown_location"


def test_a_location_that_is_none_of_our_business_is_ignored() -> None:
    payload = body("inventory_levels_update", location_id=888)
    assert isinstance(PLATFORM.mapping.map(account(), webhook("inventory_levels/update", payload)), Ignored)


def test_a_connected_level_is_an_update_of_it() -> None:
    payload = body("inventory_levels_update")
    assert mapped(webhook("inventory_levels/connect", payload)) == mapped(webhook("inventory_levels/update", payload))


def test_a_disconnected_level_is_deleted_as_of_the_trigger() -> None:
    (gone,) = mapped(webhook("inventory_levels/disconnect", body("inventory_levels_disconnect")))
    assert (gone.op, gone.clock, gone.link.suffix) == (Op.DELETE, TRIGGERED_NANOS // 1000, "BER")


def test_an_item_update_is_only_a_hint_to_read_the_item() -> None:
    (hint,) = mapped(webhook("inventory_items/update", body("inventory_items_update")))
    assert (hint.completeness, hint.fetch) == (Completeness.HINT, ("inventory_item", "49148385"))


def test_a_read_item_gives_its_variant_its_price_and_every_level() -> None:
    records = mapped(fetched("inventory_item", body("read_inventory_item")), locations="655441491=BER,777=HAM")
    assert [record.link.golden_id for record in records] == ["TEE-M", "TEE-M~default~EUR", "TEE-M~BER", "TEE-M~HAM"]
    assert one(records, EntityType.VARIANT).known_as == ("inventory_item:49148385",)
    assert records[2].fields == {
        "sku": "TEE-M",
        "location": "BER",
        "available": Decimal(6),
        "on_hand": Decimal(8),
        "committed": Decimal(2),
        "incoming": Decimal(0),
        "tracked": True,
        "extra": {},
    }


def test_a_webhook_and_a_read_of_one_level_have_the_same_fingerprint_and_clock() -> None:
    pushed, seen = level(), mapped(fetched("inventory_level", body("read_inventory_level")))[0]
    assert (pushed.remote_id, pushed.clock, pushed.comparable) == (seen.remote_id, seen.clock, seen.comparable)
    assert seen.link.golden_id == "TEE-M~BER"


def test_a_read_level_at_an_unknown_location_does_not_take_its_siblings_along() -> None:
    records = mapped(fetched("inventory_item", body("read_inventory_item")))
    assert [record.link.golden_id for record in records if record.type is EntityType.INVENTORY_LEVEL] == [
        "TEE-M~BER",
        "",
    ]


def test_a_read_level_at_an_ignored_location_is_left_out() -> None:
    records = mapped(fetched("inventory_item", body("read_inventory_item")), ignored_locations="777")
    assert [record.link.golden_id for record in records if record.type is EntityType.INVENTORY_LEVEL] == ["TEE-M~BER"]


def test_a_polled_level_at_an_unknown_location_is_refused() -> None:
    payload = body("read_inventory_level", location={"id": "gid://shopify/Location/777"})
    with pytest.raises(Invalid, match="777"):
        mapped(fetched("inventory_level", payload))


def test_a_read_untracked_item_has_no_quantity_whatever_the_level_says() -> None:
    item = {"id": "gid://shopify/InventoryItem/49148385", "sku": "tee-m", "tracked": False}
    (record,) = mapped(fetched("inventory_level", body("read_inventory_level", item=item)))
    assert (record.fields["tracked"], record.comparable) == (False, ("",))


def test_what_a_read_says_is_never_fetched_once_more() -> None:
    records = mapped(fetched("inventory_item", body("read_inventory_item")))
    assert {record.fetch for record in records} == {None}


def test_an_item_a_read_found_gone_deletes_its_variant() -> None:
    (gone,) = mapped(fetched("inventory_item", b'{"id":"49148385"}', Op.DELETE))
    assert (gone.type, gone.op) == (EntityType.VARIANT, Op.DELETE)
    assert gone.link.via == (EntityType.VARIANT, "inventory_item:49148385")


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"inventory_item_id": None}, r"\$\.inventory_item_id"),
        ({"location_id": 1.5}, r"\$\.location_id is float"),
        ({"available": "six"}, r"\$\.available"),
        ({"updated_at": None}, r"\$\.updated_at"),
    ],
)
def test_a_broken_level_is_refused_by_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(Invalid, match=path):
        level(**change)
