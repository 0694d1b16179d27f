"""One clock per account and type: another one is refused, and taken when a person says so."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.kit.errors import Misconfigured
from schemas.entities import Completeness, EntityType
from streams.core.entity import Entity
from streams.core.layers import unpack
from streams.core.policy import FieldGroup, Policy, PolicyKind
from streams.resolver import clocks
from streams.resolver.routes import Member
from streams.shard.memory import MemoryRows
from streams.testing.topology import TopologyTestDriver
from tests.unit.resolver.test_deciding import MEMBERS, driver, price

KIND = EntityType.PRICE
SHOP = Member("acme", "shop", "shopify", clocks={KIND: "updated_at", EntityType.ORDER: "updated_at"})
COUNTING = replace(SHOP, clocks={KIND: "sequence", EntityType.ORDER: "updated_at"})


def kept(run: TopologyTestDriver) -> MemoryRows:
    run.commit()
    return MemoryRows(run.rows())


def entity(rows: MemoryRows, name: str = "A") -> Entity:
    return Entity.unpack(rows.data[f"Eacme|price|{name}".encode()])


def test_the_same_declaration_changes_nothing() -> None:
    rows = MemoryRows()
    clocks.settle(rows, [SHOP])
    before = dict(rows.data)
    clocks.settle(rows, [SHOP])
    assert rows.data == before


def test_another_clock_is_refused_and_the_next_step_named() -> None:
    rows = MemoryRows()
    clocks.settle(rows, [SHOP])
    with pytest.raises(Misconfigured, match=r"price was 'updated_at'.*'sequence'.*clock_epoch: 2 under tenants\.acme"):
        clocks.settle(rows, [COUNTING])


def test_a_type_that_is_declared_for_the_first_time_is_taken() -> None:
    rows = MemoryRows()
    clocks.settle(rows, [replace(SHOP, clocks={KIND: "updated_at"})])
    clocks.settle(rows, [SHOP])
    with pytest.raises(Misconfigured, match="order"):
        clocks.settle(rows, [replace(SHOP, clocks={EntityType.ORDER: "sequence"})])


def test_a_higher_epoch_takes_the_clock_and_lets_the_next_version_win() -> None:
    run = driver()
    run.say("shop", KIND, "A", price("1"))
    rows = kept(run)
    clocks.settle(rows, [SHOP])
    before = entity(rows)
    clocks.settle(rows, [replace(COUNTING, clock_epoch=2)])
    after = entity(rows)
    assert (after.winner, after.fingerprint, after.golden_version) == (
        before.winner,
        before.fingerprint,
        before.golden_version,
    )
    assert after.contributions[0].version < (1).to_bytes(8, "big") + bytes(21)
    with pytest.raises(Misconfigured, match="clock_epoch: 3"):
        clocks.settle(rows, [replace(SHOP, clock_epoch=2)])


def test_layers_keep_their_order_below_the_new_clock() -> None:
    groups = (FieldGroup("money", ("amount",), PolicyKind.LWW),)
    run = TopologyTestDriver.of(
        replace(driver().config.rules, policies={KIND: Policy(PolicyKind.LWW, groups=groups, partial=True)}), MEMBERS
    )
    run.say("shop", KIND, "A", {**price("1"), "price_list": "default", "sku": "A"})
    run.advance(1)
    run.say("shop", KIND, "A", price("2"), completeness=Completeness.PARTIAL)
    rows = kept(run)
    clocks.settle(rows, [SHOP])
    clocks.settle(rows, [replace(COUNTING, clock_epoch=2)])
    from_rows: Any = [value for key, value in rows.data.items() if key[:1] == b"V"]
    versions = [one.version[:21] for value in from_rows for one in unpack(value)]
    assert versions == sorted(versions, reverse=True)
    assert len(set(versions)) == 2
    assert entity(rows).contributions[0].version[:21] == versions[0]
    assert Decimal(run.state(KIND)["acme|price|A"]["amount"]["amount"]) == 2
