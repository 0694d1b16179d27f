"""What the resolver does with events that no version decides, with too many deletes, and with old graves."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from schemas import topics
from schemas.entities import Channel, Completeness, EntityType
from streams.core.massdelete import Brake
from streams.core.policy import Policy, PolicyKind, Rules
from streams.resolver.routes import Member
from streams.testing.topology import TopologyTestDriver

KIND = EntityType.PRICE
MEMBERS = [Member("acme", "shop", "shopify"), Member("acme", "erp", "prestashop")]
DAY = 86_400.0


def price(amount: str) -> dict[str, Any]:
    return {"amount": {"amount": Decimal(amount), "currency": "EUR", "tax": "INCLUDED"}}


def driver(**more: Any) -> TopologyTestDriver:
    return TopologyTestDriver.of(Rules(policies={KIND: Policy(PolicyKind.LWW)}, **more), MEMBERS)


def keys(run: TopologyTestDriver) -> set[str]:
    run.commit()
    return set(run.state(KIND))


@pytest.mark.parametrize("amounts", [("1", "2"), ("2", "1")])
def test_two_contents_of_one_version_are_named_and_read_again_whichever_came_first(amounts: tuple[str, str]) -> None:
    run = driver()
    for amount in amounts:
        run.say("shop", KIND, "A", price(amount), clock=5, source_time=5, read=("product", "77"))
    run.commit()
    (fetch,) = run.fetches("shopify")
    assert (fetch["resource"], fetch["remote_id"], fetch["reason"]) == ("product", "77", "tie")
    assert run.decisions()[-1]["ambiguous"] == ["shop"]
    run.say("shop", KIND, "A", price("9"), clock=5, source_time=5, channel=Channel.FETCH, sequence=1)
    run.say("erp", KIND, "A", price("8"), clock=6, source_time=6)
    run.commit()
    assert run.decisions()[-1]["ambiguous"] == []
    assert len(run.fetches("shopify")) == 1


def test_a_hint_is_a_dead_letter_and_no_state() -> None:
    run = driver()
    run.say("shop", KIND, "A", price("1"), completeness=Completeness.HINT)
    assert keys(run) == set()
    assert [letter["reason"] for letter in run.dead_letters()] == ["hint"]


def test_a_source_that_deletes_too_much_is_not_obeyed_and_loses_nothing() -> None:
    run = driver(mass_delete=Brake(most=3, within=600.0))
    for number in range(6):
        run.say("shop", KIND, f"A{number}", price("1"))
    run.advance(1)
    for number in range(6):
        run.say("shop", KIND, f"A{number}", None)
    run.crash()
    assert len(keys(run)) == 3
    letters = run.dead_letters()
    assert {letter["reason"] for letter in letters} == {"mass_delete"}
    assert len(letters) == 3
    run.advance(601)
    run.say("shop", KIND, "A5", None)
    assert len(keys(run)) == 2


def test_a_delete_that_is_delivered_again_counts_once() -> None:
    run = driver(mass_delete=Brake(most=2, within=600.0))
    for number in range(2):
        run.say("shop", KIND, f"A{number}", price("1"))
    run.advance(1)
    run.say("shop", KIND, "A0", None)
    again = run.records(topics.INBOUND)[-1]
    for _ in range(3):
        run.pipe(topics.INBOUND, again.key, again.value, list(again.headers))
    run.say("shop", KIND, "A1", None)
    assert keys(run) == set()
    assert run.dead_letters() == []


def test_another_source_is_not_braked_with_it() -> None:
    run = driver(mass_delete=Brake(most=1, within=600.0))
    for account in ("shop", "erp"):
        run.say(account, KIND, f"of-{account}", price("1"))
        run.say("shop", KIND, f"more-{account}", price("1"))
    run.advance(1)
    for name in ("of-shop", "more-shop"):
        run.say("shop", KIND, name, None)
    run.say("erp", KIND, "of-erp", None)
    assert keys(run) == {"acme|price|more-shop", "acme|price|more-erp"}


def rows(run: TopologyTestDriver, kinds: bytes) -> list[bytes]:
    run.commit()
    return [key for key in run.rows() if key[:1] in kinds]


def test_a_grave_outlives_late_events_and_is_forgotten_in_the_end() -> None:
    run = driver(grave_days=10)
    run.say("shop", KIND, "A", price("1"), delivery="first")
    run.advance(1)
    run.say("shop", KIND, "A", None)
    run.advance(9 * DAY)
    run.say("shop", KIND, "A", price("2"), source_time=run.clock.now() - int(9.5 * DAY) * 1_000_000)
    assert keys(run) == set()
    run.advance(2 * DAY)
    run.advance(3_700)
    assert rows(run, b"EVG") == []


def test_an_entity_that_came_back_and_was_deleted_again_keeps_its_later_grave() -> None:
    run = driver(grave_days=10)
    run.say("shop", KIND, "A", price("1"))
    for _ in range(2):
        run.advance(5 * DAY)
        run.say("shop", KIND, "A", None)
        run.advance(1)
        run.say("shop", KIND, "A", price("2"))
    run.advance(1)
    run.say("shop", KIND, "A", None)
    run.advance(7 * DAY)
    run.advance(3_700)
    assert len(rows(run, b"E")) == 1
    run.advance(4 * DAY)
    run.advance(3_700)
    run.advance(3_700)
    assert rows(run, b"EVG") == []
