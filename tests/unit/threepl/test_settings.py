"""What an account of a warehouse can set."""

from __future__ import annotations

import pytest

from connectors import catalog
from connectors.kit.errors import Misconfigured
from connectors.threepl import settings
from schemas.entities import EntityType, Op
from schemas.topics import PLATFORMS
from tests.unit.threepl.support import account


def test_everything_that_is_documented_can_be_set() -> None:
    for name in ("warehouses", "ship_from", "lines_without_sku"):
        assert name in (settings.__doc__ or "")
    catalog.checking()(
        account(warehouses="HAM1=HAM, LEJ2=LEJ", ship_from="LEJ2", lines_without_sku="leave_out", rate="3")
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"warehouses": "HAM1"},
        {"warehouses": "A=X, B=X"},
        {"lines_without_sku": "drop"},
        {"site": "HAM1"},
        {"burst": "0"},
    ],
)
def test_a_wrong_setting_is_found_before_the_first_order(wrong: dict[str, str]) -> None:
    with pytest.raises(Misconfigured):
        catalog.checking()(account(**wrong))


def test_the_warehouse_is_in_both_catalogues_and_takes_orders_only() -> None:
    assert set(catalog.NAMES) == set(PLATFORMS)
    assert [kind for kind in EntityType if catalog.supports("threepl", kind, Op.UPSERT)] == [EntityType.ORDER]
