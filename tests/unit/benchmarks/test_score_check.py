"""The model of a shop is the shop."""

from __future__ import annotations

import pytest

from benchmarks import score_check
from benchmarks.delivery.shops import KINDS
from schemas.entities import Lane


def test_a_modelled_shop_has_the_quota_the_rival_and_the_demand_of_the_fake_one() -> None:
    shopify, prestashop = (score_check.case(kind, 0.5, 30) for kind in KINDS)
    assert (shopify.api.quotas[0].refill, shopify.api.quotas[0].capacity) == (500.0, 600.0)
    assert (prestashop.api.quotas[0].refill, prestashop.api.quotas[0].capacity) == (50.0, 60.0)
    assert [(one.rate, one.start, one.end) for one in prestashop.api.rivals] == [(25.0, 10.0, 20.0)]
    assert [(one.lane, one.rate) for one in shopify.streams] == [(Lane.HIGH, 5.0), (Lane.BULK, 0.0)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.platform)
def test_a_modelled_shop_is_used_whole(kind: object) -> None:
    found = score_check.simulated(kind, 0.0, 12, seed=1)  # type: ignore[arg-type]
    assert found["utilisation"] > 0.95
    assert found["refused"] == 0.0


def test_what_differs_by_more_than_is_tolerated_is_named() -> None:
    row = {"scenario": "steady", "shop": "shopify", "simulated": {"utilisation": 0.99, "refused": 0.0}}
    near = {**row, "real": {"utilisation": 0.98, "refused": 0.004}}
    far = {**row, "real": {"utilisation": 0.90, "refused": 0.0}}
    assert score_check.missed([near]) == []
    assert score_check.missed([far]) == ["steady, shopify: utilisation 0.9 in real time, 0.99 simulated"]
