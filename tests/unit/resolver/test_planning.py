"""What other flows would send, told without sending it, and told as a resolver then does it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.kit import golden
from schemas.entities import EntityType
from streams.cli import flowplan
from streams.core.condition import Comparison, Condition, Operator
from streams.core.policy import Flow, OnDrift, Policy, PolicyKind, Rules, TaskKind
from streams.resolver.planning import Plan, Way
from streams.resolver.role import routes_of
from streams.resolver.routes import Member
from streams.runtime.state import UnreadableRow
from streams.testing.topology import ONE_PARTITION, TopologyTestDriver

ORDER, PRICE = EntityType.ORDER, EntityType.PRICE
MEMBERS = [Member("acme", name, "shopify", at) for at, name in enumerate(("shop", "presta", "wms"))]
PAID = Condition((Comparison(("financial_status",), Operator.IN, ("PAID",)),))
ORDERS = Flow("orders", ORDER, ("wms",), ("number",), kind=TaskKind.COMMAND, when=PAID)
PRICES = Flow("prices", PRICE, ("presta",), ("amount",))
HELD = replace(ORDERS, name="held", to=("presta",), when=Condition())


def rules(*flows: Flow, revision: int = 0) -> Rules:
    policies = {ORDER: Policy(PolicyKind.SINGLE), PRICE: Policy(PolicyKind.OWNER, ("shop",))}
    return Rules(policies=policies, flows=flows, flows_revision=revision)


def say(run: TopologyTestDriver, account: str, kind: EntityType, name: str, **fields: Any) -> None:
    run.advance(1)
    run.say(account, kind, name, fields)


def running(*flows: Flow, revision: int = 0) -> TopologyTestDriver:
    """Three paid orders and an open one, and two prices that the other shop holds otherwise."""
    run = TopologyTestDriver.of(rules(*flows, revision=revision), MEMBERS)
    for number, paid in enumerate(("PAID", "PAID", "PENDING", "PAID")):
        say(run, "shop", ORDER, golden.order("shop", str(number)), number=str(number), financial_status=paid)
    for sku in ("A", "B"):
        for account, amount in (("presta", 1), ("shop", 2)):
            money = {"amount": Decimal(amount), "currency": "EUR", "tax": "INCLUDED"}
            say(run, account, PRICE, f"{sku}~default~EUR", amount=money)
    run.advance(10)
    run.commit()
    return run


def planned(run: TopologyTestDriver, new: Rules, limit: int = 10, *, everything: bool = False) -> Plan:
    table = routes_of(replace(run.config, rules=new))
    plan = Plan(table, run.codec, ONE_PARTITION, limit, run.clock.now(), everything=everything)
    plan.shard(0, run.rows())
    return plan


def sent(run: TopologyTestDriver) -> Counter[Way]:
    found: Counter[Way] = Counter()
    for account in ("shop", "presta", "wms"):
        for task in run.pushes(account):
            what = "command" if task["kind"] == "command" else task["op"]
            found[Way(task["flow"], f"acme|{account}", what)] += 1
    return found


@pytest.mark.parametrize(
    "after",
    [
        (HELD, PRICES),
        (replace(HELD, when=PAID), PRICES),
        (HELD, ORDERS, replace(PRICES, on_drift=OnDrift.REPORT, name="other")),
        (replace(HELD, to=("presta", "wms")),),
        (HELD,),
        (),
    ],
)
def test_what_it_foretells_is_what_a_resolver_then_does(after: tuple[Flow, ...]) -> None:
    run = running(HELD)
    before = sent(run)
    plan = planned(run, rules(*after))
    run.restart(rules(*after))
    run.advance(1)
    run.commit()
    assert plan.found.tasks == sent(run) - before
    again = planned(run, rules(*after))
    assert (again.found.tasks, again.found.seen) == (Counter(), Counter())


def test_commands_that_were_given_are_not_foretold_again() -> None:
    run = running(HELD)
    wider = planned(run, rules(replace(HELD, to=("presta", "wms")))).found
    assert wider.tasks == {Way("held", "acme|wms", "command"): 4}
    assert wider.seen == {ORDER: 4}


def test_it_shows_the_first_tasks_and_counts_the_others() -> None:
    found = planned(running(HELD), rules(HELD, ORDERS), limit=2).found
    assert found.tasks == {Way("orders", "acme|wms", "command"): 3}
    assert [one.golden_key for one in found.first] == ["acme|order|shop:0", "acme|order|shop:1"]


def test_what_was_not_kept_is_counted_and_not_guessed_at() -> None:
    found = planned(running(), rules(ORDERS)).found
    assert (found.tasks, found.unknown, found.seen) == (Counter(), {ORDER: 4}, {ORDER: 4})


def test_all_looks_at_flows_that_do_not_differ_too() -> None:
    run = running(PRICES)
    assert planned(run, rules(PRICES)).found.seen == Counter()
    everything = planned(run, rules(PRICES), everything=True).found
    assert (everything.seen, everything.tasks) == ({PRICE: 2}, Counter())


def test_it_tells_what_a_resolver_would_refuse() -> None:
    found = planned(running(HELD, revision=3), rules(ORDERS, revision=2)).found
    assert "of revision 3" in found.refused
    assert flowplan.sends(found)


def test_it_is_told_as_text_and_as_data() -> None:
    plan = planned(running(HELD, revision=1), rules(HELD, replace(ORDERS, max_age=60.0), revision=2), limit=1)
    told = flowplan.text(plan.own, plan.found)
    assert told[0] == "running: revision 1; new: revision 2"
    assert "\norders is new" in told
    assert "  when                financial_status in PAID" in told
    assert "        3 command  by orders to acme|wms" in told
    assert told[-1] == "  acme|order|shop:0  command by orders to acme|wms"
    data = flowplan.data(plan.own, plan.found)
    assert data["tasks"] == [{"flow": "orders", "account": "acme|wms", "what": "command", "tasks": 3, "fallback": ""}]
    other = planned(running(HELD, revision=1), rules(HELD, replace(ORDERS, fallback="wms-b"), revision=2))
    assert "        3 command  by orders to acme|wms, or to wms-b while it is away" in flowplan.text(
        other.own, other.found
    )
    assert flowplan.data(other.own, other.found)["tasks"][0]["fallback"] == "wms-b"
    assert data["looked_at"] == {"order": 4}
    gone = planned(running(HELD, revision=1), rules(revision=2))
    assert flowplan.text(gone.own, gone.found)[1:] == ["\nheld is gone", "\nnothing would be sent"]
    changed = planned(running(HELD, revision=1), rules(replace(HELD, max_age=9.0), revision=2))
    assert "  max_age             - -> 9.0" in flowplan.text(changed.own, changed.found)


def test_a_damaged_row_is_named() -> None:
    run = running(HELD)
    rows = {**run.rows(), b"F": b"{}"}
    plan = Plan(routes_of(run.config), run.codec, ONE_PARTITION, 1, 0)
    with pytest.raises(UnreadableRow, match="shard 0 of the resolver"):
        plan.shard(0, rows)
