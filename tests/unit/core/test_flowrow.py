"""The row that says by which flows a shard's entities were moved."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from schemas.entities import EntityType, Lane
from streams.core.condition import Comparison, Condition, Operator
from streams.core.flowrow import Standing, pack, plain, unpack
from streams.core.policy import Flow, OnDelete, OnDrift, Rules, TaskKind, Tax
from streams.core.stock import Guard

PAID = Condition((Comparison(("financial_status",), Operator.IN, ("PAID",)),))
ORDERS = Flow("orders", EntityType.ORDER, ("wms",), ("lines", "number"), kind=TaskKind.COMMAND, when=PAID)
PRICES = Flow("prices", EntityType.PRICE, ("shop",), ("amount",))


def standing(revision: int, *flows: Flow) -> Standing:
    return Standing.of(Rules(flows=flows, flows_revision=revision))


def test_a_row_is_read_as_it_was_written() -> None:
    one = replace(standing(3, ORDERS, PRICES), open=frozenset({EntityType.ORDER}))
    assert unpack(pack(one)) == one
    assert unpack(None) == Standing()


@pytest.mark.parametrize("row", [b"", b"[]", b'{"format": 2}', b'{"format": 1}'])
def test_another_row_is_not_guessed_at(row: bytes) -> None:
    with pytest.raises(ValueError, match="not a row of flows"):
        unpack(row)


@pytest.mark.parametrize(
    "changed",
    [
        replace(PRICES, to=("shop", "presta")),
        replace(PRICES, fields=("amount", "compare_at")),
        replace(PRICES, lane=Lane.HIGH),
        replace(PRICES, kind=TaskKind.COMMAND),
        replace(PRICES, guard=Guard()),
        replace(PRICES, guard=Guard(channels={"shop": Decimal(1)})),
        replace(PRICES, when=PAID),
        replace(PRICES, source=("erp",)),
        replace(PRICES, to=(), to_origin=True),
        replace(PRICES, max_age=60.0),
        replace(PRICES, deletes=OnDelete.DELETE),
        replace(PRICES, on_drift=OnDrift.REPORT),
        replace(PRICES, tax=Tax(Decimal("0.2"), {"shop": "INCLUDED"})),
    ],
)
def test_every_part_of_a_flow_makes_it_another_one(changed: Flow) -> None:
    before, after = standing(1, PRICES), standing(2, changed)
    assert before.differing(after) == ["prices"]
    assert before.stale(after) == [EntityType.PRICE]


def test_the_order_of_names_says_nothing() -> None:
    one = replace(PRICES, to=("a", "b"), fields=("amount", "compare_at"))
    assert plain(one) == plain(replace(one, to=("b", "a"), fields=("compare_at", "amount")))


def test_stored_entities_are_looked_at_for_new_and_unfinished_flows_and_not_for_those_that_are_gone() -> None:
    both = standing(1, ORDERS, PRICES)
    assert both.stale(standing(2, ORDERS)) == []
    assert standing(1, ORDERS).stale(both) == [EntityType.PRICE]
    assert replace(both, open=frozenset({EntityType.ORDER})).stale(both) == [EntityType.ORDER]
