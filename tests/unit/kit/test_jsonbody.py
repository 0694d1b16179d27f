"""What the payload readers of all platforms share."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from connectors.kit.errors import Invalid
from connectors.kit.jsonbody import JsonNode
from connectors.prestashop.payload import Node as PrestaShopNode
from connectors.rest.payload import Node as RestNode
from connectors.shopify.payload import Node as ShopifyNode

PLATFORMS = [JsonNode, PrestaShopNode, RestNode, ShopifyNode]


@pytest.mark.parametrize("kind", PLATFORMS)
def test_what_is_inside_a_body_is_of_the_same_kind_and_knows_its_path(kind: type[JsonNode]) -> None:
    node = kind("order", {"a": {"b": [{"c": 1}, {}]}})
    inner = node.child("a").children("b")[1]
    assert type(inner) is kind
    assert inner.at == "order.a.b[1]"


@pytest.mark.parametrize("kind", PLATFORMS)
@pytest.mark.parametrize("value", [None, "x", 1, [], True])
def test_a_child_is_an_object(kind: type[JsonNode], value: Any) -> None:
    with pytest.raises(Invalid, match=r"order\.a .*expected an object"):
        kind("order", {"a": value}).child("a")


@pytest.mark.parametrize(
    ("kind", "large", "fine"),
    [
        (
            PrestaShopNode,
            "a finite number of at most 14 digits before the point)",
            "at most 6 digits behind the point)",
        ),
        (RestNode, *["finite number of at most 14 digits before the point and 6 behind)"] * 2),
        (ShopifyNode, *["finite amount of at most 14 digits before the point and 6 behind)"] * 2),
    ],
)
def test_a_decimal_that_does_not_fit_says_why_in_the_words_of_its_platform(
    kind: type[JsonNode], large: str, fine: str
) -> None:
    for value, why in (("1e14", large), ("-1e14", large), ("NaN", large), ("1.1234567", fine)):
        with pytest.raises(Invalid) as refused:
            kind("order", {"a": value}).decimal("a")
        assert why in str(refused.value)
    assert kind("order", {"a": "99999999999999.999999"}).decimal("a") == Decimal("99999999999999.999999")


@pytest.mark.parametrize("kind", PLATFORMS)
def test_a_decimal_that_is_not_given_is_none(kind: type[JsonNode]) -> None:
    for value in (None, ""):
        assert kind("order", {"a": value}).optional_decimal("a") is None
    assert (kind("order", {"a": False}).value["a"] in kind.nothing) == (kind is PrestaShopNode)
