"""Times to the nanosecond, ids in every spelling."""

from __future__ import annotations

import pytest

from connectors.kit.errors import Invalid
from connectors.shopify.payload import Node, gid, nanoseconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-29T18:00:27.877041743Z", 1_774_807_227_877_041_743),
        ("2026-03-29T20:00:27.877041743+02:00", 1_774_807_227_877_041_743),
        ("2026-03-29T18:00:27Z", 1_774_807_227_000_000_000),
        ("2026-03-29T18:00:27.5Z", 1_774_807_227_500_000_000),
        (" 1970-01-01T00:00:00Z ", 0),
        ("1969-12-31T23:59:59Z", None),
        ("2026-03-29T18:00:27", None),
        ("2026-03-29 18:00:27Z", None),
        ("2026-13-29T18:00:27Z", None),
        ("", None),
    ],
)
def test_a_time_keeps_all_its_nanoseconds_and_needs_an_offset(text: str, expected: int | None) -> None:
    assert nanoseconds(text) == expected


@pytest.mark.parametrize(
    "value",
    [
        17,
        "17",
        "gid://shopify/Product/17",
        "gid://shopify/InventoryLevel/17?inventory_item_id=5",
    ],
)
def test_an_id_is_its_number_in_every_spelling(value: object) -> None:
    assert Node.of("t", {"id": value}).id("id") == "17"


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "", "abc", "gid://shopify/Product/", [17]])
def test_what_is_no_id_is_refused(value: object) -> None:
    with pytest.raises(Invalid, match=r"t: \$\.id is"):
        Node.of("t", {"id": value}).id("id")


def test_a_global_id_is_made_of_digits_only() -> None:
    assert gid("Product", "17") == "gid://shopify/Product/17"
    with pytest.raises(Invalid, match="Product"):
        gid("Product", '17"}')
