"""What the answer says of an entity, from hand-made rows and records."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from schemas.entities import Op, Rank
from streams.core.policy import Policy, PolicyKind
from streams.core.resolve import Observation, Standing, resolve
from streams.runtime.config import Config
from streams.runtime.explain.facts import NO_DECISION, Known, explain
from streams.runtime.explain.words import CHANGED
from tests.unit.runtime.explain.known import (
    KEY,
    NEW,
    NOW,
    OLD,
    PRESTA,
    SECOND,
    SHOP,
    asked,
    called,
    config,
    decided,
    fought_over,
    row,
    said,
)

OWNER = Policy(PolicyKind.OWNER, ("presta",))


def test_the_winner_comes_first_and_everybody_has_both_clocks() -> None:
    first, second = explain(KEY, fought_over(), config(), 10).accounts
    assert (first.account, first.wins, first.rank, first.lost_because) == ("shop", True, "settled read", "")
    assert (first.source_clock, first.corrected_time) == (NOW, NOW)
    assert (second.account, second.platform, second.wins, second.rank) == ("presta", "prestashop", False, "push")
    assert (second.holds_winner, second.asked) == (False, "winner")
    assert second.lost_because == "its corrected time is 3.5 s before the winner's"


def test_the_rule_is_that_of_the_newest_decision_beside_what_the_file_says_now() -> None:
    known = fought_over(decisions=[decided(1), decided(2, rule="owner", because="owner", policy_revision=1)])
    rule = explain(KEY, known, config(), 1).rule
    assert (rule.kind, rule.because, rule.revision) == ("owner", "owner", 1)
    assert (rule.configured, rule.configured_revision) == ("lww", 2)


def test_an_entity_of_one_account_needed_no_decision_and_one_without_any_says_so() -> None:
    alone = Known(row(said(SHOP, NOW, NEW)))
    assert explain(KEY, alone, config(), 10).rule.because == "only_account"
    assert explain(KEY, fought_over(decisions=[]), config(), 10).rule.because == NO_DECISION


def test_only_the_newest_are_shown_oldest_first_and_none_when_none_are_asked_for() -> None:
    many = fought_over(
        decisions=[decided(n) for n in range(5)],
        pushes=[asked(n) for n in range(5)],
        calls=[called(n) for n in range(5)],
    )
    shown = explain(KEY, many, config(), 2)
    assert [one["at"]["offset"] for one in shown.decisions] == [3, 4]
    assert [one["at"]["offset"] for one in shown.pushes] == [3, 4]
    assert [one["at"]["offset"] for one in shown.calls] == [3, 4]
    assert explain(KEY, many, config(), 0).decisions == []


def test_an_account_that_left_the_configuration_is_shown_by_its_hash() -> None:
    gone = Known(row(said(SHOP, NOW, NEW), said(b"\xaa" * 8, NOW, OLD)))
    other = explain(KEY, gone, config(), 10).accounts[1]
    assert (other.account, other.platform) == ("aa" * 8, "")
    assert "priority of an unknown account comes after 10" in other.lost_because


def test_the_winner_comes_first_though_a_loser_spoke_later() -> None:
    known = Known(row(said(PRESTA, NOW, NEW), said(SHOP, NOW + SECOND, OLD)))
    assert [one.account for one in explain(KEY, known, config(OWNER), 10).accounts] == ["presta", "shop"]


def test_an_echo_is_marked_and_a_deletion_is_told() -> None:
    echo = said(PRESTA, NOW + SECOND, NEW, corrected=NOW, asked=((NEW, NOW), (OLD, NOW)))
    word = explain(KEY, Known(row(said(SHOP, NOW, NEW), echo)), config(), 10).accounts[1]
    assert (word.echo, word.holds_winner, word.asked) == (True, True, "older")
    deleted = explain(KEY, Known(row(said(SHOP, NOW, NEW, op=Op.DELETE)), {}), config(), 10)
    assert deleted.deleted
    assert deleted.accounts[0].op == "delete"


@pytest.mark.parametrize(
    ("policy", "at", "said_to_lose"),
    [
        (Policy(PolicyKind.LWW), (NOW, NOW), "same corrected time, and its priority 20 comes after 10"),
        (OWNER, (NOW + SECOND, NOW), "it is not among the owners: presta"),
        (Policy(PolicyKind.OWNER, ("shop", "presta")), (NOW, NOW + SECOND), "it comes later among the owners"),
        (Policy(PolicyKind.SINGLE), (NOW, NOW + SECOND), "neither is an owner, and its priority 20 comes after 10"),
    ],
)
def test_why_the_loser_lost_agrees_with_the_resolver(policy: Policy, at: tuple[int, int], said_to_lose: str) -> None:
    rules = config(policy)
    owners = policy.owners
    standings = {
        h: Standing(owners.index(name) if name in owners else 1 << 30, rules.accounts["acme", name].priority)
        for h, name in ((SHOP, "shop"), (PRESTA, "presta"))
    }
    entity = row(said(SHOP, at[0], NEW))
    theirs = said(PRESTA, at[1], OLD)
    entity = resolve(entity, Observation(PRESTA, theirs.version, at[1], Op.UPSERT), policy, standings).entity
    loser = next(one for one in explain(KEY, Known(entity), rules, 10).accounts if not one.wins)
    assert said_to_lose in loser.lost_because


@pytest.mark.parametrize(("rules", "at"), [(config(OWNER), NOW), (config(shop=30), NOW), (config(), NOW + SECOND)])
def test_a_loser_that_todays_rules_would_let_win_is_not_explained_away(rules: Config, at: int) -> None:
    known = Known(row(said(SHOP, NOW, NEW), said(PRESTA, at, OLD)))
    assert explain(KEY, known, rules, 10).accounts[1].lost_because == CHANGED


def test_the_main_values_are_text_and_leave_out_what_says_nothing() -> None:
    assert explain(KEY, fought_over(), config(), 10).state == {"sku": "SKU-1", "amount": "12.5 EUR (tax included)"}


def test_all_of_it_is_json() -> None:
    text = json.dumps(asdict(explain(KEY, fought_over(), config(), 10)))
    assert json.loads(text)["calls"][0]["op_id"] == f"presta|{KEY}|4"


def test_what_no_topic_knows_is_nothing_but_a_deletion_is_something() -> None:
    assert not Known().anything
    assert Known(state={}).anything
    assert Known(calls=[called(1)]).anything


def test_ranks_have_names_of_their_own() -> None:
    words = {explain(KEY, Known(row(said(SHOP, NOW, NEW, rank))), config(), 1).accounts[0].rank for rank in Rank}
    assert words == {"settled read", "push", "unsettled read"}
