"""What flows make of the winner: commands once in an entity's life, conditions, origins, ages, deletes and drift."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from connectors.kit import golden
from connectors.kit.errors import Misconfigured
from schemas import topics
from schemas.entities import EntityType
from streams.core.condition import Comparison, Condition, Operator
from streams.core.ledger import Book, read, total
from streams.core.policy import Flow, OnDelete, OnDrift, Policy, PolicyKind, Rules, TaskKind, Tax
from streams.resolver.routes import Member
from streams.runtime.raw import micros
from streams.shard.memory import MemoryRows
from streams.testing.topology import TopologyTestDriver

ORDER, FULFILMENT, PRICE = EntityType.ORDER, EntityType.FULFILMENT, EntityType.PRICE
MEMBERS = [
    Member("acme", "shop", "shopify", 1),
    Member("acme", "presta", "prestashop", 2),
    Member("acme", "wms", "prestashop", 3),
    Member("bold", "boutique", "shopify", 1),
]
PAID = Condition((Comparison(("financial_status",), Operator.IN, ("PAID",)),))
SHIPPED = Condition((Comparison(("status",), Operator.IN, ("SHIPPED",)),))
TO_WMS = Flow("to-wms", ORDER, ("wms",), ("number", "lines"), kind=TaskKind.COMMAND, when=PAID)
BACK = Flow("back", FULFILMENT, (), ("tracking",), kind=TaskKind.COMMAND, when=SHIPPED, source=("wms",), to_origin=True)
MONEY = {"amount": Decimal(10), "currency": "EUR", "tax": "INCLUDED"}
NAME = golden.order("shop", "7")


def driver(*flows: Flow, policy: Policy | None = None, revision: int = 0) -> TopologyTestDriver:
    return TopologyTestDriver.of(rules(*flows, policy=policy, revision=revision), MEMBERS)


def rules(*flows: Flow, policy: Policy | None = None, revision: int = 0) -> Rules:
    single = Policy(PolicyKind.SINGLE)
    policies = {ORDER: single, FULFILMENT: single, PRICE: policy or Policy(PolicyKind.OWNER, ("shop",))}
    return Rules(policies=policies, flows=flows, flows_revision=revision)


def order(run: TopologyTestDriver, paid: str, name: str = NAME, number: str = "#7", account: str = "shop") -> None:
    run.advance(1)
    run.say(account, ORDER, name, {"number": number, "financial_status": paid, "total": MONEY})


def shipment(run: TopologyTestDriver, status: str, of: str = NAME, by: str = "wms", name: str = "s1") -> None:
    run.advance(1)
    run.say(by, FULFILMENT, golden.fulfilment(of, by, name), {"order": of, "status": status})


def price(run: TopologyTestDriver, account: str, amount: str | None, tax: str = "INCLUDED", **more: Any) -> None:
    run.advance(1)
    fields = None if amount is None else {"amount": {"amount": Decimal(amount), "currency": "EUR", "tax": tax}}
    comparable = None if amount is None else golden.comparable_price(Decimal(amount), "EUR", tax)
    run.say(account, PRICE, "SKU-7~default~EUR", fields, comparable=comparable, **more)


def commands(run: TopologyTestDriver, account: str) -> list[str]:
    run.commit()
    return [task["operation_id"] for task in run.pushes(account)]


# ------------------------------------------------------------------------------------------------ commands


def test_a_command_is_given_when_its_condition_first_holds_and_never_again() -> None:
    run = driver(TO_WMS)
    order(run, "PENDING")
    assert commands(run, "wms") == []
    order(run, "PAID")
    order(run, "PAID", number="#7a")
    order(run, "REFUNDED")
    order(run, "PAID", number="#7b")
    assert commands(run, "wms") == [f"to-wms|acme|order|{NAME}|wms"]


def test_a_command_carries_the_record_of_that_moment_as_a_command() -> None:
    run = driver(TO_WMS)
    order(run, "PAID")
    order(run, "PAID", number="later")
    run.commit()
    (task,) = run.pushes("wms")
    assert (task["kind"], task["op"], task["flow"], task["golden_version"]) == ("command", "upsert", "to-wms", 1)
    assert (task["record"]["number"], task["expected"], task["expires_at"]) == ("#7", None, None)


def test_a_crash_a_replay_and_a_restart_give_no_command_twice() -> None:
    run = driver(TO_WMS)
    order(run, "PAID")
    run.crash()
    run.commit()
    again = run.records(topics.INBOUND)[-1]
    run.pipe(topics.INBOUND, again.key, again.value, list(again.headers))
    run.commit()
    run.restart()
    order(run, "PAID", number="#8")
    assert len(commands(run, "wms")) == 1


def test_a_command_is_told_in_decisions_and_counted_as_routed() -> None:
    run = driver(TO_WMS)
    order(run, "PAID")
    run.commit()
    (decided,) = run.decisions()
    assert decided["pushed_to"] == ["wms"]
    books = total(read(MemoryRows(run.rows())))
    assert books[Book.TASKS, "acme|wms"]["routed"] == 1


def test_every_account_gets_its_own_command_and_other_tenants_none() -> None:
    run = driver(replace(TO_WMS, to=("wms", "presta")))
    order(run, "PAID", account="boutique")
    assert commands(run, "presta") == []
    order(run, "PAID")
    assert len(commands(run, "wms")) == len(commands(run, "presta")) == 1


def test_an_account_is_not_told_what_it_said_itself() -> None:
    run = driver(replace(TO_WMS, to=("shop", "wms")))
    order(run, "PAID")
    run.commit()
    assert [task["account"] for task in run.pushes("shop")] == []
    assert len(run.pushes("wms")) == 1


def test_a_shipment_goes_to_the_shop_where_the_order_was_placed() -> None:
    run = driver(BACK)
    shipment(run, "PENDING")
    shipment(run, "SHIPPED")
    shipment(run, "SHIPPED", golden.order("presta", "9"), name="s2")
    shipment(run, "SHIPPED", golden.order("closed-shop", "9"), name="s3")
    assert commands(run, "shop") == [f"back|acme|fulfilment|{NAME}~wms~s1|shop"]
    assert len(commands(run, "presta")) == 1
    assert commands(run, "wms") == []


def test_only_what_the_flows_sources_say_is_moved() -> None:
    run = driver(BACK)
    shipment(run, "SHIPPED", by="presta")
    assert commands(run, "shop") == []


def test_a_task_ages_from_the_change_at_its_source() -> None:
    run = driver(replace(TO_WMS, max_age=3600.0))
    happened = run.clock.now() - 600_000_000
    run.say("shop", ORDER, NAME, {"number": "#7", "financial_status": "PAID"}, source_time=happened)
    run.commit()
    (task,) = run.pushes("wms")
    assert micros(task["expires_at"]) == happened + 3_600_000_000


def test_an_order_that_was_forgotten_starts_anew() -> None:
    run = TopologyTestDriver.of(replace(rules(TO_WMS), grave_days=1), MEMBERS)
    order(run, "PAID")
    run.advance(1)
    run.say("shop", ORDER, NAME, None)
    run.advance(3 * 86_400)
    run.advance(3_700)
    run.commit()
    assert [key for key in run.rows() if key[:1] in (b"C", b"E")] == []


# ------------------------------------------------------------------------------------------------ other flows


def test_a_new_flow_moves_what_is_stored_already_and_only_once() -> None:
    run = driver()
    order(run, "PAID")
    order(run, "PENDING", golden.order("shop", "8"))
    price(run, "presta", "9")
    price(run, "shop", "10")
    order(run, "PAID", golden.order("shop", "9"))
    run.commit()
    assert run.pushes("wms") == []
    run.restart(rules(TO_WMS, Flow("prices", PRICE, ("presta",), ("amount",))))
    run.advance(1)
    order(run, "PAID", number="#7a")  # was not kept before there was a flow
    run.commit()
    assert commands(run, "wms") == [f"to-wms|acme|order|{NAME}|wms"]
    assert [task["record"]["amount"]["amount"] for task in run.pushes("presta")] == [10]
    run.restart()
    run.advance(1)
    run.commit()
    assert len(run.pushes("presta")) == 1


def test_a_changed_condition_gives_stored_entities_their_command() -> None:
    run = driver(TO_WMS)
    order(run, "PENDING")
    order(run, "PAID", golden.order("shop", "8"))
    run.commit()
    run.restart(rules(replace(TO_WMS, when=Condition())))
    run.advance(1)
    assert commands(run, "wms") == [f"to-wms|acme|order|shop:{number}|wms" for number in ("8", "7")]


def test_a_sweep_that_was_cut_off_goes_on_after_a_crash() -> None:
    run = driver(replace(TO_WMS, to=("presta",)))
    order(run, "PAID")
    run.commit()
    run.restart(rules(TO_WMS))
    run.commit()  # that there is something to look at, and nothing more
    run.crash()
    run.advance(1)
    run.crash()
    run.advance(1)
    assert len(commands(run, "wms")) == 1


def test_other_flows_need_a_higher_revision() -> None:
    run = driver(TO_WMS, revision=2)
    order(run, "PAID")
    run.commit()
    with pytest.raises(Misconfigured, match=r"other flows \(to-wms\) under the same revision 2"):
        run.restart(rules(replace(TO_WMS, max_age=5.0), revision=2))
    with pytest.raises(Misconfigured, match="likely it is an older copy"):
        run.restart(rules(TO_WMS, revision=1))
    with pytest.raises(Misconfigured, match="flows without a revision"):
        run.restart(rules(TO_WMS))


# ------------------------------------------------------------------------------------------------ sets


PRICES = Flow("prices", PRICE, ("presta",), ("amount",))


def amounts(run: TopologyTestDriver, account: str = "presta") -> list[Decimal]:
    run.commit()
    return [task["record"]["amount"]["amount"] for task in run.pushes(account)]


def test_a_set_moves_while_its_condition_holds() -> None:
    cheap = Condition((Comparison(("amount", "amount"), Operator.AT_MOST, Decimal(20)),))
    run = driver(replace(PRICES, when=cheap))
    price(run, "presta", "1")
    for amount in ("10", "30", "12"):
        price(run, "shop", amount)
    assert amounts(run) == [10, 12]


def test_a_set_moves_only_what_its_sources_say() -> None:
    run = driver(replace(PRICES, source=("wms",)), policy=Policy(PolicyKind.OWNER, ("wms", "shop")))
    price(run, "presta", "1")
    price(run, "shop", "10")
    assert amounts(run) == []
    price(run, "wms", "11")
    assert amounts(run) == [11]


def test_deletes_are_passed_on_where_the_flow_says_so() -> None:
    for deletes, expected in ((OnDelete.IGNORE, []), (OnDelete.DELETE, ["delete"])):
        run = driver(replace(PRICES, deletes=deletes))
        price(run, "presta", "10")
        price(run, "shop", "10")
        price(run, "shop", None)
        price(run, "shop", None)
        run.commit()
        assert [task["op"] for task in run.pushes("presta")] == expected
        price(run, "presta", None)
        run.commit()
        assert len(run.pushes("presta")) == len(expected)


@pytest.mark.parametrize(
    ("on_drift", "asked", "named"),
    [(OnDrift.REPAIR, [10, 10], []), (OnDrift.REPORT, [10], ["presta"]), (OnDrift.ADOPT, [10], [])],
)
def test_an_account_that_drifts_is_repaired_reported_or_left_alone(
    on_drift: OnDrift, asked: list[int], named: list[str]
) -> None:
    run = driver(replace(PRICES, on_drift=on_drift))
    price(run, "presta", "1")
    price(run, "shop", "10")
    price(run, "presta", "10")  # as it was asked
    price(run, "presta", "11")  # by itself
    assert amounts(run) == asked
    assert run.decisions()[-1]["drifted"] == named
    price(run, "shop", "12")
    assert amounts(run)[-1] == 12
    run.commit()
    assert run.decisions()[-1]["drifted"] == []


TAXED = replace(PRICES, to=("shop", "presta"), tax=Tax(Decimal("0.19"), {"shop": "INCLUDED", "presta": "EXCLUDED"}))


def test_prices_move_between_tax_bases_by_the_flows_rate_and_come_to_rest() -> None:
    run = driver(TAXED, policy=Policy(PolicyKind.LWW))
    price(run, "presta", "5.00", "EXCLUDED")
    price(run, "shop", "11.90")
    run.commit()
    (task,) = run.pushes("presta")
    assert (task["record"]["amount"]["amount"], task["record"]["amount"]["tax"]) == (10, "EXCLUDED")
    price(run, "presta", "10.00", "EXCLUDED")  # the echo
    price(run, "shop", "11.90")
    assert amounts(run) == [10]
    assert amounts(run, "shop") == []
    price(run, "presta", "20.00", "EXCLUDED")  # an edit
    assert amounts(run, "shop") == [Decimal("23.80")]
