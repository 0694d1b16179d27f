"""Commands through the whole resolver: once each, whatever is crashed, delivered again, restarted or reordered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kit import golden
from schemas import topics
from schemas.entities import EntityType
from streams.core.condition import Comparison, Condition, Operator
from streams.core.policy import Flow, Policy, PolicyKind, Rules, TaskKind
from streams.resolver.routes import Member
from streams.testing.topology import TopologyTestDriver

ORDER = EntityType.ORDER
MEMBERS = [
    Member("acme", "shop", "shopify", 1),
    Member("acme", "wms", "threepl", 2),
    Member("acme", "erp", "shopify", 3),
]
STATES = ("PENDING", "PAID", "REFUNDED")
START = 1_772_366_400_000_000


def flow(name: str, to: str, *states: str) -> Flow:
    when = Condition((Comparison(("financial_status",), Operator.IN, states),))
    return Flow(name, ORDER, (to,), ("number",), kind=TaskKind.COMMAND, when=when)


FLOWS = (flow("ship", "wms", "PAID"), flow("book", "erp", "PAID", "REFUNDED"))


def rules(*flows: Flow, policy: Policy | None = None) -> Rules:
    return Rules(policies={ORDER: policy or Policy(PolicyKind.SINGLE)}, flows=flows)


@dataclass(frozen=True)
class Said:
    """A step: an order has this state at this time, or something happens to the process."""

    order: str
    state: str
    at: int
    then: str


steps = st.lists(
    st.builds(
        Said,
        st.sampled_from("ab"),
        st.sampled_from(STATES),
        st.integers(0, 9),
        st.sampled_from(("", "", "commit", "crash", "restart", "again")),
    ),
    min_size=1,
    max_size=14,
)


def tell(run: TopologyTestDriver, one: Said) -> None:
    fields = {"number": one.order, "financial_status": one.state}
    at = START + one.at * 1_000_000
    run.say("shop", ORDER, golden.order("shop", one.order), fields, source_time=at, delivery=f"{one.order}{one.at}")


def happen(run: TopologyTestDriver, what: str) -> None:
    if what == "commit":
        run.commit()
    elif what == "crash":
        run.crash()
    elif what == "restart":
        run.restart()
    elif what == "again":
        record = run.records(topics.INBOUND)[0]
        run.pipe(topics.INBOUND, record.key, record.value, list(record.headers))


def given_by(run: TopologyTestDriver) -> Counter[str]:
    run.commit()
    return Counter(task["operation_id"] for account in ("wms", "erp") for task in run.pushes(account))


def due(told: list[Said], *, flows: tuple[Flow, ...] = FLOWS) -> set[str]:
    """Operation ids of all states that were the newest of their order at some moment. Of two states of one time the
    first delivery counts: they have one id."""
    newest: dict[str, Said] = {}
    found: set[str] = set()
    seen: set[tuple[str, int]] = set()
    for one in told:
        if (one.order, one.at) in seen:
            continue
        seen.add((one.order, one.at))
        if one.order not in newest or one.at > newest[one.order].at:
            newest[one.order] = one
            record = {"financial_status": one.state}
            found |= {
                f"{each.name}|acme|order|shop:{one.order}|{each.to[0]}" for each in flows if each.when.holds(record)
            }
    return found


def once(told: list[Said]) -> list[Said]:
    """Without other states under one id: the same delivery says the same."""
    first = {(one.order, one.at): one.state for one in reversed(told)}
    return [replace(one, state=first[one.order, one.at]) for one in told]


@settings(max_examples=60, deadline=None)
@given(steps, st.sampled_from([Policy(PolicyKind.SINGLE), Policy(PolicyKind.LWW, partial=True)]))
def test_a_command_is_given_exactly_once_if_its_condition_ever_held(told: list[Said], policy: Policy) -> None:
    told = once(told)
    run = TopologyTestDriver.of(rules(*FLOWS, policy=policy), MEMBERS, START + 60_000_000)
    for one in told:
        tell(run, one)
        happen(run, one.then)
    found = given_by(run)
    assert set(found) == due(told)
    assert set(found.values()) <= {1}


@settings(max_examples=40, deadline=None)
@given(steps, steps)
def test_a_flow_that_comes_later_gives_what_the_stored_orders_meet_and_nothing_twice(
    before: list[Said], after: list[Said]
) -> None:
    before, after = once(before), [replace(one, at=one.at + 10) for one in once(after)]
    ship, book = FLOWS
    run = TopologyTestDriver.of(rules(ship), MEMBERS, START + 60_000_000)
    for one in before:
        tell(run, one)
        happen(run, one.then)
    run.commit()
    run.restart(rules(ship, book))
    run.advance(1)
    run.commit()  # an order that changed before its turn counts by what it says then
    for one in after:
        tell(run, one)
        happen(run, one.then)
    found = given_by(run)
    assert set(found.values()) <= {1}
    last = {one.order: one for one in sorted(before, key=lambda one: one.at)}
    stored = due(list(last.values()), flows=(book,))
    assert set(found) == due(before, flows=(ship,)) | stored | due(after, flows=(ship, book))
