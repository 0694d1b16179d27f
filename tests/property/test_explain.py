"""Law of `sluice explain --at`: decisions and events together say what the resolver's row said at the time, although
decisions in which nothing differed are written for a sample of the events only."""

from __future__ import annotations

from hypothesis import given, settings

from connectors.kit.contract import Account
from schemas import topics
from schemas.entities import Op
from schemas.identity import GoldenKey, account_hash
from streams.core.entity import Entity
from streams.core.policy import Policy
from streams.core.resolve import held
from streams.runtime.config import Config
from streams.runtime.explain.moment import hashed, moment
from streams.runtime.explain.recent import Recent
from streams.runtime.explain.records import Found
from streams.testing.topology import TopologyTestDriver
from tests.property.test_state import FLOW, PRICE, Step, config, policies, run, steps

Rows = dict[str, Entity]


def kept(driver: TopologyTestDriver) -> Rows:
    rows = driver.rows()
    return {key[1:].decode(): Entity.unpack(row) for key, row in rows.items() if key[:1] == b"E"}


def told(driver: TopologyTestDriver, of: Config) -> Rows:
    """The entities as decisions and events tell them."""
    names: dict[bytes, Account] = {account_hash(*known): account for known, account in of.accounts.items()}
    decided = {
        one["key"]: Found(topics.DECISIONS, 0, one["offset"], one["value"]) for one in driver.read(topics.DECISIONS)
    }
    said: dict[str, Recent] = {}
    for one in driver.events(PRICE):
        found = Found(topics.events(PRICE), 0, one["offset"], one["value"], {"late": one["late"]})
        speaker = hashed("acme", one["value"]["meta"]["account"], names)
        said.setdefault(one["key"], Recent(1)).add(speaker, found)
    entities: Rows = {}
    for key, recent in said.items():
        policy = of.rules.policy(PRICE)
        found_then = moment(GoldenKey.parse(key), decided.get(key), recent.by_account, [], policy, names)
        assert found_then is not None
        entities[key] = found_then.entity
    return entities


def facts(entity: Entity) -> tuple[bytes, dict[bytes, tuple[bytes, Op]], bool]:
    """The golden content, what each account last said, and whether the winner holds the content. An echo that nothing
    was decided about is told with its own time, so of several that hold the content another one may be the winner."""
    winner = entity.of(entity.winner)
    said = {c.account: (c.version, c.op) for c in entity.contributions}
    return entity.fingerprint, said, winner is not None and held(winner) == entity.fingerprint


@policies
@settings(max_examples=120)
@given(all_steps=steps)
def test_decisions_and_events_say_what_the_row_says(policy: Policy, all_steps: list[Step]) -> None:
    of = config(policy, FLOW)
    driver = run(of, all_steps)
    driver.advance(10)  # no event is held any more
    driver.commit()
    assert {key: facts(one) for key, one in told(driver, of).items()} == {
        key: facts(one) for key, one in kept(driver).items()
    }
