"""How long events wait for those before them: as long as their type says, or their account."""

from __future__ import annotations

from decimal import Decimal

import pytest

from schemas.entities import EntityType
from streams.core.policy import Ordering, OrderingMode, Rules
from streams.resolver.routes import Member, routes
from streams.testing.topology import TopologyTestDriver

KIND, OTHER = EntityType.INVENTORY_LEVEL, EntityType.PRICE
MEMBERS = [Member("acme", "shop", "shopify"), Member("acme", "erp", "prestashop"), Member("bold", "erp", "prestashop")]


def rules(mode: OrderingMode = OrderingMode.TIME) -> Rules:
    return Rules(ordering={KIND: Ordering(mode, 2.0, {"erp": 30.0}), OTHER: Ordering(mode, 2.0)})


def out(run: TopologyTestDriver, kind: EntityType = KIND) -> list[str]:
    run.commit()
    return [one["value"]["meta"]["account"] for one in run.events(kind)]


def test_an_accounts_own_lateness_holds_its_events_and_nobody_elses() -> None:
    run = TopologyTestDriver.of(rules(), MEMBERS)
    for account in ("shop", "acme|erp"):
        run.say(account, KIND, "A~MAIN", {"available": Decimal(5)})
        run.say(account, OTHER, "A~default~EUR", {})
    run.advance(3)
    assert out(run) == ["shop"]
    assert sorted(out(run, OTHER)) == ["erp", "shop"]
    run.advance(20)
    assert out(run) == ["shop"]
    run.advance(8)
    assert out(run) == ["shop", "erp"]


def test_an_event_within_its_accounts_lateness_is_put_in_order() -> None:
    run = TopologyTestDriver.of(rules(), MEMBERS)
    run.say("bold|erp", KIND, "A~MAIN", {"available": Decimal(5)})
    run.advance(20)
    run.say("bold|erp", KIND, "A~MAIN", {"available": Decimal(4)}, source_time=run.clock.now() - 21_000_000)
    run.advance(31)
    run.commit()
    released = run.events(KIND)
    assert [one["value"]["available"] for one in released] == [4, 5]
    assert not any(one["late"] for one in released)


def test_a_gap_is_given_up_after_the_accounts_own_lateness() -> None:
    run = TopologyTestDriver.of(rules(OrderingMode.CONTIGUOUS), MEMBERS)
    for account in ("shop", "acme|erp"):
        run.say(account, KIND, "A~MAIN", {"available": Decimal(5)}, clock=2)
    run.advance(3)
    assert out(run) == ["shop"]
    run.advance(28)
    assert out(run) == ["shop", "erp"]


def test_it_holds_after_a_restart_too() -> None:
    run = TopologyTestDriver.of(rules(), MEMBERS)
    run.say("acme|erp", KIND, "A~MAIN", {"available": Decimal(5)})
    run.advance(31)
    run.commit()
    run.restart()
    run.say("acme|erp", KIND, "A~MAIN", {"available": Decimal(6)})
    run.advance(20)
    assert out(run) == ["erp"]
    run.advance(11)
    assert out(run) == ["erp", "erp"]


def test_an_account_that_the_configuration_does_not_know_waits_as_its_type_does() -> None:
    table = routes(rules(), MEMBERS)
    assert table.streams[bytes(8) + bytes((KIND.code,))].lateness == 2.0
    assert table.streams[MEMBERS[1].hash + bytes((KIND.code,))].lateness == 30.0
    with pytest.raises(KeyError):
        table.streams[bytes(8) + b"\xff"]
