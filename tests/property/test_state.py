"""Laws of digests: whatever happens on the way, the same inputs give the same, and a replay gives it again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import topics
from schemas.codec import Codec
from schemas.entities import EntityType
from schemas.registry import MemorySchemas
from streams.core.policy import Flow, Ordering, OrderingMode, Policy, PolicyKind, Rules
from streams.resolver.routes import Member
from streams.runtime.config import Config
from streams.runtime.rowtext import Names, applied_up_to, decode
from streams.runtime.state import digest, replayable
from streams.shard.api import Incoming
from streams.testing.replay import fold, unordered
from streams.testing.topology import ONE_PARTITION, TopologyTestDriver

PRICE = EntityType.PRICE
ACCOUNTS = ("shop", "presta", "erp")
MEMBERS = [Member("acme", name, "shopify", priority) for priority, name in enumerate(ACCOUNTS)]
FLOW = Flow("prices", PRICE, ACCOUNTS, ("amount",))
POLICIES = {
    "owner": Policy(PolicyKind.OWNER, ("erp", "shop")),
    "lww": Policy(PolicyKind.LWW),
}
policies = pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
START = 1_772_366_400_000_000


@dataclass(frozen=True)
class Step:
    """An account says a price, or deletes it (0), as of some second; then a commit or a crash may follow."""

    account: str
    sku: str
    amount: int
    second: int
    commits: bool
    crashes: bool


steps = st.lists(
    st.builds(
        Step,
        account=st.sampled_from(ACCOUNTS),
        sku=st.sampled_from(["A", "B"]),
        amount=st.integers(0, 3),
        second=st.integers(1, 20),
        commits=st.booleans(),
        crashes=st.sampled_from([False, False, False, True]),
    ),
    max_size=15,
)


def config(policy: Policy, *flows: Flow, mode: OrderingMode = OrderingMode.TIME) -> Config:
    rules = Rules(policies={PRICE: policy}, ordering={PRICE: Ordering(mode, 1.0)}, flows=flows)
    return TopologyTestDriver.of(rules, MEMBERS).config


def run(of: Config, all_steps: Sequence[Step]) -> TopologyTestDriver:
    driver = TopologyTestDriver(of, start=START)
    for step in all_steps:
        money = {"amount": Decimal(step.amount), "currency": "EUR", "tax": "INCLUDED"}
        name = f"{step.account}-{step.sku}-{step.amount}-{step.second}"
        driver.say(
            step.account, PRICE, f"{step.sku}~default~EUR", {"amount": money} if step.amount else None,
            source_time=START + step.second * 1_000_000, delivery=name,
        )  # fmt: skip
        driver.advance(0.3)
        if step.commits:
            driver.commit()
        if step.crashes:
            driver.crash()
    driver.commit()
    return driver


def told(driver: TopologyTestDriver) -> str:
    return digest(replayable(driver.rows().items()))


@policies
@settings(max_examples=60)
@given(all_steps=steps, chance=st.randoms(use_true_random=False))
def test_any_order_repetition_and_crash_gives_the_same_digest(
    policy: Policy, all_steps: list[Step], chance: random.Random
) -> None:
    shuffled = [*all_steps, *all_steps[:3]]
    chance.shuffle(shuffled)
    assert told(run(config(policy), shuffled)) == told(run(config(policy), all_steps))


@policies
@pytest.mark.parametrize("mode", [OrderingMode.TIME, OrderingMode.ARRIVAL])
@settings(max_examples=60)
@given(all_steps=steps)
def test_a_replay_up_to_the_shards_place_gives_its_rows_even_with_flows_and_held_events(
    policy: Policy, mode: OrderingMode, all_steps: list[Step]
) -> None:
    of = config(policy, FLOW, mode=mode)
    driver = run(of, all_steps)
    rows = driver.rows()
    places = {key[1:].decode(): applied_up_to(row) for key, row in rows.items() if key[:1] == b"P"}
    log: Sequence[Incoming] = driver.records(topics.INBOUND)[: places.get(topics.INBOUND, 0)]
    again = fold(unordered(of), driver.codec, ONE_PARTITION, 0, [(topics.INBOUND, log)] if log else [])
    assert replayable(again.items()) == replayable(rows.items())


NAMES = Names.of([], Codec(MemorySchemas()))


@given(key=st.binary(max_size=40), value=st.binary(max_size=80), courier=st.booleans())
def test_no_bytes_at_all_stop_a_dump(key: bytes, value: bytes, courier: bool) -> None:
    assert {"row", "name"} <= decode(courier, key, value, NAMES).keys()


@given(kind=st.sampled_from("EVWPLGOQIAKNBR"), rest=st.binary(max_size=20), value=st.binary(max_size=80))
def test_no_damage_to_a_known_row_stops_a_dump(kind: str, rest: bytes, value: bytes) -> None:
    for courier in (False, True):
        assert {"row", "name"} <= decode(courier, kind.encode() + rest, b"\x01" + value, NAMES).keys()
