"""The oversell guard through the whole resolver: orders, stock and channels in any order."""

from __future__ import annotations

import random
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit import golden
from schemas.entities import EntityType, Op
from streams.core.policy import Flow, Policy, PolicyKind, Rules
from streams.core.stock import Guard
from streams.resolver.routes import Member
from streams.testing.topology import TopologyTestDriver

LEVEL, RESERVED = EntityType.INVENTORY_LEVEL, EntityType.RESERVATION
STOCK = golden.inventory_level("SKU-7", "MAIN")
MEMBERS = [Member("acme", "erp", "prestashop"), Member("acme", "shop", "shopify"), Member("acme", "pop", "shopify")]
START = 1_772_366_400_000_000


def driver(guard: Guard) -> TopologyTestDriver:
    flow = Flow("stock", LEVEL, ("shop", "pop"), ("available",), guard=guard)
    rules = Rules(policies={LEVEL: Policy(PolicyKind.OWNER, ("erp",))}, flows=(flow,))
    run = TopologyTestDriver.of(rules, MEMBERS, START)
    for account in ("shop", "pop"):
        level(run, account, "0", -100)
    return run


def level(run: TopologyTestDriver, account: str, units: str, at: float) -> None:
    run.say(account, LEVEL, STOCK, {"sku": "SKU-7", "location": "MAIN", "available": Decimal(units)},
            source_time=START + int(at * 1e6))  # fmt: skip


def order(
    run: TopologyTestDriver, number: int, units: str | None, at: float, of: str = "shop", shipped: str = "0"
) -> None:
    """A line with so many open units, placed at the second 70."""
    name = golden.reservation("SKU-7", "MAIN", of, f"o{number}", "1")
    fields = {
        "sku": "SKU-7", "location": "MAIN", "order": f"{of}~o{number}", "line": "1",
        "quantity": Decimal(units or 0), "fulfilled": Decimal(shipped), "placed_at": START + 70_000_000,
    }  # fmt: skip
    run.say(of, RESERVED, name, fields, source_time=START + int(at * 1e6), delivery=f"o{number}-{at}",
            op=Op.UPSERT if fields["quantity"] else Op.DELETE)  # fmt: skip


def told(run: TopologyTestDriver, account: str = "shop") -> Decimal | None:
    run.commit()
    tasks = run.pushes(account)
    return Decimal(tasks[-1]["record"]["available"]) if tasks else None


def test_an_order_that_the_owner_does_not_know_of_is_taken_off() -> None:
    run = driver(Guard())
    level(run, "erp", "10", 0)
    assert told(run) == 10
    order(run, 1, "3", 70)
    assert [told(run, "shop"), told(run, "pop")] == [Decimal(7)] * 2
    order(run, 2, "2", 80, of="pop")
    assert told(run) == 5


def test_the_owners_next_figure_contains_the_order() -> None:
    run = driver(Guard(learns_within=60))
    level(run, "erp", "10", 0)
    order(run, 1, "3", 70)
    level(run, "erp", "9", 100)
    assert told(run) == 6, "the owner had no time to learn of it"
    level(run, "erp", "7", 140)
    assert told(run) == 7


def test_an_order_that_is_cancelled_gives_its_units_back() -> None:
    run = driver(Guard())
    level(run, "erp", "10", 0)
    order(run, 1, "3", 70)
    order(run, 1, None, 90)
    assert told(run) == 10


def test_what_is_shipped_is_taken_off_until_the_owner_knows_of_it() -> None:
    run = driver(Guard())
    level(run, "erp", "10", 0)
    order(run, 1, "3", 70)
    order(run, 1, "2", 90, shipped="1")
    assert told(run) == 7
    order(run, 1, None, 95, shipped="3")
    assert told(run) == 7
    level(run, "erp", "7", 140)
    assert told(run) == 7
    assert not [key for key in run.rows() if key[:1] == b"O"], "nobody needs the order any more"


def test_a_shipment_after_the_owner_knows_of_the_order_is_not_taken_off_twice() -> None:
    run = driver(Guard())
    level(run, "erp", "10", 0)
    order(run, 1, "3", 70)
    level(run, "erp", "7", 140)
    order(run, 1, "2", 150, shipped="1")
    assert told(run) == 7


def test_orders_placed_at_the_owner_are_in_its_figure() -> None:
    run = driver(Guard())
    level(run, "erp", "7", 0)
    order(run, 1, "3", 70, of="erp")
    assert told(run) == 7


def test_a_reservation_that_names_no_stock_is_refused_before_anything_is_made_of_it() -> None:
    run = driver(Guard())
    level(run, "erp", "10", 0)
    run.commit()
    before = run.rows()
    fields = {"sku": "SKU-7", "location": "MAIN", "order": "shop:o1", "line": "1", "quantity": Decimal(3),
              "fulfilled": Decimal(0), "placed_at": None}  # fmt: skip
    run.say("shop", RESERVED, "SKU-7", fields, source_time=START)
    run.commit()
    assert [one["reason"] for one in run.dead_letters()] == ["undecodable"]
    kinds = {key[:1] for key, row in run.rows().items() if before.get(key) != row}
    assert not kinds & {b"E", b"V", b"O"}


def test_closing_many_order_lines_brakes_nothing() -> None:
    run = driver(Guard())
    for number in range(30):
        order(run, number, None, 90, shipped="1")
    run.commit()
    assert run.dead_letters() == []


def test_channels_are_kept_from_the_last_units() -> None:
    run = driver(Guard(safety=Decimal(2), channels={"pop": Decimal(5)}))
    level(run, "erp", "4", 0)
    assert told(run, "shop") == 2
    assert told(run, "pop") is None, "pop holds nothing already, and that is right"


def test_a_channel_that_says_what_it_was_told_is_not_asked_again() -> None:
    run = driver(Guard())
    level(run, "erp", "10", 0)
    order(run, 1, "3", 70)
    run.commit()
    before = len(run.pushes("shop"))
    level(run, "shop", "7", 200)
    run.commit()
    assert len(run.pushes("shop")) == before
    level(run, "shop", "10", 300)
    assert told(run) == 7
    assert len(run.pushes("shop")) == before + 1


orders = st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["1", "2", None]), st.integers(61, 99)), max_size=6)


@settings(max_examples=40)
@given(said=orders, seed=st.integers(0, 1 << 16))
def test_any_order_of_arrival_and_crashes_tell_the_channels_the_same(
    said: list[tuple[int, str | None, int]], seed: int
) -> None:
    once = list({(number, at): (number, units, at) for number, units, at in said}.values())
    shuffled = [*once, *once[:2]]
    random.Random(seed).shuffle(shuffled)
    found = []
    for words, crashes in ((sorted(once, key=lambda word: word[2]), False), (shuffled, True)):
        run = driver(Guard())
        level(run, "erp", "20", 0)
        for number, units, at in words:
            order(run, number, units, at)
            if crashes:
                run.crash()
        last = {number: units for number, units, _ in sorted(once, key=lambda word: word[2])}
        expected = 20 - sum(Decimal(units) for units in last.values() if units is not None)
        found.append((told(run), expected))
    assert found[0][0] == found[1][0] == found[0][1]
