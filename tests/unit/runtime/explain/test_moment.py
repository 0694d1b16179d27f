"""An entity as it was, from the decisions and events up to then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from schemas.entities import EntityType
from schemas.identity import account_hash
from streams.core.policy import FieldGroup, Policy, PolicyKind
from streams.runtime.config import Config
from streams.runtime.explain.facts import NO_DECISION, ONLY_ACCOUNT, Explained, Known, explain
from streams.runtime.explain.moment import parse_time
from streams.runtime.explain.recent import Recent
from streams.runtime.explain.records import Found
from streams.runtime.explain.words import AGREED, Word
from streams.testing.topology import TopologyTestDriver
from tests.unit.runtime.explain.known import (
    GROUPS,
    KEY,
    NEW,
    NOW,
    OLD,
    PRESTA,
    SECOND,
    SHOP,
    asked,
    config,
    decided,
    held_then,
    told,
)
from tests.unit.testing.test_topology import MEMBERS, money, rules


def then(rules: Config | None = None, **known: Any) -> Explained:
    return explain(KEY, Known(at=NOW, **known), rules or config(), 10)


def by_account(answer: Explained) -> dict[str, Word]:
    return {word.account: word for word in answer.accounts}


FOUGHT = decided(1, winner=held_then("shop", NOW - SECOND, NEW), losers=[held_then("presta", NOW - 3 * SECOND, OLD)])


def test_a_decision_says_who_won_and_lost_with_both_clocks_and_why() -> None:
    answer = then(decisions=[FOUGHT], pushes=[asked(1)], decided={SHOP: FOUGHT})
    first, second = answer.accounts
    assert (answer.golden_version, first.account, first.wins) == (4, "shop", True)
    assert (first.source_clock, first.corrected_time) == (NOW - SECOND, NOW - SECOND)
    assert first.event == {
        "event_id": "07" * 16, "inbound": {"topic": "inbound.v1", "partition": 2, "offset": 101},
    }  # fmt: skip
    assert second.lost_because == "its corrected time is 2 s before the winner's"
    assert (second.asked, second.holds_winner) == ("winner", False)


def test_the_winners_event_says_what_the_state_was_and_a_deletion_that_there_was_none() -> None:
    heard = {SHOP: told(3, "shop", NOW - SECOND, NEW)}
    assert then(decisions=[FOUGHT], said=heard).state == {"sku": "SKU-1", "amount": "3 EUR (tax included)"}
    older = {SHOP: told(2, "shop", NOW - 9 * SECOND, OLD)}
    assert then(decisions=[FOUGHT], said=older).state is None
    deleted = then(decisions=[decided(1, winner=held_then("shop", NOW, NEW, op="delete"), losers=[])])
    assert (deleted.deleted, deleted.state) == (True, {})


def test_a_newer_word_without_a_decision_changed_nothing_and_says_so() -> None:
    heard = {SHOP: told(3, "shop", NOW - SECOND, NEW), PRESTA: told(4, "presta", NOW, NEW)}
    words = by_account(then(decisions=[FOUGHT], said=heard))
    assert (words["shop"].wins, words["presta"].wins) == (True, False)
    assert (words["presta"].source_clock, words["presta"].holds_winner) == (NOW, True)
    assert words["presta"].lost_because == AGREED


def test_an_older_event_than_the_decision_says_nothing_new() -> None:
    heard = {PRESTA: told(2, "presta", NOW - 5 * SECOND, NEW)}
    words = by_account(then(decisions=[FOUGHT], said=heard))
    assert words["presta"].source_clock == NOW - 3 * SECOND
    assert words["presta"].event is None


def test_an_echo_is_known_by_the_time_that_the_decision_gave_it() -> None:
    echo = held_then("presta", NOW, NEW, corrected=NOW - SECOND)
    decision = decided(2, winner=held_then("shop", NOW - SECOND, NEW), losers=[echo])
    heard = {PRESTA: told(4, "presta", NOW, NEW)}
    words = by_account(then(decisions=[decision], said=heard))
    assert (words["presta"].echo, words["presta"].corrected_time) == (True, NOW - SECOND)


def test_what_an_account_was_asked_for_is_over_when_it_says_something_else() -> None:
    heard = {PRESTA: told(4, "presta", NOW + SECOND, OLD)}
    decision = decided(2, winner=held_then("shop", NOW, NEW), losers=[held_then("presta", NOW + SECOND, OLD)])
    assert by_account(then(decisions=[decision], said=heard, pushes=[asked(1)]))["presta"].asked == "nothing"
    before = {PRESTA: told(4, "presta", NOW - SECOND, OLD)}
    earlier = decided(2, winner=held_then("shop", NOW, NEW), losers=[held_then("presta", NOW - SECOND, OLD)])
    assert by_account(then(decisions=[earlier], said=before, pushes=[asked(1)]))["presta"].asked == "winner"


def test_one_account_needs_no_decision_and_several_without_one_are_judged_as_configured() -> None:
    alone = then(said={SHOP: told(3, "shop", NOW, NEW)})
    assert (alone.rule.because, alone.golden_version, alone.accounts[0].wins) == (ONLY_ACCOUNT, None, True)
    both = {SHOP: told(3, "shop", NOW, NEW), PRESTA: told(4, "presta", NOW - 1, OLD)}
    owned = then(config(Policy(PolicyKind.OWNER, ("presta",))), said=both)
    assert (owned.rule.because, owned.accounts[0].account) == (NO_DECISION, "presta")
    assert then(said=both).accounts[0].account == "shop"


def test_what_one_account_alone_said_after_a_decision_of_its_own_is_its_word() -> None:
    tie = decided(1, winner=held_then("shop", NOW - SECOND, OLD), losers=[])
    answer = then(decisions=[tie], said={SHOP: told(3, "shop", NOW, NEW)})
    assert (answer.accounts[0].source_clock, answer.accounts[0].holds_winner) == (NOW, True)
    assert answer.golden_version is None
    assert answer.state == {"sku": "SKU-1", "amount": "3 EUR (tax included)"}


def test_a_loser_is_judged_by_the_kind_of_rule_that_decided_then() -> None:
    owned = config(Policy(PolicyKind.OWNER, ("presta",)), revision=3)
    answer = then(owned, decisions=[FOUGHT])
    assert (answer.rule.kind, answer.rule.configured) == ("lww", "owner")
    assert by_account(answer)["presta"].lost_because == "its corrected time is 2 s before the winner's"


def test_an_account_that_was_not_configured_then_keeps_its_hash() -> None:
    stranger = decided(1, winner=held_then("aa" * 8, NOW, NEW), losers=[held_then("shop", NOW - 1, OLD)])
    first, second = then(decisions=[stranger]).accounts
    assert (first.account, second.account) == ("aa" * 8, "shop")


PARTS = Policy(PolicyKind.LWW, groups=(FieldGroup("prices", ("amount",), PolicyKind.OWNER, ("presta",)),))
MERGED = decided(2, **{**FOUGHT.record, "groups": GROUPS})


def test_groups_are_those_of_the_newest_decision() -> None:
    answer = then(config(PARTS), decisions=[FOUGHT, MERGED])
    assert [(one["group"], one["account"]) for one in answer.groups] == [("*", "shop"), ("prices", "presta")]
    assert [len(one["groups"]) for one in answer.decisions] == [0, 2]
    assert [word.holds_winner for word in answer.accounts] == [None, None]


def test_a_state_that_was_put_together_is_told_from_the_events_of_those_who_gave_its_fields() -> None:
    heard = {SHOP: told(3, "shop", NOW - SECOND, NEW), PRESTA: told(7, "presta", NOW - 3 * SECOND, OLD)}
    assert then(config(PARTS), decisions=[MERGED], said=heard).state == {
        "sku": "SKU-1", "amount": "7 EUR (tax included)",
    }  # fmt: skip
    assert then(config(PARTS), decisions=[MERGED], said={SHOP: heard[SHOP]}).state is None
    partial = config(replace(PARTS, partial=True))
    assert then(partial, decisions=[MERGED], said=heard).state is None


def test_who_was_ambiguous_or_stuck_is_told_by_the_decision() -> None:
    words = by_account(then(decisions=[decided(2, **{**FOUGHT.record, "ambiguous": ["shop"], "stuck": ["presta"]})]))
    assert (words["shop"].ambiguous, words["shop"].stuck) == (True, False)
    assert (words["presta"].ambiguous, words["presta"].stuck) == (False, True)


def test_nothing_that_was_kept_is_nothing_that_is_known() -> None:
    assert not Known(at=NOW).anything
    assert then().accounts == []


def test_what_a_real_resolver_wrote_is_told_as_its_row_would_be() -> None:
    driver = TopologyTestDriver.of(rules(), MEMBERS)
    for account, amount in (("shop", "10"), ("presta", "11"), ("shop", "12")):
        driver.say(account, EntityType.PRICE, "SKU-7~default~EUR", money(amount))
        driver.advance(10)
    driver.commit()
    decisions = [Found("decisions.v1", 0, one["offset"], one["value"]) for one in driver.read("decisions.v1")]
    events = [Found("events.price.v1", 0, one["offset"], one["value"]) for one in driver.events(EntityType.PRICE)]
    recent = Recent(10)
    for one in events:
        recent.add(account_hash("acme", one.record["meta"]["account"]), one)
    pushes = [Found("push.shopify.v1", 0, n, task) for n, task in enumerate(driver.pushes("presta"))]
    answer = explain("acme|price|SKU-7~default~EUR", Known(
        decisions=decisions, events=recent.newest, said=recent.by_account, pushes=pushes, at=driver.clock.now(),
    ), config(), 10)  # fmt: skip
    assert (answer.golden_version, answer.state) == (
        3, {"sku": "SKU-7", "amount": "12 EUR (tax included)"},
    )  # fmt: skip
    assert [(word.account, word.wins, word.asked) for word in answer.accounts] == [
        ("shop", True, "nothing"), ("presta", False, "winner"),
    ]  # fmt: skip


def test_late_events_do_not_pass_for_the_newest_of_their_account() -> None:
    recent = Recent(2)
    for one in (told(1, "shop", 5, NEW), told(2, "shop", 1, OLD, late=True), told(3, "shop", 2, OLD, late=True)):
        recent.add(SHOP, one)
    assert recent.by_account[SHOP].offset == 1
    assert [one.offset for one in recent.newest] == [2, 3]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("-90s", NOW - 90 * SECOND),
        ("-10m", NOW - 600 * SECOND),
        ("-1.5h", NOW - 5400 * SECOND),
        ("-2d", NOW - 172_800 * SECOND),
        ("2026-03-01T11:59:59.5Z", NOW - SECOND // 2),
        ("2026-03-01 11:00", NOW - 3600 * SECOND),
        ("2026-03-01T12:30:00+01:00", NOW - 1800 * SECOND),
    ],
)
def test_a_time_is_iso_or_so_long_ago(text: str, at: int) -> None:
    assert parse_time(text, NOW) == at


@pytest.mark.parametrize(
    ("text", "why"), [("10m", "is no time"), ("-10", "is no time"), ("2026-03-02", "in the future")]
)
def test_what_is_no_time_or_not_yet_is_refused_with_what_is_allowed(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_time(text, NOW)
